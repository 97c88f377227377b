"""Verdicts per CPU-second of the sandbox beside HumanEval's executor protocol, on the same programs, in one run.

    python benchmarks/sandbox_speed.py [--programs 640] [--batch 64] [--problems FILE] [--evalplus FOLDER]

Everything the worker spends is counted: its own process, the zygote and all that ran below it (the protocol beside it:
its own process and all its children). The programs are HumanEval-sized: functions with a handful of assertions, right
and wrong ones mixed; with `--problems` the canonical solutions of a HumanEval file are used instead.

The protocol beside it is re-implemented here as the original does it: for each program a process is forked, the
program with its tests and `check(entry_point)` is executed there with a reliability guard, a temporary working
directory, swallowed streams and an alarm, and the result comes back through a managed list.

EvalPlus is measured by its own package, on the same calls as inputs and expected values, where a folder has it:

    pip install --no-deps --target FOLDER evalplus==0.3.1 wget appdirs tempdir psutil multipledispatch numpy
"""

from __future__ import annotations

import argparse
import ast
import builtins
import contextlib
import faulthandler
import gzip
import io
import json
import multiprocessing
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.sandbox.limits import Limits, TestPlan
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.tiers import open_sandbox

SECONDS = 3.0


@dataclass(frozen=True)
class Case:
    """One problem's tests and programs that solve it (or not)."""

    plan: TestPlan
    programs: list[str]
    calls: tuple[list[Any], list[Any]] | None = None


def made_cases() -> list[Case]:
    """A few problems of HumanEval's size, each with a right, a wrong and a failing program."""
    wrong = "    return None\n"
    sources = [
        ('from typing import List\n\n\ndef f(numbers: List[float], t: float) -> bool:\n    """ Any two close? """\n',
         "    for i, a in enumerate(numbers):\n        for j, b in enumerate(numbers):\n"
         "            if i != j and abs(a - b) < t:\n                return True\n    return False\n",
         "([1.0, 2.0, 3.9, 4.0, 5.0, 2.2], 0.3) == True", "([1.0, 2.0, 3.9, 4.0], 0.05) == False"),
        ('def f(text: str) -> str:\n    """ The shortest palindrome that begins with text. """\n',
         "    for i in range(len(text)):\n        if text[i:] == text[i:][::-1]:\n"
         "            return text + text[:i][::-1]\n    return ''\n",
         "('cat') == 'catac'", "('xyx') == 'xyx'"),
        ('import math\n\n\ndef f(n: int) -> int:\n    """ The largest prime factor of n. """\n',
         "    best, d = 1, 2\n    while n > 1:\n        while n % d == 0:\n            best, n = d, n // d\n"
         "        d += 1\n    return best\n",
         "(13195) == 29", "(2048) == 2"),
        ('def f(words):\n    """ Words by how often they occur. """\n',
         "    from collections import Counter\n    return dict(Counter(words))\n",
         "(['a', 'b', 'a']) == {'a': 2, 'b': 1}", "([]) == {}"),
    ]  # fmt: skip
    cases = []
    for prompt, body, *calls in sources:
        tests = "def check(candidate):\n" + "".join(f"    assert candidate{call}\n" for call in calls * 4)
        programs = [prompt + body, prompt + wrong, prompt + "    return undefined_name\n"]
        cases.append(Case(TestPlan(tests, "f", prompt), programs, _as_inputs(calls * 4)))
    return cases


def _as_inputs(calls: list[str]) -> tuple[list[Any], list[Any]]:
    """Argument lists and expected values of `(arguments) == value` texts."""
    sides = [call.split(" == ") for call in calls]
    values = [ast.literal_eval(given[:-1] + ",)") for given, _ in sides]
    return [list(value) for value in values], [ast.literal_eval(wanted) for _, wanted in sides]


def read_cases(path: Path) -> list[Case]:
    """The canonical solutions of a HumanEval file (`.gz` too)."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    rows = [json.loads(line) for line in text.splitlines()]
    return [
        Case(TestPlan(row["test"], row["entry_point"], row["prompt"]), [row["prompt"] + row["canonical_solution"]])
        for row in rows
    ]


def batches(cases: list[Case], programs: int, batch: int) -> list[tuple[TestPlan, list[str]]]:
    """At least `programs` programs in all, `batch` at a time of one problem."""
    made, total, at = [], 0, 0
    while total < programs:
        case = cases[at % len(cases)]
        made.append((case.plan, [case.programs[n % len(case.programs)] for n in range(batch)]))
        total, at = total + batch, at + 1
    return made


def cpu_seconds() -> float:
    """CPU seconds of this process and all children it has waited for."""
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure_sandbox(work: list[tuple[TestPlan, list[str]]], tier: str) -> tuple[float, list[bool]]:
    """(verdicts per CPU-second, verdicts) of a warm sandbox."""
    sandbox: Sandbox = open_sandbox(Limits(cpu_seconds=SECONDS), tier)
    own, below = resource.getrusage(resource.RUSAGE_SELF), sandbox.cpu_seconds()
    verdicts = [report.outcome == "correct" for plan, programs in work for report in sandbox.run(plan, programs)]
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - own.ru_utime - own.ru_stime + sandbox.cpu_seconds() - below
    sandbox.close()
    return len(verdicts) / spent, verdicts


def measure_evalplus(work: list[tuple[TestPlan, list[str]]], cases: list[Case]) -> tuple[float, list[bool]]:
    """(verdicts per CPU-second, verdicts) of EvalPlus' own checker."""
    from evalplus.eval import untrusted_check  # type: ignore[import-not-found]

    calls = {case.plan.tests: case.calls for case in cases}
    before = cpu_seconds()
    verdicts = []
    for plan, programs in work:
        inputs, expected = calls[plan.tests] or ([], [])
        for program in programs:
            seconds = [0.01] * len(inputs)
            status, _ = untrusted_check("humaneval", program, inputs, plan.entry_point, expected, 0, seconds, True)
            verdicts.append(status == "pass")
    return len(verdicts) / (cpu_seconds() - before), verdicts


