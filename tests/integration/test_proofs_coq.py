"""Real Coq on real proofs, right, wrong and hostile: what compiles is not what is proved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from workers.errors import VerifierBroken
from workers.verifiers import open_verifier
from workers.verifiers.coq_proof import CoqProof
from workers.verifiers.protocol import Judgement, Outcome, Problem, Reason

pytestmark = [
    pytest.mark.skipif(shutil.which("coqc") is None, reason="no coqc: apt install coq"),
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="no bwrap: apt install bubblewrap"),
]

STATEMENT = "forall n : nat, n + 0 = n"
HEAD = f"Theorem add_zero : {STATEMENT}.\n"
PROOF = "Proof. intros n. induction n as [|n step]; simpl; [reflexivity | rewrite step; reflexivity]. Qed.\n"


@pytest.fixture(scope="module")
def coq() -> Iterator[CoqProof]:
    verifier = CoqProof()
    yield verifier
    verifier.close()


def _problem(**metadata: str) -> Problem:
    return Problem("p", "Prove it.", metadata={"theorem": "add_zero", "statement": STATEMENT} | metadata)


def _judge(coq: CoqProof, text: str, **metadata: str) -> Judgement:
    return coq.judge(_problem(**metadata), [text])[0]


@pytest.mark.parametrize(
    "text",
    [
        HEAD + PROOF,
        PROOF,
        "intros n; induction n; simpl; auto.",
        f"Here it is:\n```coq\n{HEAD}{PROOF}```\nDone.",
        "Lemma own : forall n, n + 0 = n. Proof. induction n; simpl; congruence. Qed.\n" + HEAD + "exact own. Qed.",
        "Definition add_zero (n : nat) : n + 0 = n := eq_sym (plus_n_O n).",
        "From Coq Require Import Lia.\n" + HEAD + "Proof. intros; lia. Qed.",
        "Axiom unused : False.\n" + HEAD + PROOF,
    ],
)
def test_proofs_pass(coq: CoqProof, text: str) -> None:
    judged = _judge(coq, text)
    assert (judged.outcome, judged.reason) == (Outcome.CORRECT, None), judged.detail


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + "Proof. Admitted.", Reason.FORBIDDEN),
        (HEAD + "Proof. admit. Admitted.", Reason.FORBIDDEN),
        (f"Axiom add_zero : {STATEMENT}.", Reason.FORBIDDEN),
        ("Axiom cheat : False.\n" + HEAD + "Proof. destruct cheat. Qed.", Reason.FORBIDDEN),
        ("Parameter cheat : forall A : Prop, A.\n" + HEAD + "exact (cheat _). Qed.", Reason.FORBIDDEN),
        ("Unset Guard Checking.\nFixpoint add_zero (n : nat) : n + 0 = n := add_zero n.", Reason.FORBIDDEN),
        (
            "Unset Positivity Checking.\nInductive bad := mk : (bad -> False) -> bad.\n"
            "Definition no (b : bad) : False := match b with mk f => f b end.\n" + HEAD + "destruct (no (mk no)). Qed.",
            Reason.FORBIDDEN,
        ),
        (
            'Set Warnings "-all".\nUnset Universe Checking.\nDefinition T := Type. ' + HEAD + "Admitted.",
            Reason.FORBIDDEN,
        ),
        (
            'Notation "x = y" := (True) (only parsing).\nTheorem add_zero : forall n : nat, n + 0 = n.\n'
            "Proof. intros; exact I. Qed.",
            None,
        ),
        ("Definition nat := unit. Theorem add_zero : forall n : nat, n = n. reflexivity. Qed.", Reason.WRONG_ANSWER),
        ("Theorem add_zero : True. exact I. Qed.", Reason.WRONG_ANSWER),
        ("Module M. " + HEAD + PROOF + " End M.", Reason.WRONG_ANSWER),
        ('Redirect "leak" Print nat.\n' + HEAD + PROOF, Reason.FORBIDDEN),
        (
            'From Coq Require Extraction.\nExtraction "stolen.ml" negb.\n' + HEAD + PROOF,
            Reason.FORBIDDEN,
        ),
        ('Redirect "/tmp/leak" Print nat.\n' + HEAD + PROOF, Reason.COMPILE_ERROR),
        (HEAD + "Proof. intros; reflexivity. Qed.", Reason.COMPILE_ERROR),
        (HEAD + "Proof. Abort.", Reason.WRONG_ANSWER),
        (HEAD.replace("+ 0", "+ 1") + "Admitted.", Reason.WRONG_ANSWER),
        ("Drop.", Reason.COMPILE_ERROR),
        ("", Reason.NO_ANSWER),
        ("I do not know.", Reason.COMPILE_ERROR),
    ],
)
def test_everything_else_is_refused(coq: CoqProof, text: str, reason: Reason | None) -> None:
    judged = _judge(coq, text)
    assert judged.outcome is Outcome.INCORRECT, judged.detail
    assert reason is None or judged.reason is reason, judged.detail


def test_a_proof_that_never_ends(coq: CoqProof) -> None:
    short = CoqProof(cpu_seconds=2, wall_seconds=60)
    judged = _judge(short, HEAD + "Proof. do 2000000000 idtac. Qed.")
    assert (judged.outcome, judged.reason) == (Outcome.INCORRECT, Reason.CPU_TIME), judged.detail


def test_axioms_that_are_allowed() -> None:
    statement = "forall P : Prop, P \\/ ~ P"
    problem = Problem("p", "", metadata={"theorem": "middle", "statement": statement})
    text = f"Require Import Classical.\nTheorem middle : {statement}. Proof. exact classic. Qed."
    assert CoqProof().judge(problem, [text])[0].reason is Reason.FORBIDDEN
    judged = CoqProof(axioms=["Classical_Prop.classic", "classic"]).judge(problem, [text])[0]
    assert judged.outcome is Outcome.CORRECT, judged.detail
    own = f"Axiom classic : forall P : Prop, P.\nTheorem middle : {statement}. Proof. intros; apply classic. Qed."
    assert CoqProof(axioms=["classic"]).judge(problem, [own])[0].reason is Reason.FORBIDDEN


def test_definitions_of_the_problem_are_the_problems(coq: CoqProof) -> None:
    own = {
        "header": "From Coq Require Import Arith.",
        "definitions": "Inductive even : nat -> Prop := zero : even 0 | next n : even n -> even (S (S n)).",
        "statement": "even 4",
    }
    assert _judge(coq, "repeat constructor.", **own).outcome is Outcome.CORRECT
    cheat = "Inductive even : nat -> Prop := all n : even n.\nTheorem add_zero : even 4. exact (all 4). Qed."
    assert _judge(coq, cheat, **own).reason is Reason.WRONG_ANSWER


def test_a_broken_problem_is_not_the_samples_fault(coq: CoqProof) -> None:
    with pytest.raises(VerifierBroken, match="does not compile"):
        _judge(coq, HEAD + PROOF, statement="forall n : nat, n + = n")
    with pytest.raises(VerifierBroken, match="do not compile"):
        _judge(coq, HEAD + PROOF, definitions="Definition broken := .")
    with pytest.raises(VerifierBroken, match="statement"):
        coq.judge(Problem("p", ""), [PROOF])


def test_it_is_opened_by_name() -> None:
    assert open_verifier("coq").version.startswith("1+coq8")
