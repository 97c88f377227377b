"""Stores of any shape, mirrored bit by bit: every count and curve is what counting the rows themselves gives.

Problems of unlike n beside each other, samples that nobody judged, undecided and repeated judgements, answers and
scores that are missing or tie: what one worked example of equal n does not show.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import comb
from pathlib import Path
from random import Random
from statistics import median

import pytest
import sqlalchemy as sa
from scipy.stats import ttest_rel

from store.analytics import Snapshot, open_snapshot
from store.analytics.refresh import refresh
from store.analytics.store_address import store_address
from store.analytics.verify import verify
from store.batches import mark_done
from store.connection import transaction
from store.samples import SampleRow, write_samples
from store.settings import StoreSettings
from store.tables import batches, benchmarks, models, problems, runs
from store.verdicts import VerdictRow, write_verdicts
from store.verifier_registry import ensure_verifier
from tests.integration.own_store import own_store

ROUNDS, RUNS, PROBLEMS = 4, 3, 5
KS = [1, 2, 3, 5, 8, 13, 21, 34]
OUTCOMES = {"correct": True, "incorrect": False, "undecided": None}
Key = tuple[int, int, int]


@dataclass
class Rows:
    """Everything that was written: tokens and finish of each sample, its judgements by verifier in order of attempt."""

    samples: dict[Key, tuple[int, str]] = field(default_factory=dict)
    verdicts: dict[tuple[int, Key], list[VerdictRow]] = field(default_factory=lambda: defaultdict(list))

    def decided(self, verifier: int, key: Key) -> bool | None:
        """What most of the judgements that decided say; None on a tie, or where none decided."""
        votes = Counter(OUTCOMES[row.outcome] for row in self.verdicts.get((verifier, key), []))
        return None if votes[True] == votes[False] else votes[True] > votes[False]

    def answer(self, verifier: int, key: Key) -> str | None:
        """The answer of the first judgement that has one."""
        rows = self.verdicts.get((verifier, key), [])
        return next((row.answer_class or row.answer for row in rows if row.answer is not None), None)

    def score(self, verifier: int, key: Key) -> float | None:
        rows = self.verdicts.get((verifier, key), [])
        return next((row.score for row in rows if row.score is not None), None)

    def of(self, run: int, problem: int) -> list[Key]:
        return [key for key in self.samples if key[:2] == (run, problem)]

    def judged(self, verifier: int, run: int, problem: int) -> list[tuple[Key, bool]]:
        """Samples that the verifier decided, and how."""
        found = ((key, self.decided(verifier, key)) for key in self.of(run, problem))
        return [(key, right) for key, right in found if right is not None]

    def seen(self, verifier: int, run: int, problem: int) -> int:
        return sum((verifier, key) in self.verdicts for key in self.of(run, problem))


@dataclass
class Made:
    """A store, its rows, and its verifiers: two that read answers (the first is the reference), one that scores."""

    rows: Rows
    mirror: Path
    answer: int
    other: int
    reward: int


class Maker:
    """Writes random rows, batch by batch."""

    def __init__(self, random: Random, made: Made) -> None:
        self.random, self.made, self.rows = random, made, made.rows

    def round(self) -> None:
        """More samples of some problems, and judgements of samples old and new."""
        with transaction() as connection:
            for run in range(1, RUNS + 1):
                for problem in range(1, PROBLEMS + 1):
                    if self.random.random() < 0.7:
                        self._draw(connection, run, problem)
                    for verifier in (self.made.answer, self.made.other, self.made.reward):
                        self._judge(connection, run, problem, verifier)

    def _batch(self, connection: sa.Connection, run: int, problem: int, verifier: int | None) -> int:
        values = {"run_id": run, "problem_id": problem, "verifier_id": verifier, "first_index": 0, "end_index": 1}
        return int(connection.execute(sa.insert(batches).values(values).returning(batches.c.batch_id)).scalar_one())

    def _draw(self, connection: sa.Connection, run: int, problem: int) -> None:
        start = len(self.rows.of(run, problem))
        batch = self._batch(connection, run, problem, None)
        written = []
        for index in range(start, start + self.random.choice([1, 2, 3, 7, 20])):
            tokens, finish = self.random.randint(1, 50), self.random.choice(["stop", "length"])
            self.rows.samples[run, problem, index] = tokens, finish
            written.append(
                SampleRow(
                    run, problem, index, batch, f"t{index}", prompt_tokens=9, completion_tokens=tokens,
                    finish_reason=finish,
                )
            )  # fmt: skip
        mark_done(connection, write_samples(connection, written))

    def _judge(self, connection: sa.Connection, run: int, problem: int, verifier: int) -> None:
        """Most samples once; those of the last run up to three times by the reference."""
        most = 3 if run == RUNS and verifier == self.made.answer else 1
        keys = [k for k in self.rows.of(run, problem) if len(self.rows.verdicts.get((verifier, k), [])) < most]
        keys = [key for key in keys if self.random.random() < 0.8]
        if not keys:
            return
        batch = self._batch(connection, run, problem, verifier)
        written = [self._verdict(key, verifier, batch) for key in keys]
        for row, key in zip(written, keys, strict=True):
            self.rows.verdicts[verifier, key].append(row)
        mark_done(connection, write_verdicts(connection, written))

    def _verdict(self, key: Key, verifier: int, batch: int) -> VerdictRow:
        outcome = self.random.choice(["correct", "incorrect", "incorrect", "undecided"])
        reads, scores = verifier == self.made.answer, verifier == self.made.reward
        answer = self.random.choice(["1", "2", "2.0", "3", None]) if reads and outcome != "undecided" else None
        score = self.random.choice([-1.5, 0.0, 0.25, 0.5, None]) if scores and outcome != "undecided" else None
        attempt = len(self.rows.verdicts.get((verifier, key), []))
        return VerdictRow(
            *key, verifier, attempt, batch, outcome, None if outcome == "correct" else "said", answer, score, 0.5,
            answer_class="2" if answer == "2.0" else None,
        )  # fmt: skip


@pytest.fixture(scope="module", params=[1, 2])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    with own_store(tmp_path_factory.mktemp("passatk")) as settings:
        store = _empty(settings.mirror)
        maker = Maker(Random(request.param), store)
        for _ in range(ROUNDS):  # each refresh adds to what the last one counted
            maker.round()
            refresh(store_address(settings), settings.mirror)
        yield store


def _empty(mirror: Path) -> Made:
    with transaction() as connection:
        values = {"name": "b", "version": 1, "content_hash": "h", "format": "jsonl", "source": "s"}
        connection.execute(sa.insert(benchmarks).values(values | {"problem_count": PROBLEMS}))
        asked = [{"benchmark_id": 1, "position": i, "key": f"p{i + 1}", "prompt": "?"} for i in range(PROBLEMS)]
        connection.execute(sa.insert(problems), asked)
        connection.execute(sa.insert(models).values(name="m", location="m", backend="none"))
        names = ("answer", "other", "reward")
        answer, other, reward = (ensure_verifier(connection, name, "1").verifier_id for name in names)
        for run in range(1, RUNS + 1):
            run_values = {"name": f"r{run}", "benchmark_id": 1, "model_id": 1, "reference_verifier_id": answer}
            run_values |= {"prompt_template": "{prompt}", "sampling": {}, "design": "fixed_n", "source": "generated"}
            connection.execute(sa.insert(runs).values(run_values | {"fingerprint": f"f{run}"}))
    return Made(Rows(), mirror, answer, other, reward)


@pytest.fixture
def snapshot(made: Made) -> Iterator[Snapshot]:
    with open_snapshot(made.mirror) as opened:
        yield opened


def mean(values: Sequence[Fraction | None]) -> float | None:
    """Of all, or nothing where one is missing."""
    return (
        None if any(value is None for value in values) else float(sum(v for v in values if v is not None) / len(values))
    )


def pass_at_k(judged: Sequence[tuple[Key, bool]], k: int) -> Fraction | None:
    n, c = len(judged), sum(right for _, right in judged)
    return None if k > n else 1 - Fraction(comb(n - c, k), comb(n, k))


def votes(made: Made, run: int, problem: int) -> dict[str | None, list[bool]]:
    groups: dict[str | None, list[bool]] = defaultdict(list)
    for key, right in made.rows.judged(made.answer, run, problem):
        groups[made.rows.answer(made.answer, key)].append(right)
    return dict(groups)


def plurality(groups: dict[str | None, list[bool]], k: int) -> Fraction | None:
    """Every way to draw k samples, by how many each answer gets; no answer gets no vote."""
    if k > sum(map(len, groups.values())):
        return None
    ways: Counter[tuple[int, Fraction, int, int]] = Counter({(0, Fraction(0), 0, 0): 1})
    for answer, group in groups.items():
        share, after = Fraction(sum(group), len(group)), Counter[tuple[int, Fraction, int, int]]()
        for (most, worth, leaders, drawn), count in ways.items():
            for took in range(min(len(group), k - drawn) + 1):
                state = (most, worth, leaders, drawn + took)
                if answer is not None and took > most:
                    state = (took, share, 1, drawn + took)
                elif answer is not None and took == most and took:
                    state = (most, worth + share, leaders + 1, drawn + took)
                after[state] += count * comb(len(group), took)
        ways = after
    total = sum(count for (_, _, _, drawn), count in ways.items() if drawn == k)
    won = sum(
        (count * worth / max(leaders, 1) for (_, worth, leaders, drawn), count in ways.items() if drawn == k),
        Fraction(0),
    )
    return won / total


def best_of(scored: Sequence[tuple[float | None, bool]], k: int) -> Fraction | None:
    """The best score of every k-subset; equal scores are drawn among, and no score is below all."""
    n = len(scored)
    if k > n:
        return None
    ranks = sorted({float("-inf") if score is None else score for score, _ in scored})
    won, below = Fraction(0), 0
    for rank in ranks:
        tied = [right for score, right in scored if (float("-inf") if score is None else score) == rank]
        share = Fraction(sum(tied), len(tied))
        won += share * (comb(below + len(tied), k) - comb(below, k))
        below += len(tied)
    return won / comb(n, k)


def near(value: float | None) -> object:
    return None if value is None else pytest.approx(value, abs=1e-11)


def test_problems_are_of_unlike_n(made: Made) -> None:
    sizes = {len(made.rows.of(run, problem)) for run in range(1, RUNS + 1) for problem in range(1, PROBLEMS + 1)}
    assert len(sizes) > 4, "all problems alike: the tests of this module show little"


@pytest.mark.parametrize("run", range(1, RUNS + 1))
def test_coverage(made: Made, snapshot: Snapshot, run: int) -> None:
    judged = [made.rows.judged(made.answer, run, problem) for problem in range(1, PROBLEMS + 1)]
    judged = [one for problem, one in enumerate(judged, 1) if made.rows.seen(made.answer, run, problem)]
    for policy in ("strict", "complete_case"):
        for record in snapshot.query("coverage", run=f"r{run}", policy=policy).records():
            values = [pass_at_k(one, record["k"]) for one in judged]
            used = [value for value in values if value is not None] if policy == "complete_case" else values
            assert record["coverage"] == near(mean(used) if used else None), (policy, record["k"])


@pytest.mark.parametrize("pair", [(1, 2), (3, 1), (2, 3)])
def test_a_run_beside_a_baseline(made: Made, snapshot: Snapshot, pair: tuple[int, int]) -> None:
    baseline, run = pair
    seen = [{p for p in range(1, PROBLEMS + 1) if made.rows.judged(made.answer, which, p)} for which in (baseline, run)]
    shared = sorted(seen[0] & seen[1])
    records = snapshot.query("coverage_difference", run=[f"r{baseline}", f"r{run}"], k=[1, 2, 5]).records()
    for record in records:
        sides = [
            [pass_at_k(made.rows.judged(made.answer, which, problem), record["k"]) for problem in shared]
            for which in (run, baseline)
        ]
        ours, theirs = ([float(value) for value in side if value is not None] for side in sides)
        if len(ours) < len(shared) or len(theirs) < len(shared):
            assert record["difference"] is None, record["k"]
            continue
        assert record["difference"] == near(sum(ours) / len(ours) - sum(theirs) / len(theirs)), record["k"]
        assert record["p"] == pytest.approx(float(ttest_rel(ours, theirs).pvalue), abs=1e-9)


@pytest.mark.parametrize("run", range(1, RUNS + 1))
def test_selection_by_vote_and_by_score(made: Made, snapshot: Snapshot, run: int) -> None:
    places = [p for p in range(1, PROBLEMS + 1) if made.rows.judged(made.answer, run, p)]
    least = min(len(made.rows.judged(made.answer, run, p)) for p in places)
    ks = [k for k in KS if k <= least] or [1]
    for record in snapshot.query("selection", run=f"r{run}", answers_from="answer", k=ks).records():
        wanted = mean([plurality(votes(made, run, p), record["k"]) for p in places])
        assert record["selection_accuracy"] == near(wanted), record["k"]
    for record in snapshot.query("best_of_k", run=f"r{run}", scores_from="reward", k=ks).records():
        scored = [
            [(made.rows.score(made.reward, key), right) for key, right in made.rows.judged(made.answer, run, p)]
            for p in places
        ]
        assert record["selection_accuracy"] == near(mean([best_of(one, record["k"]) for one in scored])), record["k"]


@pytest.mark.parametrize("run", range(1, RUNS + 1))
def test_problems_and_their_answers(made: Made, snapshot: Snapshot, run: int) -> None:
    rows = made.rows
    found = {record["problem"]: record for record in snapshot.query("pass_rates", run=f"r{run}").records()}
    for problem in range(1, PROBLEMS + 1):
        if not rows.seen(made.answer, run, problem):
            assert f"p{problem}" not in found or found[f"p{problem}"]["n"] == 0
            continue
        record, judged = found[f"p{problem}"], rows.judged(made.answer, run, problem)
        assert (record["n"], record["c"]) == (len(judged), sum(right for _, right in judged))
        assert record["undecided"] == rows.seen(made.answer, run, problem) - len(judged)
        lengths = [rows.samples[key][0] for key in rows.of(run, problem)]
        assert record["median_completion_tokens"] == pytest.approx(median(lengths))
        groups = votes(made, run, problem)
        assert record["distinct_answers"] == len([answer for answer in groups if answer is not None])
        clusters = snapshot.query(
            "answer_clusters", run=f"r{run}", problem=f"p{problem}", answers_from="answer"
        ).records()
        assert {one["answer"]: (one["count"], one["correct"]) for one in clusters} == {
            answer: (len(group), sum(group)) for answer, group in groups.items()
        }


@pytest.mark.parametrize("run", range(1, RUNS + 1))
def test_a_verifier_beside_the_reference(made: Made, snapshot: Snapshot, run: int) -> None:
    pairs = Counter(
        (made.rows.decided(made.other, key), made.rows.decided(made.answer, key))
        for key in made.rows.samples
        if key[0] == run
    )
    (record,) = snapshot.query("verifier_agreement", run=f"r{run}", verifier="other").records()
    assert [record[name] for name in ("tp", "fp", "fn", "tn")] == [
        pairs[proxy, truth] for proxy, truth in ((True, True), (True, False), (False, True), (False, False))
    ]


def test_runs_and_what_was_cut_off(made: Made, snapshot: Snapshot) -> None:
    rows = made.rows
    cut = {record["run"]: record for record in snapshot.query("truncation").records()}
    for record in snapshot.query("run_summary").records():
        run = int(record["run"].removeprefix("r"))
        mine = [key for key in rows.samples if key[0] == run]
        said = [rows.decided(made.answer, key) for key in mine if (made.answer, key) in rows.verdicts]
        assert record["samples"] == cut[record["run"]]["samples"] == len(mine)
        assert (record["judged"], record["correct"]) == (len(said) - said.count(None), said.count(True))
        assert record["undecided"] == said.count(None)
        assert record["completion_tokens"] == sum(rows.samples[key][0] for key in mine)
        assert record["truncated"] == cut[record["run"]]["truncated"]
        assert record["truncated"] == sum(rows.samples[key][1] == "length" for key in mine)


def test_hard_and_flaky_problems(made: Made, snapshot: Snapshot) -> None:
    rows = made.rows
    for record in snapshot.query("problem_difficulty").records():
        problem = int(record["problem"].removeprefix("p"))
        judged = [rows.judged(made.answer, run, problem) for run in range(1, RUNS + 1)]
        judged = [one for one in judged if one]
        rates = [sum(right for _, right in one) / len(one) for one in judged]
        assert record["solved_by"] == sum(rate > 0 for rate in rates)
        assert record["samples"] == sum(map(len, judged))
        assert record["pass_rate"] == pytest.approx(sum(rates) / len(rates))
        assert (record["lowest"], record["highest"]) == (pytest.approx(min(rates)), pytest.approx(max(rates)))
    for record in snapshot.query("flaky_problems", run=f"r{RUNS}").records():
        problem = int(record["problem"].removeprefix("p"))
        said = [
            [row.outcome for row in rows.verdicts.get((made.answer, key), []) if row.outcome != "undecided"]
            for key in rows.of(RUNS, problem)
        ]
        again = [outcomes for outcomes in said if len(outcomes) > 1]
        assert record["judged_again"] == len(again)
        assert record["disagreeing"] == sum(len(set(outcomes)) == 2 for outcomes in again)
        assert record["tied"] == sum(outcomes.count("correct") * 2 == len(outcomes) for outcomes in again)


def test_many_small_refreshes_are_one_large_one(made: Made, tmp_path: Path) -> None:
    address = store_address(StoreSettings.from_environment())
    refresh(address, tmp_path / "whole")
    assert verify(address, made.mirror).differences == ()
    with open_snapshot(made.mirror) as grown, open_snapshot(tmp_path / "whole") as whole:
        for table in ("problem_counts", "answer_groups", "agreement_counts", "sample_counts", "token_counts"):
            names = [name for name, _, _ in next(t for t in grown.schema() if t.name == table).columns]
            order = ", ".join(str(i + 1) for i in range(len(names)))
            text = f"SELECT * FROM {table} ORDER BY {order}"  # noqa: S608
            assert grown.rows(text) == whole.rows(text), table
