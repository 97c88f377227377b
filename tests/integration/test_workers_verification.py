"""Judging a batch without Celery: every sample its verdict, each different completion once, and never a guess.

The verifier is a double; the real ones have tests of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from store.batches import MAX_TRIES
from store.runs import Run
from workers import verification
from workers.errors import SandboxUnavailable, VerifierBroken
from workers.settings import WorkerSettings
from workers.verification import VERIFIER_TRIES, Verification
from workers.verifiers.protocol import Environment, Judgement, JudgingCost, Outcome, OutcomeOfTest, Problem, Reason

SETTINGS = WorkerSettings(broker_url=None, lease_seconds=60, patience_seconds=30)


class FakeVerifier:
    """Finds `right...` correct and the rest wrong; `breaks` names completions that break it, `trouble` comes first."""

    name = "fake"

    def __init__(self, version: str = "1", expensive: bool = False) -> None:
        self.version = version
        self.expensive = expensive
        self.breaks: dict[str, Exception] = {}
        self.trouble: list[Exception] = []
        self.calls: list[tuple[Problem, list[str]]] = []
        self.closed = 0
        self.environment: Callable[[], Environment] | None = None
        self.suite: str | None = None
        self.change: Callable[[list[Judgement]], list[Judgement]] = list

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        self.calls.append((problem, list(completions)))
        if self.trouble:
            raise self.trouble.pop(0)
        for text in completions:
            if text in self.breaks:
                raise self.breaks[text]
        return self.change([self._judgement(text) for text in completions])

    @staticmethod
    def _judgement(text: str) -> Judgement:
        if text.startswith("unsure"):
            return Judgement(Outcome.UNDECIDED, Reason.VERIFIER_ERROR, seconds=0.5)
        right = text.startswith("right")
        return Judgement(
            Outcome.CORRECT if right else Outcome.INCORRECT,
            None if right else Reason.WRONG_ANSWER,
            answer=text.upper(),
            score=0.5,
            seconds=1.5,
            detail={"said": text},
        )

    @property
    def judged(self) -> list[str]:
        return [text for _, texts in self.calls for text in texts]

    def close(self) -> None:
        self.closed += 1


class Court:
    """A verification over one fake verifier."""

    def __init__(self, workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workshop = workshop
        self.verifier = FakeVerifier()
        self.opened: list[tuple[str, Any]] = []
        monkeypatch.setattr(verification, "open_verifier", self._open)
        self.verification = Verification(SETTINGS)

    def _open(self, name: str, options: Any) -> FakeVerifier:
        self.opened.append((name, options))
        return self.verifier

    def batch(self, batch_id: int) -> tuple[Any, ...]:
        query = "SELECT state, tries, row_count, error FROM store.batches WHERE batch_id = :id"
        return tuple(self.workshop.rows(query, id=batch_id)[0])

    def verdicts(self, run: Run, *names: str) -> list[tuple[Any, ...]]:
        columns = ", ".join(["sample_index", *(names or ("outcome",))])
        return self.workshop.rows(
            f"SELECT {columns} FROM store.verdicts LEFT JOIN store.verifier_outputs"  # noqa: S608
            " USING (run_id, problem_id, sample_index, verifier_id, attempt) WHERE run_id = :run"
            " ORDER BY sample_index, attempt",
            run=run.run_id,
        )


@pytest.fixture
def court(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Court]:
    court = Court(workshop, monkeypatch)
    yield court
    court.verification.close()


@pytest.fixture
def stored(workshop: Any) -> Callable[..., tuple[Run, int]]:
    """A run with these completions of its first problem, and a batch that judges them all."""

    def store(*texts: str, name: str = "small", verifier: tuple[str, str] = ("fake", "1"), attempt: int = 0) -> Any:
        run = workshop.run(problems=2, samples=len(texts), name=name, model=f"model of {name}")
        problem = workshop.problems(run)[0]
        workshop.draw(run, problem, range(len(texts)), texts.__getitem__)
        columns = {"verifier_id": workshop.verifier(*verifier), "attempt": attempt}
        return run, workshop.batch(run, problem, 0, len(texts), **columns)

    return store


def test_every_sample_gets_its_verdict(court: Court, workshop: Any, stored: Any) -> None:
    run, batch_id = stored("right a", "b", "right c")
    court.verification.run(batch_id)
    assert court.batch(batch_id) == ("done", 1, 3, None)
    assert court.verdicts(run, "outcome", "reason", "answer", "score", "seconds", "detail") == [
        (0, "correct", None, "RIGHT A", 0.5, 1.5, {"said": "right a"}),
        (1, "incorrect", "wrong_answer", "B", 0.5, 1.5, {"said": "b"}),
        (2, "correct", None, "RIGHT C", 0.5, 1.5, {"said": "right c"}),
    ]
    ((problem, texts),) = court.verifier.calls
    assert (problem.key, problem.prompt, problem.reference_answer) == ("p0", "1 + 0 = ?", "1")
    assert texts == ["right a", "b", "right c"]
    query = "SELECT DISTINCT verifier_id, attempt, batch_id FROM store.verdicts"
    assert workshop.rows(query) == [(workshop.verifier("fake"), 0, batch_id)]


def test_a_message_delivered_twice_judges_once(court: Court, stored: Any) -> None:
    run, batch_id = stored("right", "b")
    court.verification.run(batch_id)
    court.verification.run(batch_id)
    assert len(court.verifier.calls) == 1
    assert court.batch(batch_id) == ("done", 1, 2, None)
    assert len(court.verdicts(run)) == 2


def test_what_is_judged_already_is_left_alone(court: Court, workshop: Any, stored: Any) -> None:
    run, batch_id = stored("right", "b", "c")
    verifier = workshop.verifier("fake")
    problem = workshop.problems(run)[0]
    early = workshop.batch(run, problem, 1, 2, verifier_id=verifier)
    court.verification.run(early)
    court.verification.run(batch_id)
    assert court.verifier.judged == ["b", "right", "c"]
    assert court.batch(batch_id) == ("done", 1, 2, None)
    again = workshop.batch(run, problem, 0, 3, verifier_id=verifier)
    court.verification.run(again)
    assert court.batch(again) == ("done", 1, 0, None)
    assert len(court.verifier.calls) == 2  # with nothing to judge, nothing is started


def test_the_verifier_stays_open_between_batches(court: Court, stored: Any) -> None:
    for name in ("one", "two"):
        court.verification.run(stored("right", name=name)[1])
    assert court.opened == [("fake", {})]
    court.verification.close()
    court.verification.close()
    assert court.verifier.closed == 1


def test_its_options_reach_the_verifier(court: Court, workshop: Any, stored: Any) -> None:
    _, batch_id = stored("right")
    workshop.rows("UPDATE store.verifiers SET options = '{\"cpu_seconds\": 2}'")
    court.verification.run(batch_id)
    assert court.opened == [("fake", {"cpu_seconds": 2})]


class TestWhereAndBeside:
    """Every verdict made here says where; what a verifier says besides is kept and carried to equal completions."""

    def test_the_host_is_recorded_once(self, court: Court, workshop: Any, stored: Any) -> None:
        for name in ("one", "two"):
            court.verification.run(stored("right", "b", name=name)[1])
        ((environment, tier, detail),) = workshop.rows("SELECT environment_id, tier, detail FROM store.environments")
        assert tier == "host"
        assert {"passatk", "python", "kernel", "machine"} <= set(detail)
        assert workshop.rows("SELECT DISTINCT environment_id FROM store.verdicts") == [(environment,)]

    def test_a_verifier_tells_its_own(self, court: Court, workshop: Any, stored: Any) -> None:
        court.verifier.environment = lambda: Environment("bwrap", {"bubblewrap": "0.8"})
        court.verification.run(stored("right")[1])
        ((tier, detail),) = workshop.rows("SELECT tier, detail FROM store.environments")
        assert (tier, detail["bubblewrap"]) == ("bwrap", "0.8")
        assert "kernel" in detail

    def test_a_broken_one_does_not_cost_the_verdict(self, court: Court, workshop: Any, stored: Any) -> None:
        def broken() -> Environment:
            raise VerifierBroken("no sandbox just now")

        court.verifier.environment = broken
        run, batch_id = stored("right")
        court.verification.run(batch_id)
        assert court.verdicts(run, "outcome", "environment_id") == [(0, "correct", None)]

    def test_what_is_beside_a_verdict_and_its_copies(self, court: Court, workshop: Any, stored: Any) -> None:
        court.verifier.expensive = True
        tests = [OutcomeOfTest(4, Outcome.CORRECT), OutcomeOfTest(2, Outcome.INCORRECT, Reason.CPU_TIME)]
        cost = JudgingCost(model="judge", requests=2, prompt_tokens=10)
        more = {"answer_class": "A", "weak": True, "tests": tests, "steps": [0.5], "cost": cost}
        court.verifier.change = lambda found: [replace(one, **more) for one in found]
        first, batch_id = stored("right", "right", name="first")
        court.verification.run(batch_id)
        second, batch_id = stored("right", name="second")
        court.verification.run(batch_id)
        for run, indexes in ((first, (0, 1)), (second, (0,))):
            assert [row[1:3] for row in court.verdicts(run, "answer_class", "weak")] == [("A", True) for _ in indexes]
            query = "SELECT sample_index, test_id, outcome, reason FROM store.test_outcomes WHERE run_id = :run"
            outcomes = [(2, "incorrect", "cpu_time"), (4, "correct", None)]
            wanted = [(index, *outcome) for index in indexes for outcome in outcomes]
            assert sorted(workshop.rows(query, run=run.run_id)) == wanted
            query = "SELECT sample_index, scores FROM store.step_scores WHERE run_id = :run ORDER BY 1"
            assert workshop.rows(query, run=run.run_id) == [(index, [0.5]) for index in indexes]
        query = "SELECT c.run_id, c.sample_index, m.name, c.requests FROM store.verdict_costs AS c "
        query += "JOIN store.models AS m USING (model_id)"
        assert workshop.rows(query) == [(first.run_id, 0, "judge", 2)]

    def test_generated_tests_are_handed_to_whoever_names_their_suite(
        self, court: Court, workshop: Any, stored: Any
    ) -> None:
        run, batch_id = stored("right")
        problem, other = workshop.problems(run)
        insert = "INSERT INTO store.generated_tests (problem_id, suite, position, code, expected) VALUES "
        rows = f"({problem}, 's', 1, 'b', 'x'), ({problem}, 's', 0, 'a', NULL), ({problem}, 't', 0, 'c', NULL)"
        workshop.rows(f"{insert} {rows}, ({other}, 's', 0, 'd', NULL)")
        court.verifier.suite = "s"
        court.verification.run(batch_id)
        ((seen, _),) = court.verifier.calls
        assert [(test.code, test.expected) for test in seen.generated_tests] == [("a", None), ("b", "x")]


class TestBrokenVerifier:
    """The verifier's own failures: tried again, then `undecided` - never `incorrect`."""

    @pytest.mark.parametrize("error", [VerifierBroken("sandbox gone"), RuntimeError("bug \0"), MemoryError()])
    def test_is_undecided_for_what_breaks_it_alone(self, court: Court, stored: Any, error: Exception) -> None:
        run, batch_id = stored("right", "bomb", "b", "bomb", "right c")
        court.verifier.breaks = {"bomb": error}
        for attempt in range(1, VERIFIER_TRIES):
            court.verification.run(batch_id)
            assert court.batch(batch_id)[:3] == ("ready", attempt, None)
            assert court.verdicts(run) == []
        court.verification.run(batch_id)
        assert court.batch(batch_id) == ("done", VERIFIER_TRIES, 5, None)
        outcomes = ["correct", "undecided", "incorrect", "undecided", "correct"]
        assert court.verdicts(run) == list(enumerate(outcomes))
        reasons = [reason for _, reason in court.verdicts(run, "reason")]
        assert reasons == [None, "verifier_error", "wrong_answer", "verifier_error", None]
        error_said = court.verdicts(run, "detail")[1][1]["error"]
        assert error_said.startswith(type(error).__name__)

    def test_passing_trouble_leaves_no_trace(self, court: Court, stored: Any) -> None:
        run, batch_id = stored("right", "b")
        court.verifier.trouble = [VerifierBroken("no memory just now")]
        court.verification.run(batch_id)
        assert court.batch(batch_id) == ("ready", 1, None, "no memory just now")
        court.verification.run(batch_id)
        assert court.batch(batch_id) == ("done", 2, 2, None)
        assert court.verdicts(run) == [(0, "correct"), (1, "incorrect")]

    @pytest.mark.parametrize("tries", [0, VERIFIER_TRIES - 1])
    def test_without_a_sandbox_nothing_is_judged(self, court: Court, workshop: Any, stored: Any, tries: int) -> None:
        run, batch_id = stored("right", "b")
        workshop.rows("UPDATE store.batches SET tries = :tries WHERE batch_id = :id", tries=tries, id=batch_id)
        court.verifier.breaks = {"right": SandboxUnavailable("install bubblewrap")}
        court.verification.run(batch_id)
        assert court.batch(batch_id) == ("failed", tries + 1, None, "install bubblewrap")
        assert court.verdicts(run) == []

    @pytest.mark.parametrize("change", [lambda found: found[:-1], lambda found: [], lambda found: found * 2])
    def test_a_wrong_number_of_judgements_is_no_judgement(
        self, court: Court, stored: Any, change: Callable[[list[Judgement]], list[Judgement]]
    ) -> None:
        run, batch_id = stored("right", "b")
        court.verifier.change = change
        court.verification.run(batch_id)
        assert court.batch(batch_id)[0] == "ready"
        for _ in range(VERIFIER_TRIES - 1):
            court.verification.run(batch_id)
        assert court.verdicts(run) == [(0, "undecided"), (1, "undecided")]

    def test_undecided_samples_are_judged_again_as_their_next_attempt(
        self, court: Court, workshop: Any, stored: Any
    ) -> None:
        from workers.planning import plan_run

        run, batch_id = stored("unsure", "right", "unsure")
        court.verification.run(batch_id)
        workshop.rows(
            "INSERT INTO store.run_verifiers (run_id, verifier_id) VALUES (:run, :verifier)",
            run=run.run_id,
            verifier=workshop.verifier("fake"),
        )
        plan = plan_run(run)
        assert len(plan.draw) == 1  # the other problem's samples
        court.verifier.change = lambda found: [Judgement(Outcome.CORRECT) for _ in found]
        for planned in plan.judge:
            court.verification.run(planned)
        assert court.verdicts(run, "attempt", "outcome") == [
            (0, 0, "undecided"),
            (0, 1, "correct"),
            (1, 0, "correct"),
            (2, 0, "undecided"),
            (2, 1, "correct"),
        ]
        assert plan_run(run).judge == []


