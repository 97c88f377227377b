"""Repeats, flips, versions beside each other, problems set aside, verifiers tried on a benchmark's own solutions."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from typing import Any

import pytest
from click.testing import CliRunner

from store.batches import claim, follow_with_verification
from store.benchmarks import import_benchmark
from store.connection import transaction
from store.errors import PassatkError
from store.problem_cli import problem as problem_command
from store.runs import Run
from store.verdict_cli import verdict as verdict_command
from store.verdicts import VerdictRow, write_verdicts
from store.verifier_registry import attach_verifier
from workers.planning import plan_judging, plan_run
from workers.selftest import SelftestFailed
from workers.verifier_cli import verifier as verifier_command


def _say(command: Any, *arguments: str) -> str:
    return CliRunner().invoke(command, arguments, catch_exceptions=False).output


def _planned(workshop: Any, run: Run) -> list[tuple[int, int, int]]:
    query = "SELECT attempt, first_index, end_index FROM store.batches WHERE run_id = :run AND verifier_id IS NOT NULL"
    return workshop.rows(query + " ORDER BY batch_id", run=run.run_id)


class TestRepeats:
    def test_each_attempt_is_planned_and_only_what_is_missing(self, workshop: Any) -> None:
        run = workshop.run(problems=1, samples=3)
        (problem,) = workshop.problems(run)
        workshop.draw(run, problem, range(3))
        row, ids = plan_judging(run, "answer", 3)
        assert _planned(workshop, run) == [(0, 0, 3), (1, 0, 3), (2, 0, 3)]
        assert len(ids) == 3
        assert plan_judging(run, "answer")[1] == []
        workshop.rows("UPDATE store.batches SET state = 'done'")
        verdicts = [
            VerdictRow(run.run_id, problem, index, row.verifier_id, attempt, ids[0], outcome, None, None, None, 0.0)
            for index, attempt, outcome in [
                (0, 0, "correct"), (0, 1, "correct"), (0, 2, "incorrect"), (1, 0, "correct"), (1, 1, "undecided"),
                (2, 0, "correct"), (2, 1, "correct"), (2, 2, "undecided"),
            ]
        ]  # fmt: skip
        with transaction() as connection:
            write_verdicts(connection, verdicts)
        plan_run(run)
        assert _planned(workshop, run)[3:] == [(2, 1, 2), (3, 1, 3)]

    def test_what_is_drawn_later_is_judged_as_often(self, workshop: Any) -> None:
        run = workshop.run(problems=1, samples=4)
        (problem,) = workshop.problems(run)
        with transaction() as connection:
            attach_verifier(connection, run.run_id, workshop.verifier("answer"), 2)
            attach_verifier(connection, run.run_id, workshop.verifier("chain"))
        batch_id = workshop.batch(run, problem, 0, 4)
        with transaction() as connection:
            batch = claim(connection, batch_id, "drawer", 60)
            assert batch is not None
            assert [len(planned) for planned in follow_with_verification(connection, [batch])] == [3]
            assert follow_with_verification(connection, [batch]) == [[]]


@pytest.fixture
def judged(workshop: Any) -> Run:
    """Two versions over four samples; the first judged thrice."""
    run = workshop.run(problems=2, samples=2, name="judged")
    first, second = workshop.problems(run)
    one, other = workshop.verifier("unit-tests", "1"), workshop.verifier("unit-tests", "2")
    given: list[tuple[int, int, int, int, str, str | None]] = [
        (first, 0, one, 0, "correct", None), (first, 0, one, 1, "incorrect", "wall_time"),
        (first, 0, one, 2, "correct", None),
        (first, 1, one, 0, "incorrect", "wrong_answer"), (first, 1, one, 1, "incorrect", "wrong_answer"),
        (second, 0, one, 0, "incorrect", "wall_time"), (second, 1, one, 0, "correct", None),
        (first, 0, other, 0, "correct", None), (first, 1, other, 0, "incorrect", "exception"),
        (second, 0, other, 0, "correct", None),
    ]  # fmt: skip
    rows = [
        VerdictRow(run.run_id, problem, index, verifier, attempt, 1, outcome, reason, None, None, 0.0)
        for problem, index, verifier, attempt, outcome, reason in given
    ]
    with transaction() as connection:
        write_verdicts(connection, rows)
    return run


class TestComparison:
    ARGUMENTS: Sequence[str] = ("diff", "judged", "--from", "unit-tests@1", "--to", "unit-tests@2")

    def test_what_moved_between_versions(self, judged: Run) -> None:
        told = json.loads(_say(verdict_command, *self.ARGUMENTS, "--format", "json"))
        assert told["counts"] == [
            {"from": "correct", "to": "correct", "samples": 1},
            {"from": "incorrect", "to": "correct", "samples": 1},
            {"from": "incorrect", "to": "incorrect", "samples": 1},
        ]
        assert (told["moved"], told["only_from"], told["only_to"]) == (1, 1, 0)
        assert told["samples"] == [
            {"problem": "p1", "sample_index": 0, "before": "incorrect", "after": "correct",
             "reason_before": "wall_time", "reason_after": None}
        ]  # fmt: skip
        said = _say(verdict_command, *self.ARGUMENTS)
        assert "3 samples judged by both, 1 of them otherwise" in said
        assert "p1 sample 0: incorrect (wall_time) -> correct (-)" in said

    def test_a_verifier_that_did_not_judge_is_named_with_those_that_did(self, judged: Run) -> None:
        with pytest.raises(PassatkError, match=r"judged, unit-tests@3: .* unit-tests@1 \(#\d+\), unit-tests@2"):
            _say(verdict_command, "diff", "judged", "--from", "unit-tests@3", "--to", "unit-tests@2")
        with pytest.raises(PassatkError, match="several such verifiers"):
            _say(verdict_command, "flips", "judged", "--verifier", "unit-tests")

    def test_flip_rate(self, judged: Run) -> None:
        told = json.loads(_say(verdict_command, "flips", "judged", "--verifier", "unit-tests@1", "--format", "json"))
        assert (told["samples"], told["flipped"], told["attempts"], told["flip_rate"]) == (2, 1, 5, 0.5)
        assert told["problems"] == [{"problem": "p0", "samples": 2, "flipped": 1}]
        assert "1 of 2 samples flip (50.00%)" in _say(verdict_command, "flips", "judged", "--verifier", "unit-tests@1")
        assert "No sample has two decided" in _say(verdict_command, "flips", "judged", "--verifier", "unit-tests@2")


def test_problems_are_set_aside_and_taken_back(workshop: Any) -> None:
    workshop.benchmark(3)
    assert _say(problem_command, "list", "sums", "--quarantined") == "No problem is set aside.\n"
    said = _say(problem_command, "quarantine", "sums", "p0", "p2", "--reason", "flaky")
    assert "2 problems of sums@" in said
    assert "1 were already" in _say(problem_command, "quarantine", "sums", "p2", "p1", "--reason", "other")
    listed = json.loads(_say(problem_command, "list", "sums", "--quarantined", "--format", "json"))
    assert [(row["key"], row["reason"]) for row in listed] == [("p0", "flaky"), ("p1", "other"), ("p2", "flaky")]
    query = "SELECT problem FROM analytics.problems WHERE quarantined ORDER BY problem"
    assert workshop.rows(query) == [("p0",), ("p1",), ("p2",)]
    assert "2 problems" in _say(problem_command, "release", "sums", "p0", "p1")
    assert workshop.rows(query) == [("p2",)]
    _say(problem_command, "quarantine", "sums", "p0", "--reason", "again")
    assert workshop.one("SELECT count(*) FROM store.quarantines") == 4
    with pytest.raises(PassatkError, match=r"sums@.* has no problem p9"):
        _say(problem_command, "quarantine", "sums", "p9", "--reason", "x")


@pytest.mark.skipif(platform.system() != "Linux", reason="the sandbox needs Linux")
def test_selftest_finds_faulty_and_toothless_problems(workshop: Any) -> None:
    prompt = "def f(n: int) -> int:\n    '''Double.'''\n"
    check = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(5) == 10\n"

    def line(number: int, solution: str, test: str) -> dict[str, str]:
        return {
            "task_id": f"HumanEval/{number}", "prompt": prompt, "canonical_solution": solution, "test": test,
            "entry_point": "f",
        }  # fmt: skip

    lines = [
        line(0, "    return n * 2\n", check),
        line(1, "    return n * 3\n", check),
        line(2, "    return n * 2\n", "def check(candidate):\n    candidate(1)\n"),
    ]
    import_benchmark(workshop.file("h.jsonl", lines), "h", "humaneval")
    arguments = ["selftest", "h", "--jobs", "1", "--mutants", "4", "--format", "json"]
    result = CliRunner().invoke(verifier_command, arguments)
    assert isinstance(result.exception, SelftestFailed)
    told = json.loads(result.output)
    assert (told["problems"], told["references"], told["references_passed"]) == (3, 3, 2)
    assert [(one["key"], one["reason"]) for one in told["reference_fails"]] == [("HumanEval/1", "wrong_answer")]
    assert told["no_mutant_fails"] == ["HumanEval/2"]
    said = _say(verifier_command, "selftest", "h", "--jobs", "1", "--mutants", "2", "--quarantine")
    assert "reference fails   HumanEval/1: incorrect wrong_answer" in said
    query = "SELECT problem FROM analytics.problems WHERE quarantined"
    assert workshop.rows(query) == [("HumanEval/1",)]


def test_selftest_of_answers(workshop: Any) -> None:
    workshop.benchmark(2)
    told = json.loads(_say(verifier_command, "selftest", "sums", "--jobs", "1", "--format", "json"))
    assert (told["references_passed"], told["mutants"], told["mutants_failed"]) == (2, 6, 6)
    assert told["reference_fails"] == []
