"""The Lean verifier against FAKE_LEAN: a shell script that answers in Lean's words. Real Lean is not tested.

What is tested is this side: which files are laid out, what is asked, how answers are read, what is refused. Whether a
real Lean agrees is not.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from workers.errors import VerifierBroken
from workers.verifiers.lean_proof import LeanMissing, LeanProof
from workers.verifiers.protocol import Outcome, Problem, Reason

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="no bwrap: apt install bubblewrap")

#: Elaborates nothing: it looks for words, and keeps a module as the text it came from.
FAKE_LEAN = r"""#!/bin/sh
if [ "$1" = --version ]; then
    echo "Lean (version 4.99.0-fake, x86_64-unknown-linux-gnu, commit 0, Release)"; exit 0
fi
if [ "$1" = -o ]; then
    if grep -q "type_error" "$3"; then
        echo "$3:3:2: error: type mismatch"; exit 1
    fi
    if grep -q "loop_forever" "$3"; then while :; do :; done; fi
    grep -q "sorry" "$3" && echo "$3:3:8: warning: declaration uses 'sorry'"
    cp "$3" "$2"; exit 0
fi
statement=$(sed -n 's/^  //p' Statement.olean)
wanted=$(sed -n 's/.*@PassatkSubmission\.//p' "$1")
if ! grep -qF "theorem $wanted : $statement :=" Submission.olean; then
    echo "$1:3:47: error: type mismatch"; exit 1
fi
axioms=propext
grep -q "by cheat" Submission.olean && axioms="propext, PassatkSubmission.cheat"
grep -q "by native_decide" Submission.olean && axioms="Lean.ofReduceBool"
grep -q "by rfl" Submission.olean && { echo "'passatk_verdict' does not depend on any axioms"; exit 0; }
echo "'passatk_verdict' depends on axioms: [$axioms]"
"""

FAKE_REPL = """#!/bin/sh
said=
while IFS= read -r line; do
    if [ -n "$line" ]; then said="$said$line"; continue; fi
    case "$said" in
        *unknown*) echo '{"env": 0, "messages": [{"severity": "error", "data": "unknown identifier"}]}' ;;
        *) echo '{"env": 0}' ;;
    esac
    echo
    said=
done
"""

STATEMENT = "2 + 2 = 4"
OPENING = f"theorem four : {STATEMENT} :="


@pytest.fixture
def installation() -> Iterator[Path]:
    """A folder that the sandbox's user may read, as an installation is."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "bin").mkdir(mode=0o755)
        for file, text in ("lean", FAKE_LEAN), ("repl", FAKE_REPL):
            (root / "bin" / file).write_text(text)
            (root / "bin" / file).chmod(0o755)
        yield root


def _verifier(installation: Path, **options: object) -> LeanProof:
    return LeanProof(lean=str(installation / "bin" / "lean"), memory_bytes=2 << 30, **options)


def _problem(header: str = "") -> Problem:
    return Problem("p", "Prove it.", metadata={"theorem": "four", "statement": STATEMENT, "header": header})


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        (f"{OPENING} by rfl", Outcome.CORRECT, None),
        (f"{OPENING} by simp", Outcome.CORRECT, None),
        (f"```lean4\n{OPENING} by simp\n```", Outcome.CORRECT, None),
        ("by simp", Outcome.CORRECT, None),
        (f"{OPENING} by sorry", Outcome.INCORRECT, Reason.FORBIDDEN),
        (f"axiom cheat : False\n{OPENING} by cheat", Outcome.INCORRECT, Reason.FORBIDDEN),
        (f"{OPENING} by native_decide", Outcome.INCORRECT, Reason.FORBIDDEN),
        ("theorem four : True := by simp", Outcome.INCORRECT, Reason.WRONG_ANSWER),
        (f"{OPENING} by type_error", Outcome.INCORRECT, Reason.COMPILE_ERROR),
        (f'macro "x" : tactic => `(tactic| rfl)\n{OPENING} by simp', Outcome.INCORRECT, Reason.FORBIDDEN),
        (f"#eval 1\n{OPENING} by simp", Outcome.INCORRECT, Reason.FORBIDDEN),
        (f"import Lean\n{OPENING} by simp", Outcome.INCORRECT, Reason.FORBIDDEN),
        (f"@[implemented_by f] def x := 1\n{OPENING} by simp", Outcome.INCORRECT, Reason.FORBIDDEN),
        ("", Outcome.INCORRECT, Reason.NO_ANSWER),
    ],
)
def test_what_is_asked_and_how_answers_are_read(
    installation: Path, text: str, outcome: Outcome, reason: Reason | None
) -> None:
    [judged] = _verifier(installation).judge(_problem(), [text])
    assert (judged.outcome, judged.reason) == (outcome, reason), judged.detail


@pytest.mark.parametrize("text", ["  simp", "by simp", f"{OPENING} by simp"])
def test_a_prompt_that_ends_in_by_is_continued(installation: Path, text: str) -> None:
    problem = replace(_problem(), prompt=f"{OPENING} by\n")
    [judged] = _verifier(installation).judge(problem, [text])
    assert judged.outcome is Outcome.CORRECT, judged.detail


def test_the_header_is_said_once(installation: Path) -> None:
    header = "import Mathlib\nopen Nat"
    [judged] = _verifier(installation).judge(_problem(header), [f"{header}\n{OPENING} by simp"])
    assert judged.outcome is Outcome.CORRECT, judged.detail


def test_one_that_never_ends(installation: Path) -> None:
    [judged] = _verifier(installation, cpu_seconds=1).judge(_problem(), [f"{OPENING} by loop_forever"])
    assert (judged.outcome, judged.reason) == (Outcome.INCORRECT, Reason.CPU_TIME)


def test_a_warm_repl_only_refuses(installation: Path) -> None:
    verifier = _verifier(installation, repl=[str(installation / "bin" / "repl")])
    refused, passed, sorry = verifier.judge(
        _problem(), [f"{OPENING} by unknown", f"{OPENING} by simp", f"{OPENING} by sorry"]
    )
    assert (refused.reason, json.dumps(dict(refused.detail or {}))[:40]) == (
        Reason.COMPILE_ERROR,
        '{"said": "unknown identifier", "by": "re',
    )
    assert passed.outcome is Outcome.CORRECT
    assert sorry.reason is Reason.FORBIDDEN
    verifier.close()


def test_a_problem_without_a_statement_is_the_problems_fault(installation: Path) -> None:
    with pytest.raises(VerifierBroken, match="statement"):
        _verifier(installation).judge(Problem("p", ""), ["by simp"])


def test_without_lean_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LeanMissing, match="install elan") as error:
        LeanProof()
    assert "\n" not in str(error.value)