def measure_protocol(work: list[tuple[TestPlan, list[str]]]) -> tuple[float, list[bool]]:
    """(verdicts per CPU-second, verdicts) of the executor protocol."""
    before = cpu_seconds()
    verdicts = [protocol_verdict(plan, program) for plan, programs in work for program in programs]
    return len(verdicts) / (cpu_seconds() - before), verdicts


def protocol_verdict(plan: TestPlan, program: str) -> bool:
    """One program judged as HumanEval's executor does it."""
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        result = manager.list()
        process = context.Process(target=_execute, args=(plan, program, result))
        process.start()
        process.join(timeout=SECONDS + 1)
        if process.is_alive():
            process.kill()
            process.join()
        return bool(result) and result[0] == "passed"


class _TimedOut(Exception):
    pass


def _execute(plan: TestPlan, program: str, result: Any) -> None:
    with _temporary_directory():
        keep = shutil.rmtree, os.rmdir, os.chdir
        _reliability_guard()
        source = f"{program}\n{plan.tests}\ncheck({plan.entry_point})"
        try:
            with _swallowed(), _time_limit(SECONDS):
                exec(source, {})
            result.append("passed")
        except _TimedOut:
            result.append("timed out")
        except BaseException as error:
            result.append(f"failed: {error}")
        shutil.rmtree, os.rmdir, os.chdir = keep


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def on_alarm(_number: int, _frame: object) -> None:
        raise _TimedOut

    signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.signal(signal.SIGALRM, on_alarm)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def _swallowed() -> Iterator[None]:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        yield


@contextlib.contextmanager
def _temporary_directory() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as name:
        before = os.getcwd()
        os.chdir(name)
        try:
            yield
        finally:
            os.chdir(before)


def _reliability_guard() -> None:
    faulthandler.disable()
    os.environ["OMP_NUM_THREADS"] = "1"
    names = "kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate"
    names += " replace unlink fchmod fchown chmod chown chroot lchown getcwd chdir"
    for name in names.split():
        setattr(os, name, None)
    shutil.rmtree = shutil.move = shutil.chown = None  # type: ignore[assignment]
    subprocess.Popen = None  # type: ignore[assignment, misc]
    builtins.exit = builtins.quit = None  # type: ignore[assignment]


def main() -> None:
    """Measure and print one line each."""
    parser = argparse.ArgumentParser(description="verdicts per CPU-second of the sandbox and of HumanEval's protocol")
    parser.add_argument("--programs", type=int, default=640)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--problems", type=Path, default=None)
    parser.add_argument("--evalplus", type=Path, default=None, help="folder that EvalPlus is installed in")
    arguments = parser.parse_args()
    cases = read_cases(arguments.problems) if arguments.problems else made_cases()
    work = batches(cases, arguments.programs, arguments.batch)
    print(f"{sum(len(programs) for _, programs in work)} programs, batches of {arguments.batch}, {platform.machine()}")
    base, expected = _line("HumanEval's protocol", lambda: measure_protocol(work), None)
    evalplus = None
    if arguments.evalplus is not None:
        sys.path.append(str(arguments.evalplus))
        evalplus, verdicts = _line("EvalPlus", lambda: measure_evalplus(work, cases), base)
        if verdicts != expected:
            raise SystemExit("EvalPlus judges otherwise")
    for tier in ("bwrap", "flat"):
        rate, verdicts = _line(f"sandbox, tier {tier}", lambda tier=tier: measure_sandbox(work, tier), base)  # type: ignore[misc]
        if evalplus is not None:
            print(f"{'':24} {rate / evalplus:.2f} x EvalPlus")
        if verdicts != expected:
            raise SystemExit(
                f"tier {tier} judges {sum(a != b for a, b in zip(verdicts, expected, strict=True))} otherwise"
            )


def _line(name: str, measure: Callable[[], tuple[float, list[bool]]], base: float | None) -> tuple[float, list[bool]]:
    begun = time.monotonic()
    rate, verdicts = measure()
    beside = "" if base is None else f"  {rate / base:5.2f} x"
    wall = len(verdicts) / (time.monotonic() - begun)
    print(f"{name:24} {rate:8.1f} verdicts per CPU-second  {wall:7.1f} per second{beside}")
    return rate, verdicts


if __name__ == "__main__":
    main()
