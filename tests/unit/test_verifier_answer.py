"""The final-answer verifier: extraction, normal form, and agreement with published judgements."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from store.errors import PassatkError
from workers.verifiers import VERIFIERS, default_verifier, open_verifier
from workers.verifiers.answer_match import AnswerMatch, extract_number, normalise_number
from workers.verifiers.protocol import Outcome, Problem, Reason

SHARED = Path(os.environ.get("PASSATK_SHARED_DATA", Path(__file__).parents[2] / "../shared/data"))


def _judge(reference: str | None, completion: str, **options: object) -> tuple[str, str | None, str | None]:
    judgement = open_verifier("answer", options).judge(Problem("p", "?", reference_answer=reference), [completion])[0]
    return judgement.outcome.value, judgement.reason and judgement.reason.value, judgement.answer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("18", "18"), ("18.0", "18"), ("18.", "18"), ("$1,080.50", "1080.5"), ("007", "7"), ("-3", "-3"), ("-0", "0"),
        ("0.50", "0.5"), (".5", "0.5"), ("-$5", "-5"), ("1,000,000", "1000000"), ("", None), (".", None), ("$", None),
        ("1.2.3", None), ("twelve", None), ("9" * 301, None), ("٣", None),
    ],
)  # fmt: skip
def test_numbers_have_one_spelling(text: str, number: str | None) -> None:
    assert normalise_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("so 9 * 2 = 18\n#### 18", "18"), ("#### 18\n#### 19", "18"), ("#### $1,234.", "1234"), ("#### -7", "-7"),
        ("steps\nA: 26", "26"), ("steps\nA:26", "26"), ("A: 5\n#### 6", "6"), ("####18", None),
        ("the answer is 18", None),
        ("NA: 5", None), ("#### none", None), ("#### .", None), ("", None),
    ],
)  # fmt: skip
def test_the_marker_decides(text: str, number: str | None) -> None:
    assert extract_number(text) == number


def test_the_last_number_is_taken_only_when_asked_for() -> None:
    text = "He pays $1,250 for 5 of them, so 250 each."
    assert extract_number(text) is None
    assert extract_number(text, ("hash", "last_number")) == "250"
    assert AnswerMatch(("hash", "last_number")).version != AnswerMatch().version


def test_outcomes() -> None:
    assert _judge("#### 18", "#### 18.0") == ("correct", None, "18")
    assert _judge("18", "#### $18") == ("correct", None, "18")
    assert _judge("Janet ...\n#### 18", "#### 17") == ("incorrect", "wrong_answer", "17")
    assert _judge("18", "I do not know") == ("incorrect", "no_answer", None)
    assert _judge(None, "#### 18") == ("undecided", "verifier_error", "18")


def test_answers_in_words_are_compared_as_words() -> None:
    assert _judge("Paris", "I think.\n####  PARIS ") == ("correct", None, "paris")
    assert _judge("Paris", "#### Rome") == ("incorrect", "wrong_answer", "rome")
    assert _judge("Paris", "Paris") == ("incorrect", "no_answer", None)


def test_judgements_come_in_order() -> None:
    problem = Problem("p", "?", reference_answer="2")
    judgements = AnswerMatch().judge(problem, ["#### 1", "#### 2", "none"])
    assert [judgement.outcome for judgement in judgements] == [
        Outcome.INCORRECT,
        Outcome.CORRECT,
        Outcome.INCORRECT,
    ]
    assert judgements[2].reason is Reason.NO_ANSWER


def test_published_judgements_agree() -> None:
    path = SHARED / "gsm8k_odd_lines_model_solutions.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no data at {path}")
    verifier, judged = AnswerMatch(), 0
    with gzip.open(path, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            problem = Problem("p", row["question"], reference_answer=row["ground_truth"])
            for solution in (value for value in row.values() if isinstance(value, dict)):
                outcome = verifier.judge(problem, [solution["solution"]])[0].outcome
                assert (outcome is Outcome.CORRECT) == solution["is_correct"], solution
                judged += 1
    assert judged == 2640


def test_verifiers_open_by_name() -> None:
    assert set(VERIFIERS) >= {"answer", "chain", "unit-tests"}
    for name in ("answer", "chain", "unit-tests", "math"):  # others need what a machine may lack
        verifier = open_verifier(name)
        assert verifier.name == name
        verifier.close()
    with pytest.raises(PassatkError, match=r"'oracle' is unknown: choose among answer, chain"):
        open_verifier("oracle")
    with pytest.raises(PassatkError, match="does not take"):
        open_verifier("answer", {"depth": 3})
    with pytest.raises(PassatkError, match="style"):
        open_verifier("answer", {"styles": ["boxed"]})


def test_every_benchmark_format_has_a_verifier() -> None:
    assert [default_verifier(form) for form in ("gsm8k", "humaneval", "jsonl")] == ["answer", "unit-tests", "answer"]
    with pytest.raises(PassatkError, match=r"choose among alpacaeval, codecontests, gsm8k"):
        default_verifier("chess")
