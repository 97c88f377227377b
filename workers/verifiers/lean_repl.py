"""A warm Lean REPL: the header is imported once, a submission that fails there is refused without a cold check.

It speaks the protocol of leanprover-community/repl: a JSON command, an empty line; answers are JSON with `messages`.
The REPL has no time limit of its own for a command, so one that hangs is killed and another started. It elaborates what
models wrote, and so runs inside a sandbox too; nothing it says is ever evidence for a proof.
"""

from __future__ import annotations

import json
import select
import subprocess
import time
from typing import Any

from workers.sandbox.box import BoxLimits, BoxPlan, open_box

_START_SECONDS = 300.0


class LeanRepl:
    """One REPL process for each header, the last one used kept. Use it from one thread at a time."""

    def __init__(self, plan: BoxPlan, limits: BoxLimits) -> None:
        self._plan, self._limits = plan, limits
        self._process: subprocess.Popen[bytes] | None = None
        self._header: str | None = None

    def first_error(self, header: str, body: str) -> str | None:
        """The first error of `body` after `header`; None where there is none, or where the REPL itself failed."""
        if (self._process is None or header != self._header) and not self._warm(header):
            return None
        answer = self._ask({"cmd": body, "env": 0}, self._limits.wall_seconds)
        if answer is None:
            self.close()
            return None
        errors = [message for message in answer.get("messages", []) if message.get("severity") == "error"]
        return str(errors[0].get("data", "error"))[:1000] if errors else None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
        self._process = self._header = None

    def _warm(self, header: str) -> bool:
        self.close()
        self._process = open_box(self._plan, self._limits)
        self._header = header
        if self._ask({"cmd": header}, _START_SECONDS) is None:
            self.close()
            return False
        return True

    def _ask(self, command: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The answer, or None where none comes in time."""
        process = self._process
        assert process is not None, "started"
        assert process.stdin is not None, "started with pipes"
        assert process.stdout is not None, "started with pipes"
        try:
            process.stdin.write(json.dumps(command).encode() + b"\n\n")
        except BrokenPipeError:
            return None
        deadline, said, poll = time.monotonic() + seconds, b"", select.poll()
        poll.register(process.stdout, select.POLLIN)
        while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            more = process.stdout.read(1 << 16)
            if not more:
                return None
            said += more
            if said.rstrip(b" ").endswith(b"\n\n"):
                break
        try:
            answer = json.loads(said)
        except ValueError:
            return None
        return answer if isinstance(answer, dict) else None
