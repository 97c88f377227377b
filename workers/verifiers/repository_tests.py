"""Runs inside the sandbox as a script: pytest over the named tests, and what became of each of them.

The candidate's code shares this process, so what is said here can be forged by code that sets out to do it: a verdict
that rests on it is weak. What is closed are the known ways: exit status and printed words count for nothing, a test
must pass its set-up, call and tear-down, and tests of random names, one to pass, one to fail, stand first and last.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

ROOT = "/scratch/repository"


def main() -> None:
    """Run, report over descriptor 3, end at once: nothing that the candidate left behind runs after that."""
    order = json.load(sys.stdin)
    channel, write, leave = os.dup(3), os.write, os._exit
    os.close(3)
    import pytest

    recorder = Recorder()
    canaries = _canaries(order["canary"])
    sys.path[:0] = [os.path.join(ROOT, place) for place in order["path"]]
    files = list(dict.fromkeys(name.partition("::")[0] for name in order["tests"]))
    arguments = ["-c", "/dev/null", "--rootdir", ROOT, "-p", "no:cacheprovider", "-q", "--tb=line", "--no-header"]
    if not order["conftest"]:
        arguments.append("--noconftest")
    pytest.main([*arguments, canaries[0], *files, canaries[1]], plugins=[recorder])
    write(channel, json.dumps({"nonce": order["nonce"], "phases": recorder.phases}).encode() + b"\n")
    leave(0)


class Recorder:
    """What each test did in each of its phases, as pytest says it."""

    def __init__(self) -> None:
        self.phases: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """One phase of one test. An expected failure is not a pass."""
        outcome = "xfail" if hasattr(report, "wasxfail") else str(report.outcome)
        self.phases.setdefault(str(report.nodeid), {})[str(report.when)] = outcome


def _canaries(name: str) -> list[str]:
    """Two files of one test that passes and one that fails."""
    files = []
    for place in ("first", "last"):
        file = os.path.join(ROOT, f"test_{place}_{name}.py")
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(f"def test_pass_{name}():\n    pass\n\ndef test_fail_{name}():\n    raise AssertionError\n")
        files.append(file)
    return files


if __name__ == "__main__":
    main()
