"""Issues of plain Python repositories: a patch applied at a commit in the sandbox, named tests run before and after it.

The verdict's detail carries a report in SWE-bench's shape. Tests share the process with the code they test, so every
verdict here is weak; what is closed nevertheless: see repository_tests.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.errors import PassatkError
from store.swebench_reports import InstanceReport, graded
from workers.errors import VerifierBroken
from workers.sandbox.box import BoxLimits, BoxPlan, BoxRun, run_in_box
from workers.verifiers.in_sandbox import clean
from workers.verifiers.protocol import Environment, Judgement, Outcome, Problem, Reason
from workers.verifiers.repository_source import Issue, Source, fetch, issue_of, patch_of

_HERE = Path(__file__).parent
_PHASES = ("setup", "call", "teardown")


class PythonUnusable(PassatkError):
    """The interpreter that is to run a repository's tests cannot."""


@dataclass(frozen=True)
class _Tested:
    """How a run over the named tests went; `fault` says why it says nothing."""

    passed: Mapping[str, bool]
    applied: bool = True
    said: str = ""
    limit: str | None = None
    forged: bool = False
    fault: str | None = None


class RepositoryIssue:
    """Verifier `repository`: correct when, after the patch, every FAIL_TO_PASS and PASS_TO_PASS test passes.

    The problem's metadata is SWE-bench's (`repo_path` or `repo`, `base_commit`, `test_patch`, `FAIL_TO_PASS`,
    `PASS_TO_PASS`; besides `python_path`, and `conftest` where the tests need the repository's own). `python` is an
    interpreter with pytest and what the repository needs (default: the worker's own), `repositories` a folder of
    clones, for problems that name theirs as OWNER/NAME. Before any patch is judged the tests run without one: where
    those that should fail pass, the issue is broken, not the sample.
    """

    name = "repository"
    version = "1"
    expensive = True

    def __init__(
        self,
        python: str | None = None,
        repositories: str | None = None,
        cpu_seconds: float = 900.0,
        wall_seconds: float = 1800.0,
        memory_bytes: int = 4 << 30,
        scratch_bytes: int = 1 << 30,
        check_before: bool = True,
    ) -> None:
        self._python, self._repositories = python or sys.executable, repositories
        self._limits = BoxLimits(cpu_seconds, wall_seconds, memory_bytes, scratch_bytes)
        self._check_before = check_before
        self._readable: dict[str, str] | None = None
        self._fetched: tuple[Issue, Source] | None = None

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; identical patches are judged once. Raises VerifierBroken."""
        issue, source = self._prepared(issue_of(problem, self._repositories))
        patches = [patch_of(completion) for completion in completions]
        judged = {patch: self._judge_one(issue, source, patch) for patch in dict.fromkeys(patches)}
        return [judged[patch] for patch in patches]

    def environment(self) -> Environment:
        """The container and the interpreter in it."""
        command = [
            self._python,
            "-I",
            "-c",
            "import platform, pytest; print(platform.python_version(), pytest.__version__)",
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        python, pytest = said if len(said) == 2 else ("unknown", "unknown")
        return Environment("bwrap", {"python": python, "pytest": pytest})

    def close(self) -> None:
        """Forget the repository."""
        self._fetched = None

    def _prepared(self, issue: Issue) -> tuple[Issue, Source]:
        if self._fetched is None or self._fetched[0] != issue:
            source = fetch(issue)
            if self._check_before:
                self._look_before(issue, source)
            self._fetched = issue, source
        return self._fetched

    def _look_before(self, issue: Issue, source: Source) -> None:
        before = self._tested(issue, source, None)
        if before.fault or before.limit or before.forged:
            why = before.fault or before.limit or "its tests report what is not so"
            raise VerifierBroken(f"issue {issue.key}: the tests do not run before any patch: {why}")
        wrong = [name for name in issue.fail_to_pass if before.passed[name]]
        wrong += [name for name in issue.pass_to_pass if not before.passed[name]]
        if wrong:
            raise VerifierBroken(
                f"issue {issue.key}: before any patch {len(wrong)} tests do not do what the issue says, as {wrong[0]}; "
                "is an installed package missing, or `python_path` or `conftest` needed?"
            )

    def _judge_one(self, issue: Issue, source: Source, patch: str | None) -> Judgement:
        started = time.perf_counter()
        outcome, reason, report, detail = self._found(issue, source, patch)
        detail |= {"report": {issue.key: report.as_report()}, "sandbox": "bwrap", "integrity": "weak"}
        seconds = time.perf_counter() - started
        return Judgement(outcome, reason, seconds=seconds, detail=clean(detail), weak=None if patch is None else True)

    def _found(
        self, issue: Issue, source: Source, patch: str | None
    ) -> tuple[Outcome, Reason | None, InstanceReport, dict[str, Any]]:
        nothing = InstanceReport(issue.key, patch is not None, False, False)
        if patch is None:
            return Outcome.INCORRECT, Reason.NO_ANSWER, nothing, {}
        if "\nnew file mode 120000" in patch or "\nnew mode 120000" in patch:
            return Outcome.INCORRECT, Reason.FORBIDDEN, nothing, {"error": "the patch makes a symbolic link"}
        tested = self._tested(issue, source, patch)
        if tested.limit == "wall_time":
            tested = self._tested(issue, source, patch)  # under load a wall-clock timeout counts only the second time
        if not tested.applied:
            return Outcome.INCORRECT, Reason.COMPILE_ERROR, nothing, {"error": tested.said}
        report = graded(issue.key, *(self._of(tested, names) for names in (issue.fail_to_pass, issue.pass_to_pass)))
        if report.resolved:
            return Outcome.CORRECT, None, report, {}
        if tested.forged:
            return Outcome.INCORRECT, Reason.FORBIDDEN, report, {"error": "the tests' reports were tampered with"}
        if tested.limit:
            return (
                Outcome.INCORRECT,
                Reason(tested.limit),
                report,
                {"limits": {"cpu_seconds": self._limits.cpu_seconds}},
            )
        reason = Reason.EXCEPTION if tested.fault else Reason.WRONG_ANSWER
        return Outcome.INCORRECT, reason, report, {"error": tested.fault, "said": tested.said}

    def _of(self, tested: _Tested, names: Sequence[str]) -> dict[str, bool]:
        trusted = not (tested.forged or tested.limit or tested.fault)
        return {name: trusted and tested.passed.get(name, False) for name in names}

    def _tested(self, issue: Issue, source: Source, patch: str | None) -> _Tested:
        canary, nonce = secrets.token_hex(8), secrets.token_hex(16)
        order = {"tests": issue.tests, "path": issue.path, "conftest": issue.conftest, "canary": canary, "nonce": nonce}
        files = {
            "base.tar": source.base,
            "guarded.tar": source.guarded,
            "inside.py": (_HERE / "repository_inside.py").read_bytes(),
            "tests.py": (_HERE / "repository_tests.py").read_bytes(),
            "order.json": json.dumps(order).encode(),
        }
        if patch is not None:
            files["model.patch"] = patch.encode("utf-8", "replace")
        plan = BoxPlan([self._python, "-I", "-B", "/in/inside.py"], self._places(), files, _QUIET)
        return _read(issue, run_in_box(plan, self._limits), canary, nonce)

    def _places(self) -> dict[str, str]:
        """Where the interpreter and its packages lie, asked of itself. Raises PythonUnusable."""
        if self._readable is None:
            asked = (
                "import sys, json, pytest; print(json.dumps([sys.executable, sys.prefix, sys.base_prefix, *sys.path]))"
            )
            try:
                done = subprocess.run([self._python, "-I", "-c", asked], capture_output=True, text=True, check=False)
            except OSError as error:
                raise PythonUnusable(f"{self._python} does not run: {error}") from None
            if done.returncode:
                raise PythonUnusable(f"{self._python} has no pytest: install it there, with what the repository needs")
            given = [os.path.abspath(place) for place in json.loads(done.stdout) if place]
            given += _links(self._python)
            places = [place for place in (*given, *map(os.path.realpath, given)) if os.path.isdir(place)]
            outer = [place for place in sorted(set(places)) if not place.startswith(("/usr/", "/bin/"))]
            self._readable = {one: one for one in outer if not any(one.startswith(f"{other}/") for other in outer)}
        return self._readable


def _links(executable: str) -> list[str]:
    """The folders that lead to an executable, link by link."""
    folders: list[str] = []
    place = os.path.abspath(shutil.which(executable) or executable)
    while os.path.islink(place) and len(folders) < 20:
        folders.append(os.path.dirname(place))
        place = os.path.normpath(os.path.join(folders[-1], os.readlink(place)))
    return [*folders, os.path.dirname(place)]


_QUIET = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _read(issue: Issue, run: BoxRun, canary: str, nonce: str) -> _Tested:
    """What came over the channel: one line of ours, and one of the test process with the nonce."""
    lines = run.channel.splitlines()
    said = run.stdout.decode("utf-8", "replace")[-2000:]
    try:
        first = json.loads(lines[0])
        applied, why = bool(first["applied"]), str(first["said"])
    except (IndexError, ValueError, KeyError, TypeError):
        error = run.stderr.decode("utf-8", "replace").strip()[-500:]
        raise VerifierBroken(f"issue {issue.key}: the repository is not laid out in the sandbox: {error}") from None
    if not applied:
        return _Tested({}, applied=False, said=why)
    if run.limit:
        return _Tested({}, limit=run.limit, said=said)
    try:
        [line] = lines[1:]
        result = json.loads(line)
        if result["nonce"] != nonce:
            return _Tested({}, forged=True, said=said)
        phases = {str(name): dict(value) for name, value in result["phases"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        fault = "the test process ended without a report" if len(lines) < 2 else None
        return _Tested({}, forged=fault is None, fault=fault, said=said)
    passed = {name: all(each.get(phase) == "passed" for phase in _PHASES) for name, each in phases.items()}
    return _Tested(
        {name: passed.get(name, False) for name in issue.tests}, forged=not _honest(passed, canary), said=said
    )


def _honest(passed: Mapping[str, bool], canary: str) -> bool:
    """Whether the four tests of random names did what they must, first and last of all."""
    wanted = {
        f"test_{place}_{canary}.py::test_{what}_{canary}": what == "pass"
        for place in ("first", "last")
        for what in ("pass", "fail")
    }
    return all(passed.get(name) is expected for name, expected in wanted.items())
