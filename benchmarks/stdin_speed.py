"""Verdicts per CPU-second of whole programs with ten stdin tests, beside one sandbox per run, on the same programs.

    python benchmarks/stdin_speed.py [--programs 40] [--tests 10]

Everything the worker spends is counted: its own process, the zygote and all that ran below it. Beside it every run is
a bubblewrap container of its own around `python3`, as a harness without a fork server does it, with resource limits.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from workers.sandbox.launch import interpreter
from workers.sandbox.limits import InputPlan, Limits
from workers.sandbox.tiers import open_sandbox

SECONDS = 3.0
PROGRAMS = [
    "import sys\nn, *numbers = map(int, sys.stdin.read().split())\nprint(sum(numbers[:n]))\n",
    "from collections import Counter\nn = int(input())\nfound = Counter(map(int, input().split()))\n"
    "print(sum(value * count for value, count in found.items()))\n",
    "def main():\n    n = int(input())\n    total = 0\n    for value in input().split():\n        total += int(value)\n"
    "    print(total)\n\nif __name__ == '__main__':\n    main()\n",
    "n = int(input())\nprint(sum(list(map(int, input().split()))[1:]))\n",
]


def main() -> None:
    """Measure and print one line each."""
    parser = argparse.ArgumentParser(description="verdicts per CPU-second of programs with stdin tests")
    parser.add_argument("--programs", type=int, default=40)
    parser.add_argument("--tests", type=int, default=10)
    arguments = parser.parse_args()
    inputs = [f"{n + 3}\n{' '.join(str(7 * n + k) for k in range(n + 3))}\n" for n in range(arguments.tests)]
    expected = [str(sum(map(int, text.split()[1:]))).encode() for text in inputs]
    programs = [PROGRAMS[n % len(PROGRAMS)] + f"# {n}\n" for n in range(arguments.programs)]
    print(f"{len(programs)} programs, {len(inputs)} stdin tests each, stopped at the first that fails")
    base, wanted = measure_containers(inputs, expected, programs)
    _line("one sandbox per run", base, None)
    for tier in ("bwrap", "flat"):
        rate, verdicts = measure_sandbox(tier, inputs, expected, programs)
        _line(f"sandbox, tier {tier}", rate, base)
        if verdicts != wanted:
            raise SystemExit(f"tier {tier} judges otherwise")


def _line(name: str, rate: float, base: float | None) -> None:
    print(f"{name:24} {rate:8.1f} verdicts per CPU-second" + ("" if base is None else f"  {rate / base:5.2f} x"))


def measure_sandbox(
    tier: str, inputs: Sequence[str], expected: Sequence[bytes], programs: Sequence[str]
) -> tuple[float, list[bool]]:
    """(verdicts per CPU-second, verdicts) of a warm sandbox."""

    def accepts(at: int, output: bytes) -> Mapping[str, Any] | None:
        return None if output.split() == expected[at].split() else {}

    sandbox = open_sandbox(Limits(cpu_seconds=SECONDS), tier)
    before = _cpu(resource.RUSAGE_SELF) + sandbox.cpu_seconds()
    reports = sandbox.run_inputs(InputPlan(inputs, accepts), programs)
    spent = sandbox.cpu_seconds() + _cpu(resource.RUSAGE_SELF) - before
    sandbox.close()
    return len(programs) / spent, [report.outcome == "correct" for report in reports]


def measure_containers(
    inputs: Sequence[str], expected: Sequence[bytes], programs: Sequence[str]
) -> tuple[float, list[bool]]:
    """(verdicts per CPU-second, verdicts) of one container for each run."""
    _adopt_orphans()
    before = _cpu(resource.RUSAGE_SELF) + _cpu(resource.RUSAGE_CHILDREN)
    verdicts = [
        all(_in_container(program, text) == wanted.split() for text, wanted in zip(inputs, expected, strict=True))
        for program in programs
    ]
    return len(programs) / (_cpu(resource.RUSAGE_SELF) + _cpu(resource.RUSAGE_CHILDREN) - before), verdicts


def _in_container(program: str, text: str) -> list[bytes]:
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SystemExit("bubblewrap is not installed: apt install bubblewrap")
    command = [
        bwrap, "--unshare-all", "--clearenv", "--new-session", "--die-with-parent", "--tmpfs", "/tmp",
        "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
    ]  # fmt: skip
    if not sys.base_prefix.startswith("/usr"):
        command += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    command += [interpreter(), "-I", "-S", "-c", program]
    limits = {resource.RLIMIT_CPU: int(SECONDS) + 1, resource.RLIMIT_AS: 512 << 20}
    done = subprocess.run(
        command,
        input=text.encode(),
        capture_output=True,
        timeout=30,
        check=False,
        preexec_fn=lambda: [resource.setrlimit(kind, (value, value)) for kind, value in limits.items()],
    )
    _wait_for_all()
    return done.stdout.split()


def _adopt_orphans() -> None:
    """Make this process the parent of whoever loses his: bubblewrap leaves before the container's first process."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _wait_for_all() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    begun = time.monotonic()
    main()
    print(f"{time.monotonic() - begun:.0f} s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
