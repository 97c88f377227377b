"""The chain check: which equations it finds, and what it says of lucky answers."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.verifiers.arithmetic import equations
from workers.verifiers.chain_check import ChainCheck
from workers.verifiers.protocol import Judgement, Outcome, Problem, Reason


def _judge(completion: str, reference: str | None = "18") -> Judgement:
    return ChainCheck().judge(Problem("p", "?", reference_answer=reference), [completion])[0]


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("3 + 4 = 7", [True]), ("3 + 4 = 8", [False]), ("12 * 3 = 36", [True]), ("7 / 2 = 3.5", [True]),
        ("1 / 3 = 0.33", [False]), ("10 - 12 = -2", [True]), ("16 - 3 - 4 = 9", [True]), ("2 + 3 * 4 = 14", [True]),
        ("(2 + 3) * 4 = 20", [True]), ("1,200 * 2 = 2,400", [True]), ("$5 * 3 = $15", [True]), ("6 x 7 = 42", [True]),
        ("6 × 7 = 42", [True]), ("so 16 - 3 = <<16-3=13>>13 eggs", [True, True]), ("<<2*3=7>>", [False]),
        ("Step 1: 3 + 4 = 7", [True]), ("1. 3 + 4 = 7", [True]), ("- 3 + 4 = 7", [True]), ("0.1 + 0.2 = 0.3", [True]),
        ("4 + 3 = 7 = 14 / 2", [True, True]), ("x = 5", []), ("5 = 5", []), ("no numbers", []), ("4 / 0 = 1", [False]),
        ("3 + = 7", []), ("= 3 + 4", []), ("3 + 4 =", []), ("7. So 3 + 4 = 7.", [True]), ("", []),
    ],
)  # fmt: skip
def test_equations_are_found_and_evaluated(line: str, holds: list[bool]) -> None:
    assert [equation.holds for equation in equations(line)] == holds


@given(st.integers(-999, 999), st.sampled_from("+-*/"), st.integers(1, 999), st.integers(-9, 9))
def test_exactly_the_true_equations_hold(a: int, op: str, b: int, off: int) -> None:
    value = {"+": Fraction(a + b), "-": Fraction(a - b), "*": Fraction(a * b), "/": Fraction(a, b)}[op]
    if value.denominator == 1:
        (equation,) = equations(f"{a} {op} {b} = {value + off}")
        assert equation.holds == (off == 0)


def test_a_worked_answer_is_correct() -> None:
    assert _judge("16 - 7 = 9\n9 * 2 = 18\n#### 18").outcome is Outcome.CORRECT


def test_a_lucky_answer_is_not() -> None:
    judgement = _judge("16 - 7 = 8\n9 * 2 = 18\n#### 18")
    assert (judgement.outcome, judgement.reason, judgement.answer) == (Outcome.INCORRECT, Reason.WRONG_ANSWER, "18")
    assert judgement.detail is not None
    assert judgement.detail["equation"] == "16 - 7 = 8"


def test_the_chain_must_exist_and_lead_to_the_answer() -> None:
    assert (_judge("#### 18").detail or {})["fault"] == "no worked equation"
    assert (_judge("9 * 2 = 18\n18 + 1 = 19\n#### 18").detail or {})["fault"].startswith("the last equation")
    wrong = _judge("9 + 2 = 11\n#### 11")
    assert (wrong.reason, wrong.answer) == (Reason.WRONG_ANSWER, "11")


def test_no_answer_and_no_reference() -> None:
    assert _judge("9 * 2 = 18").reason is Reason.NO_ANSWER
    assert _judge("9 * 2 = 18\n#### 18", None).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    "hostile",
    [
        "9" * 100_000 + " * " + "9" * 100_000 + " = 1",
        " * ".join(["9" * 39] * 5_000) + " = 1",
        "(" * 50_000 + "1 = 1",
        "1 + " * 50_000 + "1 = 50001",
        "1 = " * 50_000 + "1",
        "- " * 50_000 + "1 = 1",
        "1 + 1 = 2\n" * 100_000,
        "1/7" * 50 + "=" + "1/7" * 50,
    ],
)
def test_hostile_arithmetic_takes_no_time(hostile: str) -> None:
    begun = time.process_time()
    _judge(hostile + "\n#### 18")
    assert time.process_time() - begun < 2.0
