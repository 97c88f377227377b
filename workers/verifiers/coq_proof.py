"""Proofs in Coq (Rocq), checked twice: the submission compiles in one sandbox, a fresh one asks what it proved.

`coqc` exits 0 on `Admitted`, on axioms, without its guard and under changed notations, so its exit status is evidence
of nothing. The second sandbox states the problem before it loads the submission, gives the submission's theorem as its
proof, and reads from the kernel which assumptions that rests on.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from store.errors import PassatkError
from workers.errors import VerifierBroken
from workers.sandbox.box import BoxLimits, BoxPlan, BoxRun, run_in_box
from workers.verifiers.in_sandbox import clean
from workers.verifiers.proof_texts import proof_text
from workers.verifiers.protocol import Environment, Judgement, Outcome, Problem, Reason

_CLOSED = "Closed under the global context"
#: Coq looks for its plug-ins by what Debian's OCaml says here.
_SETTINGS = {place: place for place in ("/etc/ocamlfind.conf", "/etc/ocamlfind.conf.d") if os.path.exists(place)}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_']*")
_AXIOM = re.compile(r"^([A-Za-z_][\w.']*)(?: :.*)?$")

_COMPILE = """
cp /in/*.v . && {problem} coqc -q submission.v >said 2>&1; status=$?
head -c 4000 said; rm -f said
[ -f submission.vo ] || exit $status
ls -A | tr '\\n' ' ' >&2
cat submission.vo >&3
"""
_CHECK = "cp /in/* . && {problem} exec coqc -q verdict.v"
_PROBLEM = "{ coqc -q problem.v >said 2>&1 || { printf broken >&3; cat said; exit 9; }; } &&"
_BROKEN = b"broken"


class CoqMissing(PassatkError):
    """Coq is not installed."""


@dataclass(frozen=True)
class _Task:
    """A problem's theorem: its name, its statement, what both sandboxes say first, definitions of its own."""

    name: str
    statement: str
    header: str
    definitions: str | None


class CoqProof:
    """Verifier `coq`: correct when the completion proves the problem's statement from the allowed axioms alone.

    The problem names `theorem`, `statement` (a type), and where needed `header` (imports, scopes) and `definitions`
    (compiled before the submission) in its metadata. `axioms` are those a proof may rest on, as Coq prints them.
    Raises CoqMissing where no coqc is installed.
    """

    name = "coq"
    expensive = True

    def __init__(
        self,
        axioms: Sequence[str] = (),
        cpu_seconds: float = 60.0,
        wall_seconds: float = 180.0,
        memory_bytes: int = 4 << 30,
    ) -> None:
        self.version = f"1+coq{coq_version()}"
        self.axioms = frozenset(axioms)
        self._limits = BoxLimits(cpu_seconds, wall_seconds, memory_bytes)
        self._checked = False

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; identical texts are checked once. Raises VerifierBroken."""
        task = _task_of(problem)
        self._check_tools()
        texts = [proof_text(one, task.name, f"Theorem {task.name} : {task.statement}.", "Qed.") for one in completions]
        judged = {text: self._judge_one(task, text) for text in dict.fromkeys(texts)}
        return [judged[text] for text in texts]

    def environment(self) -> Environment:
        """The container and what judges in it."""
        return Environment("bwrap", {"coq": self.version.partition("+coq")[2]})

    def close(self) -> None:
        """Nothing is held open."""

    def _check_tools(self) -> None:
        """Raise VerifierBroken unless a plain proof passes and an admitted one does not."""
        if self._checked:
            return
        control = _Task("passatk_control", "forall n : nat, n = n", "", None)
        for proof, expected in ("reflexivity. Qed.", Outcome.CORRECT), ("Admitted.", Outcome.INCORRECT):
            found = self._found(control, f"Theorem passatk_control : forall n : nat, n = n.\nProof. {proof}")
            if found[0] is not expected:
                raise VerifierBroken(f"coqc misjudges a control proof inside the sandbox: {found[2]}")
        self._checked = True

    def _judge_one(self, task: _Task, text: str | None) -> Judgement:
        started = time.perf_counter()
        outcome, reason, detail = self._found(task, text)
        detail |= {"sandbox": "bwrap", "limits": {"cpu_seconds": self._limits.cpu_seconds}}
        return Judgement(outcome, reason, seconds=time.perf_counter() - started, detail=clean(detail))

    def _found(self, task: _Task, text: str | None) -> tuple[Outcome, Reason | None, dict[str, Any]]:
        if text is None:
            return Outcome.INCORRECT, Reason.NO_ANSWER, {}
        compiled = self._run(_COMPILE, task, {"submission.v": f"{_first_lines(task)}{text}\n".encode()})
        if compiled.channel == _BROKEN:
            raise VerifierBroken(f"the definitions of {task.name} do not compile: {_text(compiled.stdout)[:300]}")
        if not compiled.channel:
            reason = Reason(compiled.limit) if compiled.limit else Reason.COMPILE_ERROR
            return Outcome.INCORRECT, reason, {"said": _text(compiled.stdout)}
        stray = _stray_files(_text(compiled.stderr))
        if stray:
            return Outcome.INCORRECT, Reason.FORBIDDEN, {"error": f"the submission wrote files: {', '.join(stray)}"}
        return self._ask_what_it_proved(task, compiled.channel)

    def _ask_what_it_proved(self, task: _Task, compiled: bytes) -> tuple[Outcome, Reason | None, dict[str, Any]]:
        files = {"submission.vo": compiled, "verdict.v": _verdict_file(task).encode()}
        run = self._run(_CHECK, task, files)
        rests, said = _text(run.stdout).strip(), _text(run.stderr)
        if run.returncode != 0 or not rests:
            if run.limit:
                return Outcome.INCORRECT, Reason(run.limit), {"said": said}
            line = re.search(r'File "\./verdict\.v", line (\d+)', said)
            if line is None or int(line[1]) < _lines_before_submission(task):
                raise VerifierBroken(f"the statement of {task.name} does not compile: {said[:300]}")
            return Outcome.INCORRECT, Reason.WRONG_ANSWER, {"said": said}
        refused = self._refused(rests)
        if refused:
            return Outcome.INCORRECT, Reason.FORBIDDEN, {"rests_on": refused}
        return Outcome.CORRECT, None, {"rests_on": sorted(self.axioms & set(_names(rests)))}

    def _refused(self, rests: str) -> list[str]:
        """What the theorem rests on and may not: axioms that are not allowed, and every other remark of the kernel."""
        if rests == _CLOSED:
            return []
        first, *lines = rests.splitlines()
        if first != "Axioms:":
            return [rests[:300]]
        # A line that is indented goes on with the type of the axiom above.
        heads = [line for line in lines if line and not line[0].isspace()]
        return [head for head in heads if (match := _AXIOM.match(head)) is None or match[1] not in self.axioms]

    def _run(self, script: str, task: _Task, files: dict[str, bytes]) -> BoxRun:
        problem = ""
        if task.definitions is not None:
            files, problem = files | {"problem.v": f"{task.header}\n{task.definitions}\n".encode()}, _PROBLEM
        plan = BoxPlan(["/bin/sh", "-c", script.format(problem=problem)], _SETTINGS, files)
        return run_in_box(plan, self._limits)


def _task_of(problem: Problem) -> _Task:
    """Raises VerifierBroken for a problem without a theorem's name and statement."""
    metadata = problem.metadata
    name, statement = metadata.get("theorem") or problem.entry_point, metadata.get("statement")
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or not isinstance(statement, str):
        raise VerifierBroken(f"problem {problem.key}: coq needs `theorem` (a name) and `statement` in its metadata")
    definitions = metadata.get("definitions")
    return _Task(name, statement.strip(), str(metadata.get("header") or ""), str(definitions) if definitions else None)


def _first_lines(task: _Task) -> str:
    required = "Require Import problem.\n" if task.definitions is not None else ""
    return f"{task.header}\n{required}"


def _verdict_file(task: _Task) -> str:
    """The trusted file. The statement is fixed before the submission is loaded, and the submission never imported."""
    return f"""{_first_lines(task)}
Definition passatk_statement := ({task.statement}).
Require submission.
Definition passatk_proof : passatk_statement := submission.{task.name}.
Set Printing Width 10000.
Print Assumptions passatk_proof.
"""


def _lines_before_submission(task: _Task) -> int:
    return _verdict_file(task).partition("Require submission.")[0].count("\n") + 1


def _stray_files(listed: str) -> list[str]:
    own = {"submission", "problem", "said"}
    return [name for name in listed.split() if name.lstrip(".").partition(".")[0] not in own]


def _names(rests: str) -> list[str]:
    return [match[1] for line in rests.splitlines() if (match := _AXIOM.match(line.strip()))]


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


@functools.cache
def coq_version() -> str:
    """The installed version of Coq. Raises CoqMissing."""
    coqc = shutil.which("coqc")
    if coqc is None:
        raise CoqMissing("verifier coq needs Coq, which is not installed: apt install coq")
    said = subprocess.run([coqc, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version ([\w.+-]+)", said)
    return match[1] if match else "unknown"
