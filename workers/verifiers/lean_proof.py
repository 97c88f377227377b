"""Proofs in Lean 4: the whole file is elaborated cold, in a sandbox, and asked which axioms its theorem rests on.

Exit status 0 says little (`sorry` is a warning, an `axiom` is none). So the question is put in a second file, in a
fresh sandbox, which imports the problem's statement, compiled without the submission, and the submission's module.
Syntax that a module declares is alive wherever it is imported, `#print axioms` included, so a submission that declares
any is refused. Where a REPL is configured (its header imported once) it only sorts out what fails anyway; whatever it
lets pass is checked cold.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from store.errors import PassatkError
from workers.errors import VerifierBroken
from workers.sandbox.box import BoxLimits, BoxPlan, BoxRun, run_in_box
from workers.verifiers.in_sandbox import clean
from workers.verifiers.lean_repl import LeanRepl
from workers.verifiers.proof_texts import proof_text
from workers.verifiers.protocol import Environment, Judgement, Outcome, Problem, Reason

#: Axioms of Lean's own logic; every proof in Mathlib may rest on them.
STANDARD_AXIOMS = ("propext", "Classical.choice", "Quot.sound")
_NAME = re.compile(r"[A-Za-z_][\w.']*")
_RESTS = re.compile(r"'passatk_verdict' (?:depends on axioms: \[([^\]]*)\]|does not depend on any axioms)")
_SORRY = re.compile(r"declaration uses [`']sorry[`']")
#: Commands and attributes by which a module changes what later modules mean, or steps around the kernel.
_META = re.compile(
    r"(?<![\w.'])(?:macro|macro_rules|elab|elab_rules|syntax|declare_syntax_cat|notation|notation3|infix[lr]?|prefix|"
    r"postfix|run_cmd|run_elab|run_meta|initialize|builtin_initialize|unsafe|implemented_by|extern|import|"
    r"command_elab|command_parser|term_elab|term_parser|addDecl|CommandElab|TermElab|Parser|debug)(?![\w'])|#eval"
)
_COMPILE = """
cp /in/* . && LEAN_PATH=/scratch:$LEAN_PATH {lean} -o {module}.olean {module}.lean >said 2>&1; status=$?
head -c 8000 said
[ $status = 0 ] && cat {module}.olean >&3
exit $status
"""
_CHECK = "cp /in/* . && LEAN_PATH=/scratch:$LEAN_PATH exec {lean} {module}.lean"


class LeanMissing(PassatkError):
    """Lean is not installed."""


class LeanProof:
    """Verifier `lean`: correct when the completion proves the problem's statement from the allowed axioms alone.

    `lean` is the executable (default: the one on PATH); `project` a folder with Lake's packages built (Mathlib), whose
    `lake env` names the search path; `repl` the command of a warm REPL there. The problem names `theorem`,
    `statement` and `header` (imports, `open`) in its metadata. Raises LeanMissing where no Lean is found.
    """

    name = "lean"
    expensive = True

    def __init__(
        self,
        lean: str | None = None,
        project: str | None = None,
        repl: Sequence[str] | None = None,
        axioms: Sequence[str] = STANDARD_AXIOMS,
        cpu_seconds: float = 120.0,
        wall_seconds: float = 300.0,
        memory_bytes: int = 16 << 30,
    ) -> None:
        self._lean = _found_lean(lean)
        self._environment = _lake_environment(project)
        self.version = f"1+lean{_lean_version(self._lean)}"
        self.axioms = frozenset(axioms)
        self._limits = BoxLimits(cpu_seconds, wall_seconds, memory_bytes)
        self._readable = _readable(self._lean, project)
        warm = BoxLimits(24 * 3600, wall_seconds, memory_bytes)
        self._stated: tuple[tuple[str, str] | None, bytes] = (None, b"")
        self._repl = LeanRepl(BoxPlan(repl, self._readable, {}, self._environment), warm) if repl else None

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; identical texts are checked once. Raises VerifierBroken."""
        name, statement, header = _parts(problem)
        by = " by" if problem.prompt.rstrip().endswith(":= by") else ""
        opening = f"theorem {name} : {statement} :={by}"
        texts = [proof_text(one, name, opening, "") for one in completions]
        judged = {text: self._judge_one(name, statement, header, text) for text in dict.fromkeys(texts)}
        return [judged[text] for text in texts]

    def environment(self) -> Environment:
        """The container and what judges in it."""
        return Environment("bwrap", {"lean": self.version.partition("+lean")[2]})

    def close(self) -> None:
        """End the REPL."""
        if self._repl is not None:
            self._repl.close()

    def _judge_one(self, name: str, statement: str, header: str, text: str | None) -> Judgement:
        started = time.perf_counter()
        outcome, reason, detail = self._found(name, statement, header, text)
        detail |= {"sandbox": "bwrap", "limits": {"cpu_seconds": self._limits.cpu_seconds}}
        return Judgement(outcome, reason, seconds=time.perf_counter() - started, detail=clean(detail))

    def _found(
        self, name: str, statement: str, header: str, text: str | None
    ) -> tuple[Outcome, Reason | None, dict[str, Any]]:
        if text is None:
            return Outcome.INCORRECT, Reason.NO_ANSWER, {}
        body = _without_header(text, header)
        banned = _META.search(body)
        if banned is not None:
            return Outcome.INCORRECT, Reason.FORBIDDEN, {"error": f"the submission uses {banned[0]!r}"}
        if self._repl is not None and (error := self._repl.first_error(header, body)) is not None:
            return Outcome.INCORRECT, Reason.COMPILE_ERROR, {"said": error, "by": "repl"}
        compiled = self._run(_COMPILE, "Submission", {"Submission.lean": _wrapped(header, body).encode()})
        said = compiled.stdout.decode("utf-8", "replace")
        if not compiled.channel:
            reason = Reason(compiled.limit) if compiled.limit else Reason.COMPILE_ERROR
            return Outcome.INCORRECT, reason, {"said": said}
        if _SORRY.search(said):
            return Outcome.INCORRECT, Reason.FORBIDDEN, {"rests_on": ["sorryAx"], "said": said}
        return self._ask_what_it_proved(name, self._statement_module(statement, header), compiled.channel)

    def _statement_module(self, statement: str, header: str) -> bytes:
        """The statement compiled before any submission is there. Raises VerifierBroken where it does not compile."""
        if self._stated[0] != (statement, header):
            text = f"{header}\n\ndef PassatkStatement : Prop :=\n  {statement}\n"
            run = self._run(_COMPILE, "Statement", {"Statement.lean": text.encode()})
            if not run.channel:
                said = run.stdout.decode("utf-8", "replace")
                raise VerifierBroken(f"the statement does not compile in Lean: {said[:300] or run.stderr[:300]!r}")
            self._stated = (statement, header), run.channel
        return self._stated[1]

    def _ask_what_it_proved(
        self, name: str, statement: bytes, submission: bytes
    ) -> tuple[Outcome, Reason | None, dict[str, Any]]:
        files = {"Statement.olean": statement, "Submission.olean": submission}
        run = self._run(_CHECK, "Verdict", files | {"Verdict.lean": _VERDICT.format(name=name).encode()})
        if run.limit:
            return Outcome.INCORRECT, Reason(run.limit), {}
        said = run.stdout.decode("utf-8", "replace")
        answers: list[str] = _RESTS.findall(said)
        if run.returncode != 0 or len(answers) != 1:
            return Outcome.INCORRECT, Reason.WRONG_ANSWER, {"said": said}
        rests = [axiom.strip() for axiom in answers[0].split(",") if axiom.strip()]
        refused = [axiom for axiom in rests if axiom not in self.axioms]
        if refused:
            return Outcome.INCORRECT, Reason.FORBIDDEN, {"rests_on": refused}
        return Outcome.CORRECT, None, {"rests_on": rests}

    def _run(self, script: str, module: str, files: dict[str, bytes]) -> BoxRun:
        command = ["/bin/sh", "-c", script.format(lean=f"'{self._lean}'", module=module)]
        return run_in_box(BoxPlan(command, self._readable, files, self._environment), self._limits)


_VERDICT = """import Statement
import Submission
theorem passatk_verdict : PassatkStatement := @PassatkSubmission.{name}
#print axioms passatk_verdict
"""


def _wrapped(header: str, body: str) -> str:
    """The submission in a namespace of its own, so that it can shadow nothing of the trusted file."""
    return f"{header}\n\nnamespace PassatkSubmission\n\n{body}\n\nend PassatkSubmission\n"


def _without_header(text: str, header: str) -> str:
    """Models repeat the header they were given: its lines are not said twice."""
    given = {line.strip() for line in header.splitlines() if line.strip()}
    return "\n".join(line for line in text.splitlines() if line.strip() not in given)


def _parts(problem: Problem) -> tuple[str, str, str]:
    metadata = problem.metadata
    name, statement = metadata.get("theorem") or problem.entry_point, metadata.get("statement")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not isinstance(statement, str):
        raise VerifierBroken(f"problem {problem.key}: lean needs `theorem` (a name) and `statement` in its metadata")
    return name, statement.strip(), str(metadata.get("header") or "").strip()


def _found_lean(lean: str | None) -> str:
    found = shutil.which(lean or "lean")
    if found is None:
        raise LeanMissing(
            f"verifier lean needs Lean 4 and found no {lean or 'lean'!r}: install elan "
            "(https://lean-lang.org/install) or name the executable, as in --option lean=/path/to/lean"
        )
    # elan's shim starts a toolchain below the user's home, which no sandbox shows: the real executable is asked for.
    if os.path.basename(os.path.realpath(found)) == "elan":
        prefix = subprocess.run([found, "--print-prefix"], capture_output=True, text=True, check=False).stdout.strip()
        found = os.path.join(prefix, "bin", "lean")
    return os.path.realpath(found)


def _lean_version(lean: str) -> str:
    said = subprocess.run([lean, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version ([\w.+-]+)", said)
    if match is None:
        raise LeanMissing(f"{lean} does not say which version of Lean it is: {said[:100]!r}")
    return match[1]


def _lake_environment(project: str | None) -> Mapping[str, str]:
    """LEAN_PATH of a Lake project with its packages built."""
    if project is None:
        return {}
    lake = shutil.which("lake")
    if lake is None:
        raise LeanMissing(f"project {project} needs Lake, which comes with Lean 4: install elan")
    done = subprocess.run([lake, "env"], cwd=project, capture_output=True, text=True, check=False)
    paths = [line.partition("=")[2] for line in done.stdout.splitlines() if line.startswith("LEAN_PATH=")]
    if done.returncode or not paths:
        raise LeanMissing(
            f"`lake env` in {project} names no LEAN_PATH: {done.stderr.strip()[:200] or 'build it first'}"
        )
    return {"LEAN_PATH": paths[0]}


def _readable(lean: str, project: str | None) -> dict[str, str]:
    """Lean's installation and the project, at their own places."""
    places = [str(Path(lean).parent.parent)] + ([str(Path(project).resolve())] if project else [])
    return {place: place for place in places if not place.startswith("/usr")}
