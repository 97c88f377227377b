"""Tests that a model wrote for the problems of a benchmark, in suites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from store.benchmark_formats import BadFile
from store.benchmarks import Benchmark, find_benchmark
from store.connection import transaction
from store.errors import PassatkError
from store.tables import generated_tests, problems
from store.test_formats import ProblemNames, WrittenTest, read_tests

#: As a suite's name: the tests of all suites.
EVERY_SUITE = "*"


class SuiteExists(PassatkError):
    """A suite of this name holds other tests."""


@dataclass(frozen=True)
class TestRow:
    """A stored test: program text, or the input of a stdin test and the output it expects."""

    __test__ = False

    test_id: int
    code: str
    expected: str | None


@dataclass(frozen=True)
class ImportedSuite:
    """What an import brought: the benchmark, how many tests are new, how many there are, over how many problems."""

    benchmark: Benchmark
    new: int
    tests: int
    problems: int


def tests_of(connection: sa.Connection, problem_id: int, suite: str) -> list[TestRow]:
    """The tests of a suite (EVERY_SUITE: of all) for a problem, in order."""
    columns = generated_tests.c
    query = sa.select(columns.test_id, columns.code, columns.expected).where(columns.problem_id == problem_id)
    if suite != EVERY_SUITE:
        query = query.where(columns.suite == suite)
    return [TestRow(*row) for row in connection.execute(query.order_by(columns.suite, columns.position))]


def import_tests(path: Path, benchmark_label: str, suite: str, per_sample: int) -> ImportedSuite:
    """Store the tests of a file as a suite. The same file again changes nothing. Raises BadFile, SuiteExists.

    `per_sample`: most tests taken from one generation of a model; 0 takes all.
    """
    if not suite or suite == EVERY_SUITE:
        raise PassatkError(f'"{suite}" is no name for a suite: give it the name of the model that wrote the tests.')
    with transaction() as connection:
        benchmark = find_benchmark(connection, benchmark_label)
        names = _problems(connection, benchmark)
        written = read_tests(path, names, per_sample)
        if not any(written.values()):
            raise BadFile(f"{path}: holds no test that could be read for the problems of {benchmark.label}.")
        stored = _stored(connection, list(written), suite)
        for problem_id, tests in written.items():
            if stored.get(problem_id, tests) != tests:
                raise SuiteExists(f'Suite "{suite}" of {benchmark.label} holds other tests; give these another name.')
        new = {problem_id: tests for problem_id, tests in written.items() if problem_id not in stored}
        rows = [_row(problem_id, suite, at, test) for problem_id, tests in new.items() for at, test in enumerate(tests)]
        if rows:
            connection.execute(sa.insert(generated_tests), rows)
    count = sum(map(len, written.values()))
    return ImportedSuite(benchmark, len(rows), count, sum(1 for tests in written.values() if tests))


def list_suites(benchmark_label: str) -> list[tuple[str, int, int]]:
    """(suite, tests, problems) of a benchmark's suites."""
    columns = generated_tests.c
    with transaction() as connection:
        benchmark = find_benchmark(connection, benchmark_label)
        query = (
            sa.select(columns.suite, sa.func.count(), sa.func.count(columns.problem_id.distinct()))
            .join(problems, problems.c.problem_id == columns.problem_id)
            .where(problems.c.benchmark_id == benchmark.benchmark_id)
            .group_by(columns.suite)
            .order_by(columns.suite)
        )
        return [(suite, int(tests), int(count)) for suite, tests, count in connection.execute(query)]


def _problems(connection: sa.Connection, benchmark: Benchmark) -> list[ProblemNames]:
    columns = problems.c
    query = sa.select(columns.problem_id, columns.key, columns.prompt, columns.entry_point)
    rows = connection.execute(query.where(columns.benchmark_id == benchmark.benchmark_id))
    return [ProblemNames(*row) for row in rows]


def _stored(connection: sa.Connection, problem_ids: Sequence[int], suite: str) -> Mapping[int, list[WrittenTest]]:
    columns = generated_tests.c
    query = sa.select(columns.problem_id, columns.code, columns.expected).where(
        columns.suite == suite, columns.problem_id.in_(problem_ids)
    )
    found: dict[int, list[WrittenTest]] = {}
    for problem_id, code, expected in connection.execute(query.order_by(columns.problem_id, columns.position)):
        found.setdefault(problem_id, []).append(WrittenTest(code, expected))
    return found


def _row(problem_id: int, suite: str, position: int, test: WrittenTest) -> dict[str, object]:
    return {
        "problem_id": problem_id,
        "suite": suite,
        "position": position,
        "code": test.code,
        "expected": test.expected,
    }
