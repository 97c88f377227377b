"""Tests that a model wrote for the problems of a benchmark, in suites."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from store.tables import generated_tests


@dataclass(frozen=True)
class TestRow:
    """A stored test: program text, or the input of a stdin test and the output it expects."""

    __test__ = False

    test_id: int
    code: str
    expected: str | None


def tests_of(connection: sa.Connection, problem_id: int, suite: str) -> list[TestRow]:
    """The tests of a suite for a problem, in order."""
    columns = generated_tests.c
    query = sa.select(columns.test_id, columns.code, columns.expected).where(
        columns.problem_id == problem_id, columns.suite == suite
    )
    return [TestRow(*row) for row in connection.execute(query.order_by(columns.position))]
