"""Whether two formulas mean the same, asked of a process that may be killed while it thinks."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from store.errors import PassatkError
from workers.errors import VerifierBroken
from workers.verifiers.protocol import Reason

#: Questions after which the process is replaced: sympy's caches grow.
_MOST_QUESTIONS = 5_000
_START_SECONDS = 120.0
_ENDINGS = {int(signal.SIGPROF): Reason.CPU_TIME, int(signal.SIGKILL): Reason.MEMORY}


class MathNotInstalled(PassatkError):
    """The library that compares formulas is not installed."""


@dataclass(frozen=True)
class Comparison:
    """`equal`: the answer means what the gold does. `failed`: why no comparison came about (then nothing else holds).

    `kind` and `value` (of plain numbers, 15 digits) tell at a glance that two answers differ.
    """

    gold_parsed: bool = False
    parsed: bool = False
    equal: bool = False
    kind: str = "none"
    value: str | None = None
    failed: Reason | None = None


class Equivalence:
    """Compares formulas in a child process with limits for each question. Use it from one thread at a time."""

    def __init__(self, cpu_seconds: float = 5.0, wall_seconds: float = 20.0, memory_bytes: int = 2 << 30) -> None:
        self.cpu_seconds, self.wall_seconds, self.memory_bytes = cpu_seconds, wall_seconds, memory_bytes
        self._child: subprocess.Popen[str] | None = None
        self._owner = 0
        self._asked = 0

    def compare(self, gold: str, answer: str) -> Comparison:
        """Compare; a question that ends the process is asked once more, alone. Raises VerifierBroken."""
        first = self._ask(gold, answer, self.wall_seconds)
        if first.failed is None:
            return first
        self.close()
        again = self._ask(gold, answer, 2 * self.wall_seconds)
        if again.failed is not None:
            self.close()
            self._check_alive(again.failed)
        return again

    def close(self) -> None:
        """End the process. The next question starts another."""
        if self._child is not None and self._owner == os.getpid():
            self._child.kill()
            self._child.wait()
            for stream in (self._child.stdin, self._child.stdout):
                if stream is not None:
                    stream.close()
        self._child = None

    def _check_alive(self, failed: Reason) -> None:
        """Raise VerifierBroken unless a harmless question is still answered: then the formula is to blame."""
        control = self._ask("\\frac{1}{2}", "0.5", 2 * self.wall_seconds)
        if not control.equal:
            self.close()
            raise VerifierBroken(
                f"the process that compares formulas fails a harmless one ({failed}, {control.failed})"
            )

    def _ask(self, gold: str, answer: str, wall_seconds: float) -> Comparison:
        child = self._started()
        self._asked += 1
        try:
            assert child.stdin is not None, "started with a pipe"
            child.stdin.write(json.dumps({"gold": gold, "answer": answer}) + "\n")
            child.stdin.flush()
            line = _line(child, wall_seconds)
        except BrokenPipeError:
            line = ""
        except TimeoutError:
            return Comparison(failed=Reason.WALL_TIME)
        if not line:
            return Comparison(failed=_ENDINGS.get(-child.wait(), Reason.EXCEPTION))
        reply: dict[str, Any] = json.loads(line)
        return Comparison(failed=Reason.MEMORY) if reply.get("memory") else Comparison(**reply)

    def _started(self) -> subprocess.Popen[str]:
        if self._owner != os.getpid():
            # A fork must not speak over its parent's pipes.
            self._child, self._owner = None, os.getpid()
        if self._child is not None and (self._child.poll() is not None or self._asked >= _MOST_QUESTIONS):
            self.close()
        if self._child is None:
            self._child, self._asked = self._start(), 0
        return self._child

    def _start(self) -> subprocess.Popen[str]:
        bootstrap = f"import sys; sys.path[:0] = {sys.path!r}; from workers.verifiers.math_child import main; "
        bootstrap += f"main({self.cpu_seconds!r}, {self.memory_bytes!r})"
        child = subprocess.Popen(
            [sys.executable, "-I", "-c", bootstrap],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # The order of sets decides what sympy tries first: the same order everywhere. Nothing else of ours goes in.
            env={"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            cwd="/",
            text=True,
            start_new_session=True,
        )
        try:
            ready = _line(child, _START_SECONDS) == "ready\n"
        except TimeoutError:
            ready = False
        if not ready:
            child.kill()
            child.wait()
            raise VerifierBroken("the process that compares formulas does not start")
        return child


def _line(child: subprocess.Popen[str], seconds: float) -> str:
    """The next line the child says, "" at its end. Raises TimeoutError."""
    assert child.stdout is not None, "started with a pipe"
    deadline, poll = time.monotonic() + seconds, select.poll()
    poll.register(child.stdout, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError
    return child.stdout.readline()


def check_installed() -> str:
    """The installed version of the library. Raises MathNotInstalled."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("math-verify")
    except PackageNotFoundError:
        raise MathNotInstalled("verifier math needs the package math-verify: pip install math-verify") from None