class TestVersions:
    def test_another_version_judges_nothing_and_says_why(self, court: Court, stored: Any) -> None:
        run, batch_id = stored("right", verifier=("fake", "2"))
        for attempt in range(1, MAX_TRIES + 1):
            court.verification.run(batch_id)
            assert court.batch(batch_id)[1] == attempt
        state, _, _, error = court.batch(batch_id)
        assert state == "failed"
        assert re.search(r"fake@2 is wanted, this worker has 1", error)
        assert (court.verdicts(run), court.verifier.calls) == ([], [])

    def test_a_worker_of_the_right_version_takes_over(
        self, court: Court, stored: Any, workshop: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run, batch_id = stored("right", verifier=("fake", "2"))
        court.verification.run(batch_id)
        other = Court(workshop, monkeypatch)
        other.verifier = FakeVerifier("2")
        other.verification.run(batch_id)
        assert other.batch(batch_id)[:3] == ("done", 2, 1)
        assert other.verdicts(run) == [(0, "correct")]


class TestEqualCompletions:
    """Equal completions of a problem are judged once."""

    def test_within_a_batch(self, court: Court, stored: Any) -> None:
        run, batch_id = stored("right", "b", "right", "b", "right")
        court.verification.run(batch_id)
        assert court.verifier.judged == ["right", "b"]
        said = {"same_completion_as": {"run_id": run.run_id, "sample_index": 0}}
        said_b = {"same_completion_as": {"run_id": run.run_id, "sample_index": 1}}
        assert court.verdicts(run, "outcome", "answer", "score", "seconds", "detail") == [
            (0, "correct", "RIGHT", 0.5, 1.5, {"said": "right"}),
            (1, "incorrect", "B", 0.5, 1.5, {"said": "b"}),
            (2, "correct", "RIGHT", 0.5, 0.0, said),
            (3, "incorrect", "B", 0.5, 0.0, said_b),
            (4, "correct", "RIGHT", 0.5, 0.0, said),
        ]

    def test_undecided_ones_stay_undecided(self, court: Court, stored: Any) -> None:
        run, batch_id = stored("unsure", "unsure")
        court.verification.run(batch_id)
        assert court.verdicts(run, "outcome", "detail") == [(0, "undecided", None), (1, "undecided", None)]

    def test_across_batches_and_runs_where_judging_is_dear(self, court: Court, workshop: Any, stored: Any) -> None:
        court.verifier.expensive = True
        first, batch_id = stored("right", "b", "unsure", name="first")
        court.verification.run(batch_id)
        second, batch_id = stored("new", "b", "right", "unsure", "right", name="second")
        court.verification.run(batch_id)
        assert court.verifier.calls[1][1] == ["new", "unsure"]
        assert court.batch(batch_id) == ("done", 1, 5, None)

        def same(index: int) -> dict[str, Any]:
            return {"same_completion_as": {"run_id": first.run_id, "sample_index": index}}

        assert court.verdicts(second, "outcome", "reason", "answer", "score", "seconds", "detail") == [
            (0, "incorrect", "wrong_answer", "NEW", 0.5, 1.5, {"said": "new"}),
            (1, "incorrect", "wrong_answer", "B", 0.5, 0.0, same(1)),
            (2, "correct", None, "RIGHT", 0.5, 0.0, same(0)),
            (3, "undecided", "verifier_error", None, None, 0.5, None),
            (4, "correct", None, "RIGHT", 0.5, 0.0, same(0)),
        ]

    def test_cheap_judging_is_done_again(self, court: Court, stored: Any) -> None:
        for name in ("first", "second"):
            court.verification.run(stored("right", name=name)[1])
        assert court.verifier.judged == ["right", "right"]

    def test_a_repeat_is_really_a_repeat(self, court: Court, stored: Any) -> None:
        court.verifier.expensive = True
        court.verification.run(stored("right", name="first")[1])
        run, batch_id = stored("right", name="second", attempt=1)
        court.verification.run(batch_id)
        assert court.verifier.judged == ["right", "right"]
        assert court.verdicts(run, "attempt", "outcome") == [(0, 1, "correct")]

    def test_other_versions_verdicts_are_not_taken(
        self, court: Court, stored: Any, workshop: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        court.verifier.expensive = True
        court.verification.run(stored("right", name="first")[1])
        other = Court(workshop, monkeypatch)
        other.verifier = FakeVerifier("2", expensive=True)
        run, batch_id = stored("right", name="second", verifier=("fake", "2"))
        other.verification.run(batch_id)
        assert other.verifier.judged == ["right"]
        assert other.verdicts(run) == [(0, "correct")]


def test_two_workers_of_one_batch_leave_one_verdict_each(court: Court, workshop: Any, stored: Any) -> None:
    run, batch_id = stored("right", "b")

    def overtaken(found: list[Judgement]) -> list[Judgement]:
        court.verifier.change = list
        workshop.rows(
            "UPDATE store.batches SET lease_until = now() - interval '1 second' WHERE batch_id = :id", id=batch_id
        )
        court.verification.run(batch_id)
        return found

    court.verifier.change = overtaken
    court.verification.run(batch_id)
    assert len(court.verifier.calls) == 2
    assert court.batch(batch_id) == ("done", 2, 2, None)
    assert court.verdicts(run) == [(0, "correct"), (1, "incorrect")]


def test_a_drawing_batch_is_not_judged(court: Court, workshop: Any) -> None:
    run = workshop.run()
    batch_id = workshop.batch(run, workshop.problems(run)[0], 0, 4)
    court.verification.run(batch_id)
    assert court.batch(batch_id)[0] == "ready"
    assert "sent to the judges" in court.batch(batch_id)[3]
