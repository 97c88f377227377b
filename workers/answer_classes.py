"""Votes count answers that mean the same as one: each verdict's answer gets the class that all workers agree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from store.answer_classes import add_classes, known_classes
from store.connection import patiently, transaction
from store.verdicts import VerdictRow
from workers.verifiers.protocol import Problem


@runtime_checkable
class Classifies(Protocol):
    """A verifier that knows when two answers mean the same."""

    def classes(self, problem: Problem, answers: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
        """The class of each answer, given the classes of those in `known`."""


def classified(
    verifier: Classifies, problem: Problem, problem_id: int, verifier_id: int, rows: Sequence[VerdictRow]
) -> list[VerdictRow]:
    """The rows with `answer_class` where it is another than the answer itself. New answers join the dictionary."""
    answers = list(dict.fromkeys(row.answer for row in rows if row.answer is not None))
    classes = _agreed(verifier, problem, problem_id, verifier_id, answers) if answers else {}
    return [
        row
        if row.answer is None or classes[row.answer] == row.answer
        else replace(row, answer_class=classes[row.answer])
        for row in rows
    ]


def _agreed(
    verifier: Classifies, problem: Problem, problem_id: int, verifier_id: int, answers: Sequence[str]
) -> dict[str, str]:
    """Found without holding a lock, since comparing takes time; found again where others were faster."""

    def read() -> dict[str, str]:
        with transaction() as connection:
            return known_classes(connection, problem_id, verifier_id)

    def add(seen: int, found: Mapping[str, str]) -> bool:
        with transaction() as connection:
            return add_classes(connection, problem_id, verifier_id, seen, found)

    while True:
        known = patiently(read)
        new = [answer for answer in answers if answer not in known]
        if not new:
            return known
        found = verifier.classes(problem, new, known)
        if patiently(lambda: add(len(known), found)):  # noqa: B023 - called at once
            return known | found
