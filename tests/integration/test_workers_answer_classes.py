"""Answers that mean the same are one in votes, and every worker says the same of them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from store.answer_classes import add_classes, known_classes
from store.connection import transaction
from workers import verification
from workers.answer_classes import classified
from workers.planning import plan_judging
from workers.settings import WorkerSettings
from workers.verification import Verification
from workers.verifiers.math_answer import MathAnswer
from workers.verifiers.protocol import Problem

SETTINGS = WorkerSettings(broker_url=None, lease_seconds=60, patience_seconds=30)
TEXTS = [
    r"\boxed{2}",
    r"\boxed{\frac{4}{2}}",
    r"\boxed{3}",
    r"\boxed{\sqrt{9}}",
    "nothing",
    r"\boxed{x+1}",
    r"\boxed{1+x}",
]


@pytest.fixture
def judged(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run whose samples the math verifier has judged; its options keep the comparing process short-lived."""
    run = workshop.run(problems=2, samples=len(TEXTS))
    _, second = workshop.problems(run)
    workshop.draw(run, second, range(len(TEXTS)), TEXTS.__getitem__)
    _, batches = plan_judging(run, "math")
    court = Verification(SETTINGS)
    monkeypatch.setattr(verification, "the_verification", lambda: court)
    for batch in batches:
        court.run(batch)
    court.close()
    return workshop


def test_verdicts_carry_the_class_and_the_dictionary_is_stored(judged: Any) -> None:
    rows = judged.rows("SELECT outcome, answer, answer_class FROM store.verdicts ORDER BY sample_index")
    assert rows == [
        ("correct", "2", None),
        ("correct", r"\frac{4}{2}", "2"),
        ("incorrect", "3", None),
        ("incorrect", r"\sqrt{9}", "3"),
        ("incorrect", None, None),
        ("incorrect", "x+1", None),
        ("incorrect", "1+x", "x+1"),
    ]
    stored = judged.rows("SELECT answer, answer_class FROM store.answer_classes ORDER BY answer")
    assert dict(stored) == {
        "2": "2", r"\frac{4}{2}": "2", "3": "3", r"\sqrt{9}": "3", "x+1": "x+1", "1+x": "x+1",
    }  # fmt: skip


class _Slow:
    """Answers are equivalent when they have the same first letter; all callers meet before any of them is done."""

    def __init__(self, meeting: threading.Barrier) -> None:
        self._meeting: threading.Barrier | None = meeting

    def classes(self, _problem: Problem, answers: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
        if self._meeting is not None:
            meeting, self._meeting = self._meeting, None
            meeting.wait(30)
        heads = {head[0]: head for head in known.values()}
        return {answer: heads.setdefault(answer[0], answer) for answer in answers}


def test_workers_that_race_agree(workshop: Any) -> None:
    run = workshop.run(problems=1, samples=4)
    [problem_id] = workshop.problems(run)
    verifier_id = workshop.verifier("math", "test")
    meeting, found = threading.Barrier(4), {}

    def work(number: int) -> None:
        rows = [_row(run.run_id, problem_id, verifier_id, number, letter) for letter in "ab"]
        found[number] = classified(_Slow(meeting), Problem("p", ""), problem_id, verifier_id, rows)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for letter in (0, 1):
        assert len({row[letter].answer_class or row[letter].answer for row in found.values()}) == 1
    with transaction() as connection:
        known = known_classes(connection, problem_id, verifier_id)
        assert len(known) == 8
        assert not add_classes(connection, problem_id, verifier_id, 3, {"c": "c"})
    assert len(set(known.values())) == 2


def _row(run_id: int, problem_id: int, verifier_id: int, number: int, letter: str) -> Any:
    from store.verdicts import VerdictRow

    answer = f"{letter}{number}"
    return VerdictRow(run_id, problem_id, number, verifier_id, 0, 1, "incorrect", None, answer, None, 0.0)


def test_judging_again_asks_nothing_anew(judged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(MathAnswer, "classes", lambda *arguments: asked.append(arguments) or {})
    [(problem_id, verifier_id)] = judged.rows("SELECT DISTINCT problem_id, verifier_id FROM store.answer_classes")
    verifier = MathAnswer()
    row = _row(1, problem_id, verifier_id, 0, "a")
    known = [
        classified(verifier, Problem("p", ""), problem_id, verifier_id, [_with(row, answer)]) for answer in ("2", "1+x")
    ]
    assert ([one[0].answer_class for one in known], asked) == ([None, "x+1"], [])


def _with(row: Any, answer: str) -> Any:
    from dataclasses import replace

    return replace(row, answer=answer)
