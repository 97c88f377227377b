"""Append-only writes: a row once written stays, whoever writes it again, and rows and `done` commit together."""

from __future__ import annotations

import json
import math
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest

from store.batches import Batch, claim, mark_done
from store.connection import transaction
from store.fingerprint import text_hash
from store.runs import Run
from store.samples import SampleRow, write_samples
from store.verdict_sides import CostRow
from store.verdicts import MAX_ANSWER, VerdictRow, completions_to_judge, known_verdicts, write_verdicts


@pytest.fixture
def run(workshop: Any) -> Run:
    return workshop.run(problems=2, samples=1000)


@pytest.fixture
def problem(workshop: Any, run: Run) -> int:
    return int(workshop.problems(run)[0])


def _write(rows: list[SampleRow]) -> dict[int, int]:
    with transaction() as connection:
        return write_samples(connection, rows)


def _stored(workshop: Any) -> list[tuple[Any, ...]]:
    return workshop.rows(
        "SELECT s.sample_index, s.batch_id, c.batch_id, c.completion, s.completion_hash FROM store.samples AS s"
        " FULL JOIN store.completions AS c USING (run_id, problem_id, sample_index) ORDER BY s.problem_id, 1"
    )


class TestSamples:
    def test_every_field_comes_back(self, workshop: Any, run: Run, problem: int) -> None:
        row = SampleRow(
            run.run_id, problem, 7, 11, "é 漢 🙂 \t\\N\n", 3, 2**63 - 1, 32, 100, 96, 50, "length", -12.5, 0.25
        )
        assert _write([row]) == {11: 1}
        assert workshop.rows(
            "SELECT run_id, problem_id, sample_index, batch_id, completion, engine_id, seed, request_samples,"
            " prompt_tokens, cached_prompt_tokens, completion_tokens, finish_reason, cumulative_logprob,"
            " latency_seconds FROM store.samples"
            " JOIN store.completions USING (run_id, problem_id, sample_index, batch_id)"
        ) == [tuple(getattr(row, name) for name in list(SampleRow.__dataclass_fields__)[:14])]
        assert workshop.one("SELECT completion_hash FROM store.samples") == text_hash(row.completion)

    def test_the_first_writer_wins(self, workshop: Any, run: Run, problem: int) -> None:
        first = [SampleRow(run.run_id, problem, n, 1, f"first {n}") for n in range(4)]
        second = [SampleRow(run.run_id, problem, n, 2, f"second {n}") for n in range(2, 6)]
        assert _write(first) == {1: 4}
        assert _write(second) == {2: 2}
        assert _write(first + second) == {}
        expected = [(n, 1, 1, f"first {n}") for n in range(4)] + [(n, 2, 2, f"second {n}") for n in (4, 5)]
        assert [row[:4] for row in _stored(workshop)] == expected
        assert all(row[4] == text_hash(row[3]) for row in _stored(workshop))

    def test_a_sample_twice_in_one_write_is_one_row_and_one_text(self, workshop: Any, run: Run, problem: int) -> None:
        rows = [SampleRow(run.run_id, problem, n % 300, n // 300, f"text {n}") for n in range(1200)]
        assert _write(rows) == {0: 300}
        assert _stored(workshop) == [(n, 0, 0, f"text {n}", text_hash(f"text {n}")) for n in range(300)]

    def test_rows_are_counted_by_batch(self, run: Run, problem: int) -> None:
        rows = [SampleRow(run.run_id, problem, n, n % 3, "x") for n in range(10)]
        assert _write(rows) == {0: 4, 1: 3, 2: 3}

    def test_nothing_is_nothing(self, run: Run) -> None:
        assert _write([]) == {}

    def test_what_postgres_cannot_hold_is_replaced(self, workshop: Any, run: Run, problem: int) -> None:
        _write([SampleRow(run.run_id, problem, 0, 1, "a\0b\ud800c\udfff")])
        _write([SampleRow(run.run_id, problem, 1, 1, "a\ufffdb\ufffdc\ufffd")])
        first, second = _stored(workshop)
        assert first[3:] == second[3:] == ("a\ufffdb\ufffdc\ufffd", text_hash("a\ufffdb\ufffdc\ufffd"))

    def test_two_writes_in_one_transaction(self, workshop: Any, run: Run, problem: int) -> None:
        with transaction() as connection:
            assert write_samples(connection, [SampleRow(run.run_id, problem, 0, 1, "a")]) == {1: 1}
            assert write_samples(connection, [SampleRow(run.run_id, problem, 1, 2, "b")]) == {2: 1}
        assert [row[3] for row in _stored(workshop)] == ["a", "b"]

    def test_a_long_completion(self, workshop: Any, run: Run, problem: int) -> None:
        text = "0123456789" * 300_000
        _write([SampleRow(run.run_id, problem, 0, 1, text)])
        assert workshop.one("SELECT completion FROM store.completions") == text

    def test_rows_are_written_in_the_order_of_their_keys(self, workshop: Any, run: Run, problem: int) -> None:
        """Whatever order they come in: so two writers of the same rows never wait for each other in a circle."""
        indexes = random.Random(1).sample(range(500), 500)
        _write([SampleRow(run.run_id, problem, n, 1, "x") for n in indexes])
        for table in ("samples", "completions"):
            query = f"SELECT sample_index FROM store.{table} ORDER BY ctid"  # noqa: S608
            assert [n for (n,) in workshop.rows(query)] == list(range(500))

    def test_writers_of_the_same_rows_at_once(self, workshop: Any, run: Run, problem: int) -> None:
        """Overlapping rows, in different orders, by four writers: one row each, all of one writer, no deadlock."""
        start = threading.Barrier(4)

        def work(writer: int) -> int:
            indexes = list(range(1000 * writer, 1000 * writer + 27_000))
            rows = [SampleRow(run.run_id, problem, n, writer, f"writer {writer}, {n}") for n in indexes]
            if writer % 2:
                rows.reverse()
            start.wait()
            return sum(_write(rows).values())

        with ThreadPoolExecutor(4) as pool:
            new = sum(pool.map(work, range(4)))
        stored = _stored(workshop)
        assert new == len(stored) == 30_000
        assert [row[0] for row in stored] == list(range(30_000))
        for index, writer, completion_writer, text, hashed in stored:
            assert writer == completion_writer
            assert text == f"writer {writer}, {index}"
            assert hashed == text_hash(text)

    def test_rows_and_done_commit_together(self, workshop: Any, run: Run, problem: int) -> None:
        batch_id = workshop.batch(run, problem, 0, 4)
        rows = [SampleRow(run.run_id, problem, n, batch_id, "x") for n in range(4)]

        def broken() -> None:
            with transaction() as connection:
                mark_done(connection, write_samples(connection, rows))
                raise RuntimeError("the power goes")

        with pytest.raises(RuntimeError):
            broken()
        assert workshop.rows("SELECT state, row_count FROM store.batches") == [("ready", None)]
        assert _stored(workshop) == []
        with transaction() as connection:  # the same connection's staging table is clean again
            mark_done(connection, write_samples(connection, rows[:2]))
        assert workshop.rows("SELECT state, row_count FROM store.batches") == [("done", 2)]
        assert len(_stored(workshop)) == 2

    def test_a_row_that_cannot_be_leaves_nothing(self, workshop: Any, run: Run, problem: int) -> None:
        rows = [SampleRow(run.run_id, problem, n, 1, "x") for n in range(3)]
        bad = SampleRow(run.run_id, problem, 3, 1, "x", finish_reason=["stop"])  # type: ignore[arg-type]
        with pytest.raises((psycopg.Error, AttributeError, TypeError)):
            _write([*rows, bad])
        assert _stored(workshop) == []
        assert _write(rows) == {1: 3}


class TestVerdicts:
    @pytest.fixture
    def verifier(self, workshop: Any) -> int:
        return int(workshop.verifier())

    @pytest.fixture
    def row(self, run: Run, problem: int, verifier: int) -> Callable[..., VerdictRow]:
        def make(index: int = 0, outcome: str = "correct", attempt: int = 0, **values: Any) -> VerdictRow:
            given = {"reason": None, "answer": None, "score": None, "seconds": 0.5} | values
            batch = given.pop("batch_id", 1)
            return VerdictRow(run.run_id, problem, index, verifier, attempt, batch, outcome, **given)

        return make

    @staticmethod
    def _write(*rows: VerdictRow) -> dict[int, int]:
        with transaction() as connection:
            return write_verdicts(connection, rows)

    def test_every_field_comes_back(self, workshop: Any, row: Callable[..., VerdictRow]) -> None:
        detail = {"got": "3", "limits": {"cpu_seconds": 3.0}, "lines": [1, None, "é"]}
        more = {"answer_class": "3.0", "environment_id": 7, "weak": True}
        wrong = row(3, "incorrect", 2, reason="wrong_answer", answer="3", score=0.25, detail=detail, batch_id=9, **more)
        assert self._write(wrong) == {9: 1}
        names = [name for name in VerdictRow.__dataclass_fields__ if name not in ("detail", "tests", "steps", "cost")]
        assert workshop.rows(f"SELECT {', '.join(names)} FROM store.verdicts") == [  # noqa: S608
            tuple(getattr(wrong, name) for name in names)
        ]
        key = "run_id, problem_id, sample_index, verifier_id, attempt, batch_id"
        assert workshop.rows(f"SELECT {key}, detail FROM store.verifier_outputs") == [  # noqa: S608
            (*(getattr(wrong, name) for name in key.split(", ")), detail)
        ]

    def test_scores_that_no_short_number_holds_keep_their_order(
        self, workshop: Any, row: Callable[..., VerdictRow]
    ) -> None:
        scores = [-math.inf, -1e300, -1.0, 1e39, math.inf, math.nan]
        self._write(*(row(place, score=score, steps=[score]) for place, score in enumerate(scores)))
        stored = [score for (score,) in workshop.rows("SELECT score FROM store.verdicts ORDER BY sample_index")]
        most = np.finfo(np.float32).max
        assert stored[:5] == pytest.approx([-most, -most, -1.0, most, most])
        assert stored[5] is None
        steps = [one for (one,) in workshop.rows("SELECT scores[1] FROM store.step_scores ORDER BY sample_index")]
        assert steps[:5] == stored[:5]
        assert math.isnan(steps[5])

    def test_are_never_changed_and_repeats_are_further_attempts(
        self, workshop: Any, row: Callable[..., VerdictRow]
    ) -> None:
        assert self._write(row(0, "undecided", detail={"n": 0})) == {1: 1}
        assert self._write(row(0, "correct", detail={"n": 1}, batch_id=2)) == {}
        assert self._write(row(0, "incorrect", attempt=1, batch_id=3), row(1, batch_id=3)) == {3: 2}
        stored = workshop.rows("SELECT sample_index, attempt, outcome, batch_id FROM store.verdicts ORDER BY 1, 2")
        assert stored == [(0, 0, "undecided", 1), (0, 1, "incorrect", 3), (1, 0, "correct", 3)]
        assert workshop.rows("SELECT detail FROM store.verifier_outputs") == [({"n": 0},)]

    def test_what_is_beside_a_verdict_comes_back_and_is_never_changed(
        self, workshop: Any, row: Callable[..., VerdictRow]
    ) -> None:
        tests = [(7, "correct", None), (5, "incorrect", "wrong_answer")]
        self._write(
            row(0, tests=tests, batch_id=4),
            row(1, steps=[0.25, 0.5], cost=CostRow(3, 2, 100, 10, 20, 5, 1.5), batch_id=4),
            row(2, steps=[], cost=CostRow(), batch_id=4),
        )
        self._write(row(0, tests=[(5, "correct", None), (9, "undecided", "verifier_error")], batch_id=6))
        self._write(row(1, steps=[1.0], cost=CostRow(8), batch_id=6))
        found = workshop.rows("SELECT sample_index, test_id, outcome, reason, batch_id FROM store.test_outcomes")
        assert sorted(found) == [
            (0, 5, "incorrect", "wrong_answer", 4),
            (0, 7, "correct", None, 4),
            (0, 9, "undecided", "verifier_error", 6),
        ]
        assert workshop.rows("SELECT sample_index, scores FROM store.step_scores ORDER BY 1") == [
            (1, [0.25, 0.5]),
            (2, []),
        ]
        costs = "sample_index, model_id, requests, prompt_tokens, cached_prompt_tokens, completion_tokens, "
        costs += "reasoning_tokens, gpu_seconds"
        assert workshop.rows(f"SELECT {costs} FROM store.verdict_costs ORDER BY 1") == [  # noqa: S608
            (1, 3, 2, 100, 10, 20, 5, 1.5),
            (2, None, 1, None, None, None, None, None),
        ]

    def test_what_is_beside_is_written_with_the_verdict_or_not_at_all(
        self, workshop: Any, row: Callable[..., VerdictRow]
    ) -> None:
        with pytest.raises(psycopg.errors.CheckViolation, match="ck_test_outcomes_outcome"):
            self._write(row(0, steps=[1.0], tests=[(1, "perhaps", None)]))
        for table in ("verdicts", "test_outcomes", "step_scores"):
            assert workshop.one(f"SELECT count(*) FROM store.{table}") == 0  # noqa: S608

    def test_no_detail_no_cold_row(self, workshop: Any, row: Callable[..., VerdictRow]) -> None:
        self._write(row())
        assert workshop.one("SELECT count(*) FROM store.verifier_outputs") == 0

    def test_answers_are_cut_and_cleaned(self, workshop: Any, row: Callable[..., VerdictRow]) -> None:
        self._write(row(0, answer="é" * 10_000), row(1, answer="a\0\udc00"), row(2, answer=""), row(3, answer=None))
        stored = workshop.rows("SELECT answer FROM store.verdicts ORDER BY sample_index")
        assert stored == [("é" * MAX_ANSWER,), ("a\ufffd\ufffd",), ("",), (None,)]

    def test_any_detail_can_be_stored(self, workshop: Any, row: Callable[..., VerdictRow]) -> None:
        hostile = {
            "text": "a\0b\ud800",
            "k\0": ["\udfff", {"deep": ("\0",)}],
            "nan": float("nan"),
            "inf": [float("-inf")],
            "object": {1, 2} and b"bytes",
            3: 4,
        }
        self._write(row(detail=hostile))
        (detail,) = (
            json.loads(json.dumps(one)) for (one,) in workshop.rows("SELECT detail FROM store.verifier_outputs")
        )
        assert detail == {
            "text": "a\ufffdb\ufffd",
            "k\ufffd": ["\ufffd", {"deep": ["\ufffd"]}],
            "nan": "nan",
            "inf": ["-inf"],
            "object": "b'bytes'",
            "3": 4,
        }

    def test_an_outcome_that_does_not_exist_is_refused(self, workshop: Any, row: Callable[..., VerdictRow]) -> None:
        with pytest.raises(psycopg.errors.CheckViolation, match="ck_verdicts_outcome"):
            self._write(row(0), row(1, "wrong"))
        assert workshop.one("SELECT count(*) FROM store.verdicts") == 0

    def test_rows_are_written_in_the_order_of_their_keys(self, workshop: Any, row: Callable[..., VerdictRow]) -> None:
        self._write(*[row(n, detail={"n": n}) for n in random.Random(1).sample(range(500), 500)])
        for table in ("verdicts", "verifier_outputs"):
            query = f"SELECT sample_index FROM store.{table} ORDER BY ctid"  # noqa: S608
            assert [n for (n,) in workshop.rows(query)] == list(range(500))

    def test_judges_of_the_same_rows_at_once(self, workshop: Any, row: Callable[..., VerdictRow]) -> None:
        start = threading.Barrier(4)

        def work(writer: int) -> int:
            indexes = range(1000 * writer, 1000 * writer + 27_000)
            rows = [row(n, batch_id=writer, detail={"by": writer}) for n in indexes]
            start.wait()
            return sum(self._write(*(reversed(rows) if writer % 2 else rows)).values())

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(work, range(4))) == 30_000
        query = (
            "SELECT count(*), count(*) FILTER (WHERE v.batch_id = o.batch_id AND (o.detail ->> 'by')::int = v.batch_id)"
            " FROM store.verdicts AS v JOIN store.verifier_outputs AS o"
            " USING (run_id, problem_id, sample_index, verifier_id, attempt)"
        )
        assert workshop.rows(query) == [(30_000, 30_000)]


class TestReading:
    """What a judging batch reads."""

    @pytest.fixture
    def batch(self, workshop: Any, run: Run, problem: int) -> Batch:
        workshop.draw(run, problem, [0, 1, 2, 5, 6], "text {}".format)
        batch_id = workshop.batch(run, problem, 1, 6, verifier_id=workshop.verifier())
        with transaction() as connection:
            batch = claim(connection, batch_id, "judge", 60)
        assert batch is not None
        return batch

    def test_its_samples_without_a_verdict(self, workshop: Any, run: Run, problem: int, batch: Batch) -> None:
        with transaction() as connection:
            found = completions_to_judge(connection, batch)
            assert [(one.sample_index, one.completion) for one in found] == [(n, f"text {n}") for n in (1, 2, 5)]
            assert [one.completion_hash for one in found] == [text_hash(f"text {n}") for n in (1, 2, 5)]
            other = workshop.verifier("chain")
            verdict = (batch.batch_id, "incorrect", None, None, None, 0.0)
            assert batch.verifier_id is not None
            write_verdicts(
                connection,
                [
                    VerdictRow(run.run_id, problem, 1, batch.verifier_id, 0, *verdict),
                    VerdictRow(run.run_id, problem, 2, batch.verifier_id, 1, *verdict),
                    VerdictRow(run.run_id, problem, 5, other, 0, *verdict),
                ],
            )
            assert [one.sample_index for one in completions_to_judge(connection, batch)] == [2, 5]

    def test_what_is_known_of_equal_completions(self, workshop: Any, problem: int, run: Run, batch: Batch) -> None:
        other = workshop.run(problems=2, samples=5, name="other", model="other-model")
        elsewhere = workshop.problems(run)[1]
        for drawn in (problem, elsewhere):
            workshop.draw(other, drawn, range(5), lambda n: ["text 1", "text 2", "text 5", "text 1", "x"][n])
        assert batch.verifier_id is not None
        chain = workshop.verifier("chain")

        def verdict(place: int, index: int, outcome: str, verifier: int, attempt: int = 0) -> VerdictRow:
            return VerdictRow(
                other.run_id, place, index, verifier, attempt, 1, outcome, None, f"answer {index}", 0.5, 1.0
            )

        mine = batch.verifier_id
        with transaction() as connection:
            write_verdicts(
                connection,
                [
                    verdict(problem, 0, "correct", mine),
                    verdict(problem, 3, "correct", mine),
                    # Undecided at first: what came out of a repeat says nothing of another sample's first attempt.
                    verdict(problem, 1, "undecided", mine),
                    verdict(problem, 1, "correct", mine, attempt=1),
                    verdict(problem, 2, "incorrect", chain),
                    verdict(elsewhere, 2, "incorrect", mine),
                ],
            )
            hashes = [text_hash(f"text {n}") for n in (1, 2, 5)]
            known = known_verdicts(connection, batch, hashes)
        same = ("correct", None, "answer 0", 0.5, other.run_id, 0, None, None, None, (), None)
        assert known == {text_hash("text 1"): same}

    def test_everything_known_comes_along_but_the_cost(
        self, workshop: Any, problem: int, run: Run, batch: Batch
    ) -> None:
        assert batch.verifier_id is not None
        tests = [(5, "incorrect", "memory"), (7, "correct", None)]
        values = {"weak": False, "environment_id": 3, "answer_class": "c", "steps": [0.5, 1.0], "tests": tests}
        verdict = VerdictRow(run.run_id, problem, 0, batch.verifier_id, 0, 1, "correct", None, "a", 1.0, 2.0, **values)
        with transaction() as connection:
            write_verdicts(connection, [replace(verdict, cost=CostRow())])
            (known,) = known_verdicts(connection, batch, [text_hash("text 0")]).values()
        assert known == ("correct", None, "a", 1.0, run.run_id, 0, "c", 3, False, tuple(tests), [0.5, 1.0])
