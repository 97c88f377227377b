"""The tools that look at all of the code. They take minutes, so they run beside the tests, which mostly wait."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

#: By the name of their test; those that take longest come first.
TOOLS = {
    " ".join(command[:2]): command
    for command in (
        ["mypy"],
        ["sqlfluff", "lint", "--disable-progress-bar", "store"],
        ["lint-imports"],
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
    )
}

Done = subprocess.CompletedProcess[str]


class Running:
    """Tools started one after the other, below the tests' priority; what each said is waited for by name."""

    def __init__(self, names: list[str]) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._processes: list[subprocess.Popen[str]] = []
        self._said: dict[str, Future[Done]] = {name: self._pool.submit(self._run, TOOLS[name]) for name in names}

    def _run(self, command: list[str]) -> Done:
        process = subprocess.Popen(
            ["nice", "-n", "10", str(BIN / command[0]), *command[1:]],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        said, complained = process.communicate()
        return Done(command, process.returncode, said, complained)

    def said(self, name: str) -> Done:
        """What a tool said; waits until it has ended."""
        return self._said[name].result()

    def stop(self) -> None:
        """End what nobody waits for any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.kill()
        self._pool.shutdown()
