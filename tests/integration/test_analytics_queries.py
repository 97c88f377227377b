"""The catalogued queries over a mirrored store: equal to brute force, to Postgres, and to the published study."""

from __future__ import annotations

import ast
import gzip
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from store.analytics import Snapshot, open_snapshot
from store.analytics import statistics as st
from store.analytics.cli import queries as queries_command
from store.analytics.cli import query as query_command
from store.analytics.cli import sql as sql_command
from store.analytics.concepts import catalogue, concept
from store.analytics.errors import BadParameter, BudgetTooLarge, NoPrice, NothingJudged, UnknownName
from store.analytics.macros import MACROS
from store.analytics.mirror_cli import mirror as mirror_command
from store.analytics.refresh import refresh
from store.analytics.store_address import store_address
from store.batches import mark_done
from store.benchmarks import import_benchmark
from store.connection import transaction
from store.errors import PassatkError
from store.runs import find_run, set_reference
from store.sample_import import SampleFile, import_samples
from store.samples import SampleRow, write_samples
from store.settings import StoreSettings
from store.tables import batches, benchmarks, models, prices, problems, runs
from store.verdicts import VerdictRow, write_verdicts
from store.verifier_registry import attach_verifier, ensure_verifier
from tests.integration.own_store import own_store

DATA = Path(os.environ.get("PASSATK_SHARED_DATA", Path(__file__).parents[2] / "../shared/data"))
STOP_WORDS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

#: (answer, outcome by `chain`, completion tokens) of the samples of three problems; None: no answer, "?": undecided.
SAMPLES: list[list[tuple[str | None, str, int]]] = [
    [("7", "correct", 10), ("7", "incorrect", 20), ("7", "correct", 30), ("8", "incorrect", 40), ("9", "incorrect", 50),
     (None, "incorrect", 60)],
    [("1", "incorrect", 10), ("1", "incorrect", 10), ("2", "correct", 30), ("2", "correct", 30), ("2", "?", 10),
     ("3", "incorrect", 10)],
    [("4", "incorrect", 5), ("5", "incorrect", 5), ("4", "incorrect", 5), ("4", "incorrect", 5), ("6", "incorrect", 5),
     (None, "incorrect", 5)],
]  # fmt: skip
ANSWERS = ["7", "2", "6"]
PROMPT_TOKENS, REQUEST_SAMPLES = 12, 3
INPUT_USD, OUTPUT_USD = 2.0, 5.0


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with own_store(tmp_path_factory.mktemp("passatk")) as settings:
        with transaction() as connection:
            _small_run(connection)
        refresh(store_address(settings), settings.mirror)
        yield settings.mirror


@pytest.fixture
def snapshot(mirror: Path) -> Iterator[Snapshot]:
    with open_snapshot(mirror) as opened:
        yield opened


def _small_run(connection: sa.Connection) -> None:
    """Runs `small` (three problems, two verifiers), `bare` (nothing drawn), `free` (drawn and judged, no price)."""
    values = {"name": "sums", "version": 1, "content_hash": "h", "format": "jsonl", "source": "s", "problem_count": 3}
    connection.execute(sa.insert(benchmarks).values(values))
    connection.execute(
        sa.insert(problems),
        [{"benchmark_id": 1, "position": i, "key": f"p{i}", "prompt": f"{i}?", "reference_answer": ANSWERS[i]}
         for i in range(3)],
    )  # fmt: skip
    connection.execute(sa.insert(models), [{"name": n, "location": n, "backend": "none"} for n in ("tiny", "gratis")])
    price = {"model_id": 1, "input_usd_per_mtok": INPUT_USD, "output_usd_per_mtok": OUTPUT_USD}
    connection.execute(sa.insert(prices).values(price | {"valid_from": sa.text("DATE '2024-01-01'")}))
    chain = ensure_verifier(connection, "chain", "1").verifier_id
    answer = ensure_verifier(connection, "answer", "1").verifier_id
    for name, model in (("small", 1), ("bare", 1), ("free", 2)):
        run = {"name": name, "benchmark_id": 1, "model_id": model, "reference_verifier_id": chain}
        run |= {"prompt_template": "Q: {prompt}", "sampling": {"temperature": 0.5}, "design": "fixed_n"}
        connection.execute(sa.insert(runs).values(run | {"source": "generated", "fingerprint": name}))
        run_id = find_run(connection, name).run_id
        if name != "bare":
            _draw(connection, run_id)
            _judge(connection, run_id, chain, answers=False)
            _judge(connection, run_id, answer, answers=True)
        if name == "free":  # judged a second time, and differently
            batch = _batch(connection, run_id, 1, chain)
            again = VerdictRow(run_id, 1, 0, chain, 1, batch, "incorrect", "wrong answer", None, None, 0.25)
            mark_done(connection, write_verdicts(connection, [again]))


def _batch(connection: sa.Connection, run_id: int, problem_id: int, verifier_id: int | None) -> int:
    values = {"run_id": run_id, "problem_id": problem_id, "verifier_id": verifier_id, "first_index": 0, "end_index": 6}
    return int(connection.execute(sa.insert(batches).values(values).returning(batches.c.batch_id)).scalar_one())


def _draw(connection: sa.Connection, run_id: int) -> None:
    for problem_id, samples in enumerate(SAMPLES, start=1):
        batch = _batch(connection, run_id, problem_id, None)
        rows = [
            SampleRow(
                run_id,
                problem_id,
                i,
                batch,
                f"{answer} {i}",
                request_samples=REQUEST_SAMPLES,
                prompt_tokens=PROMPT_TOKENS,
                completion_tokens=tokens,
                finish_reason="length" if i == 5 else "stop",
            )
            for i, (answer, _, tokens) in enumerate(samples)
        ]
        mark_done(connection, write_samples(connection, rows))


def _judge(connection: sa.Connection, run_id: int, verifier_id: int, answers: bool) -> None:
    for problem_id, samples in enumerate(SAMPLES, start=1):
        batch = _batch(connection, run_id, problem_id, verifier_id)
        rows = []
        for i, (answer, outcome, _) in enumerate(samples):
            if answers:
                outcome = "correct" if answer == ANSWERS[problem_id - 1] else "incorrect"
            outcome = "undecided" if outcome == "?" else outcome
            reason = {"correct": None, "incorrect": "wrong answer", "undecided": "host"}[outcome]
            kept = answer if answers else None
            rows.append(
                VerdictRow(run_id, problem_id, i, verifier_id, 0, batch, outcome, reason, kept, None, 0.25, {"i": i})
            )
        mark_done(connection, write_verdicts(connection, rows))


def decided(problem: int) -> list[tuple[str | None, bool, int]]:
    return [(answer, outcome == "correct", tokens) for answer, outcome, tokens in SAMPLES[problem] if outcome != "?"]


def brute_coverage(k: int) -> float:
    shares = []
    for problem in range(3):
        subsets = list(combinations([right for _, right, _ in decided(problem)], k))
        shares.append(Fraction(sum(any(subset) for subset in subsets), len(subsets)))
    return float(sum(shares) / 3)


def brute_majority(k: int) -> float:
    """Every k-subset; the most frequent answer wins, ties are split, and it counts with its group's share correct."""
    total = Fraction(0)
    for problem in range(3):
        samples = decided(problem)
        right = {
            answer: Fraction(sum(r for a, r, _ in samples if a == answer), sum(a == answer for a, _, _ in samples))
            for answer, _, _ in samples
        }
        subsets = list(combinations([answer for answer, _, _ in samples], k))
        for subset in subsets:
            votes = {answer: subset.count(answer) for answer in set(subset) if answer is not None}
            best = [answer for answer, count in votes.items() if count == max(votes.values())]
            total += sum((right[answer] for answer in best), Fraction(0)) / max(len(best), 1) / len(subsets)
    return float(total / 3)


def test_coverage_is_brute_force(snapshot: Snapshot) -> None:
    answer = snapshot.query("coverage", run="small", k=[1, 2, 3, 5])
    for record in answer.records():
        assert record["coverage"] == pytest.approx(brute_coverage(record["k"]), abs=1e-14)
        assert record["low"] < record["coverage"] < record["high"]
        assert (record["problems"], record["n_min"], record["n_max"], record["undecided"]) == (3, 5, 6, 1)
    assert any("1 undecided samples are left out" in note for note in answer.notes)


def test_undecided_samples_widen_the_interval(snapshot: Snapshot) -> None:
    from store.analytics.statistics.curves import coverage_curve

    record = snapshot.query("coverage", run="small", k=1).records()[0]
    plain = coverage_curve([6, 5, 6], [2, 2, 0], [1])
    assert record["coverage"] == pytest.approx(float(plain.value[0]))
    assert record["low"] < plain.low[0]
    assert record["high"] > plain.high[0]


def test_a_k_above_n_is_never_a_number(snapshot: Snapshot) -> None:
    answer = snapshot.query("coverage", run="small", k=[5, 6, 7])
    assert [record["coverage"] is None for record in answer.records()] == [False, True, True]
    assert any("ends at n = 5" in note for note in answer.notes)
    complete = {r["k"]: r for r in snapshot.query("coverage", run="small", k=[6, 7], policy="complete_case").records()}
    assert complete[6]["coverage"] == 0.5
    assert complete[6]["problems_used"] == 2
    assert complete[7]["coverage"] is None
    bounds = snapshot.query("coverage", run="small", k=6, policy="bounds").records()[0]
    assert bounds["coverage"] is None
    assert (bounds["lower"], bounds["upper"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert [r["k"] for r in snapshot.query("coverage", run="small").records()] == [1, 2, 3, 4, 5]


def test_the_same_text_gives_the_same_numbers_in_postgres(snapshot: Snapshot) -> None:
    text = snapshot.query("coverage", run=["small", "free"], k=[1, 2, 5, 6]).sql
    here = [tuple(row.values()) for row in snapshot.rows(text)]
    with transaction() as connection:
        there = [tuple(row) for row in connection.exec_driver_sql(text)]
    assert len(here) == len(there) == 8
    for ours, theirs in zip(here, there, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert (
                mine == other
                if isinstance(other, str | None)
                else float(mine) == pytest.approx(float(other), abs=1e-14)
            )


def test_pass_at_k_is_the_same_function_in_both(snapshot: Snapshot) -> None:
    cases = [(0, 0, 1), (1, 1, 1), (5, 0, 3), (5, 2, 3), (5, 5, 5), (100, 1, 100), (100, 3, 50), (10_000, 7, 100),
             (10_000, 9_000, 10_000), (10_000, 1, 9_999), (5, 2, 6), (5, 6, 1), (5, 2, 0)]  # fmt: skip
    values = ", ".join(f"({n}, {c}, {k})" for n, c, k in cases)
    text = f"SELECT n, c, k, analytics.pass_at_k(n, c, k) AS value FROM (VALUES {values}) AS t (n, c, k)"  # noqa: S608
    here = {(row["n"], row["c"], row["k"]): row["value"] for row in snapshot.rows(text)}
    with transaction() as connection:
        there = {tuple(row[:3]): row[3] for row in connection.exec_driver_sql(text)}
    for n, c, k in cases:
        exact = None if k > n or k < 1 or c > n else 1 - math.comb(n - c, k) / math.comb(n, k) if n < 200 else "?"
        for value in (here[n, c, k], there[n, c, k]):
            if exact is None:
                assert value is None, (n, c, k)
            elif exact != "?":
                assert value == pytest.approx(exact, abs=1e-13), (n, c, k)
        if exact is not None:
            assert here[n, c, k] == pytest.approx(there[n, c, k], rel=1e-12)


COUNTS = [
    *((0, 0, 1), (1, 1, 1), (1, 0, 2), (5, 0, 3), (5, 2, 3), (5, 5, 5), (5, 5, 6), (5, 3, 5), (100, 1, 100), (7, 2, 3)),
    *((100, 3, 50), (10_000, 7, 100), (10_000, 9_000, 500), (10_000, 9_990, 5_000), (5, 2, 6), (5, 6, 1), (5, 2, 0)),
]
KIN = {
    "log_fail_at_k": st.log_fail_at_k,
    "pass_hat_k": st.pass_hat_k,
    "g_pass_at_k": lambda n, c, k: st.g_pass_at_k(n, c, k, "0.6"),
    "expected_attempts": st.expected_attempts,
    "pass_at_k_within_var": st.pass_at_k_within_var,
    "inverse_sampling_fail_at_k": st.inverse_sampling_fail_at_k,
}


@pytest.mark.parametrize("name", sorted(KIN))
def test_the_kin_of_pass_at_k_are_the_same_in_both_and_in_python(snapshot: Snapshot, name: str) -> None:
    assert set(KIN) | {"pass_at_k"} == set(MACROS)
    values = ", ".join(f"({n}, {c}, {k})" for n, c, k in COUNTS)
    tau = ", 0.6" if name == "g_pass_at_k" else ""
    text = f"SELECT n, c, k, analytics.{name}(n, c, k{tau}) AS value FROM (VALUES {values}) AS t (n, c, k)"  # noqa: S608
    here = {(row["n"], row["c"], row["k"]): row["value"] for row in snapshot.rows(text)}
    with transaction() as connection:
        there = {tuple(row[:3]): row[3] for row in connection.exec_driver_sql(text)}
    for counts in COUNTS:
        try:
            exact = KIN[name](*counts)
        except PassatkError:
            exact = None
        if counts[2] < 1 and name != "inverse_sampling_fail_at_k":
            exact = None  # a budget of nothing is not asked about in SQL
        for value in (here[counts], there[counts]):
            if exact is None:
                assert value is None, counts
            else:
                assert value == pytest.approx(exact, rel=1e-11, abs=1e-13), counts


def test_a_bare_client_needs_the_catalogue_file_alone(mirror: Path) -> None:
    text = """
        SELECT r.run, avg(pass_at_k(p.n, p.c, 2)), avg(pass_hat_k(p.n, p.c, 2)), avg(g_pass_at_k(p.n, p.c, 2, 0.5))
        FROM analytics.problem_counts AS p
        INNER JOIN analytics.runs AS r ON p.run_id = r.run_id AND p.verifier_id = r.reference_verifier_id
        WHERE r.run = 'small' GROUP BY r.run
    """
    program = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).execute(sys.argv[2]).fetchall())"
    asked = [sys.executable, "-I", "-c", program, str(mirror / "catalogue.duckdb"), text]
    shown = subprocess.run(asked, capture_output=True, text=True, check=True, cwd="/").stdout
    ((run, coverage, every, some),) = ast.literal_eval(shown)
    assert (run, coverage) == ("small", pytest.approx(brute_coverage(2)))
    assert some >= every


def test_majority_vote_is_brute_force(snapshot: Snapshot) -> None:
    records = snapshot.query("selection", run="small", k=[1, 2, 3, 4, 5, 6]).records()
    for record in records[:5]:
        assert record["selection_accuracy"] == pytest.approx(brute_majority(record["k"]), abs=1e-12)
        assert record["coverage"] == pytest.approx(brute_coverage(record["k"]), abs=1e-14)
        assert (record["verifier"], record["answers_from"], record["method"]) == (
            "chain@1",
            "answer@1",
            "majority_vote",
        )
    assert records[5]["selection_accuracy"] is None
    # Problem 0: "7" leads, two of three correct; problem 1: "1" and "2" tie, 2 of 2 correct; problem 2: never.
    assert records[0]["plateau"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_cost_is_counted_by_hand(snapshot: Snapshot) -> None:
    usd = [
        [(PROMPT_TOKENS / REQUEST_SAMPLES * INPUT_USD + tokens * OUTPUT_USD) / 1e6 for _, _, tokens in decided(problem)]
        for problem in range(3)
    ]
    records = snapshot.query("cost", run="small", k=[1, 3, 6]).records()
    for record in records[:2]:
        k = record["k"]
        total = sum(k * np.mean(costs) for costs in usd)
        assert record["usd_total"] == pytest.approx(total)
        assert record["usd_per_problem"] == pytest.approx(total / 3)
        assert record["solved"] == pytest.approx(3 * brute_coverage(k))
        assert record["usd_per_solved"] == pytest.approx(total / (3 * brute_coverage(k)))
        assert record["prompt_tokens"] == pytest.approx(4 * k)
        assert record["price_from"] == "2024-01-01"
        assert record["usd_until_solved"] == pytest.approx(np.mean([_until_solved(p, usd[p], k) for p in range(3)]))
        attempts = np.mean([_until_solved(p, [1.0] * len(usd[p]), k) for p in range(3)])
        assert record["expected_attempts"] == pytest.approx(attempts)
    assert records[2]["usd_total"] is None


def _until_solved(problem: int, usd: list[float], k: int) -> float:
    """Mean over the orders of k samples of what is paid up to the first correct one."""
    from itertools import permutations

    right = [correct for _, correct, _ in decided(problem)]
    paid = []
    for order in permutations(range(len(right)), k):
        spent = 0.0
        for place in order:
            spent += usd[place]
            if right[place]:
                break
        paid.append(spent)
    return float(np.mean(paid))


def test_a_missing_price_is_one_clear_line(snapshot: Snapshot) -> None:
    with pytest.raises(NoPrice, match="No price for model gratis: `passatk price set --model gratis"):
        snapshot.query("cost", run="free")
    with pytest.raises(NoPrice, match=r"No price for model tiny on 2020-01-01 \(the first starts on 2024-01-01\)"):
        snapshot.query("cost", run="small", price_day="2020-01-01")
    with pytest.raises(BadParameter, match="must be a day"):
        snapshot.query("cost", run="small", price_day="soon")


def test_pass_rates(snapshot: Snapshot) -> None:
    records = snapshot.query("pass_rates", run="small").records()
    assert [(r["problem"], r["n"], r["c"], r["undecided"]) for r in records] == [
        ("p0", 6, 2, 0),
        ("p1", 5, 2, 1),
        ("p2", 6, 0, 0),
    ]
    assert [(r["distinct_answers"], r["majority_answer"], r["majority_correct"]) for r in records] == [
        (3, "7", True),
        (3, "1", False),
        (3, "4", False),
    ]
    assert [r["reference_answer"] for r in records] == ANSWERS
    assert records[0]["median_completion_tokens"] == 35


def test_run_summary(snapshot: Snapshot) -> None:
    small, bare, free = snapshot.query("run_summary").records()
    assert (small["run"], small["benchmark"], small["model"], small["reference"]) == (
        "small",
        "sums@1",
        "tiny",
        "chain@1",
    )
    assert (small["samples"], small["judged"], small["correct"], small["undecided"]) == (18, 17, 4, 1)
    assert (small["n_min"], small["n_max"], small["truncated"], small["temperature"]) == (5, 6, 3, 0.5)
    assert small["pass_at_1"] == pytest.approx(brute_coverage(1))
    assert small["coverage_at_n"] == pytest.approx(brute_coverage(5))
    tokens = sum(tokens for problem in SAMPLES for _, _, tokens in problem)
    assert small["completion_tokens"] == tokens
    assert small["spent_usd"] == pytest.approx((18 * 4 * INPUT_USD + tokens * OUTPUT_USD) / 1e6)
    assert (small["state"], free["state"]) == ("complete", "complete")
    assert (bare["samples"], bare["judged"], bare["n_min"], bare["pass_at_1"], bare["last_written_at"]) == (
        0, 0, None, None, None,
    )  # fmt: skip
    assert free["spent_usd"] is None


def test_run_verifiers(snapshot: Snapshot) -> None:
    records = snapshot.query("run_verifiers", run="small").records()
    assert [(r["verifier"], r["is_reference"], r["judged"], r["undecided"], r["has_answers"]) for r in records] == [
        ("chain@1", True, 17, 1, False),
        ("answer@1", False, 18, 0, True),
    ]


def test_a_verifier_against_the_reference(snapshot: Snapshot) -> None:
    record = snapshot.query("verifier_agreement", run="small", verifier="answer").records()[0]
    assert (record["tp"], record["fp"], record["fn"], record["tn"]) == (4, 2, 0, 11)
    assert record["precision"] == pytest.approx(4 / 6)
    assert record["recall"] == 1
    assert (record["accepted"], record["truly_correct"], record["reference"]) == (6, 4, "chain@1")
    with pytest.raises(BadParameter, match="is itself the reference"):
        snapshot.query("verifier_agreement", run="small", verifier="chain")


def test_samples_of_a_problem(snapshot: Snapshot) -> None:
    answer = snapshot.query("samples", run="small", problem="p1", limit=4)
    assert [r["outcome"] for r in answer.records()] == ["incorrect", "incorrect", "correct", "correct"]
    assert answer.records()[0]["matching"] == 6
    assert answer.notes == ("2 more samples match; ask for the next page with offset 4.",)
    rest = snapshot.query("samples", run="small", problem="p1", limit=4, offset=4)
    assert [r["outcome"] for r in rest.records()] == ["undecided", "incorrect"]
    assert rest.notes == ()
    read = snapshot.query("samples", run="small", problem="p1", verifier="answer", outcome="correct").records()
    assert [(r["sample_index"], r["answer"]) for r in read] == [(2, "2"), (3, "2"), (4, "2")]
    assert snapshot.query("samples", run="small", problem="p1", outcome="unjudged").rows == []
    with pytest.raises(BadParameter, match="limit = 5000 is not between"):
        snapshot.query("samples", run="small", problem="p1", limit=5000)


def test_samples_that_two_verifiers_judged_so_are_those_that_are_counted(snapshot: Snapshot) -> None:
    (table,) = snapshot.query("verifier_agreement", run="small", verifier="answer").records()
    cells = {("correct", "correct"): "tp", ("correct", "incorrect"): "fp", ("incorrect", "correct"): "fn",
             ("incorrect", "incorrect"): "tn"}  # fmt: skip
    for (outcome, second), cell in cells.items():
        asked = {"verifier": "answer", "outcome": outcome, "second_verifier": "chain", "second_outcome": second}
        found = [len(snapshot.query("samples", run="small", problem=f"p{p}", **asked).rows) for p in range(3)]
        assert sum(found) == table[cell], cell
    with pytest.raises(BadParameter, match="name one"):
        snapshot.query("samples", run="small", problem="p1", second_outcome="correct")


def test_what_samples_cost_adds_up_to_what_the_run_cost(snapshot: Snapshot) -> None:
    found = []
    for problem, samples in enumerate(SAMPLES):
        for index in (i for i, sample in enumerate(samples) if sample[1] != "?"):
            found += snapshot.query("sample", run="small", problem=f"p{problem}", sample_index=index).records()
    costs = [INPUT_USD * PROMPT_TOKENS / REQUEST_SAMPLES + OUTPUT_USD * one["completion_tokens"] for one in found]
    assert [1e6 * one["usd"] for one in found] == pytest.approx(costs)
    (k,) = snapshot.query("cost", run="small", k=[1]).records()
    by_problem = [[one["usd"] for one in found if one["problem"] == f"p{problem}"] for problem in range(3)]
    assert k["usd_per_problem"] == pytest.approx(sum(sum(usd) / len(usd) for usd in by_problem) / 3)
    assert {str(one["priced_from"]) for one in found} == {"2024-01-01"}
    before = snapshot.query("sample", run="small", problem="p0", sample_index=0, price_day="2023-12-31").records()[0]
    free = snapshot.query("sample", run="free", problem="p0", sample_index=0).records()[0]
    assert {(one["usd"], one["priced_from"]) for one in (before, free)} == {(None, None)}


def test_one_sample_and_its_verdicts(snapshot: Snapshot) -> None:
    record = snapshot.query("sample", run="small", problem="p1", sample_index=2).records()[0]
    assert (record["prompt"], record["completion"], record["reference_answer"]) == ("Q: 1?", "2 2", "2")
    assert record["created_at"].utcoffset().total_seconds() == 0
    verdicts = snapshot.query("sample_verdicts", run="small", problem="p1", sample_index=2).records()
    assert [(v["verifier"], v["outcome"], v["answer"]) for v in verdicts] == [
        ("chain@1", "correct", None),
        ("answer@1", "correct", "2"),
    ]
    assert json.loads(verdicts[0]["detail"]) == {"i": 2}
    with pytest.raises(UnknownName, match="has no sample 99"):
        snapshot.query("sample", run="small", problem="p1", sample_index=99)


def test_answers_of_a_problem(snapshot: Snapshot) -> None:
    records = snapshot.query("answer_clusters", run="small", problem="p0").records()
    assert [(r["answer"], r["count"], r["correct"]) for r in records] == [
        ("7", 3, 2),
        ("8", 1, 0),
        ("9", 1, 0),
        (None, 1, 0),
    ]
    assert sum(r["share"] for r in records) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "parameters", "error", "message"),
    [
        ("coverage", {"run": "smal"}, UnknownName, 'No run "smal" in the snapshot; there are: free, bare, small'),
        ("coverage", {"run": "small", "verifier": "x"}, UnknownName, "there are: chain@1, answer@1"),
        ("coverage", {"run": "bare"}, NothingJudged, "passatk verify --run bare"),
        ("selection", {"run": "small", "answers_from": "chain"}, UnknownName, "--answers-from may be answer@1"),
        ("samples", {"run": "small", "problem": "q1"}, UnknownName, "the nearest: "),
    ],
)
def test_unknown_names_say_what_is_known(
    snapshot: Snapshot, name: str, parameters: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message.replace("(", r"\(")):
        snapshot.query(name, **parameters)


PLAIN = {"problem": "p1", "sample_index": 1, "verifier": "answer", "target": 0.3}
#: Which runs a query is asked about here; `small` where nothing else is said.
ASKED = {"coverage_difference": ["small", "free"], "suspicious_references": ["small", "free"], "flaky_problems": "free"}


#: Queries about what this small store does not hold; test_analytics_methods.py asks them.
ELSEWHERE = {
    *("best_of_k", "weighted_vote", "generated_test_agreement", "resample_until_accept", "reliability", "flops"),
    *("undecided_bounds", "false_positives", "mcnemar", "sample_size", "cost_table", "coverage_at_budget", "pareto"),
    *("stage_costs", "score_thresholds", "preference_agreement", "coverage_by_tag"),
}


@pytest.mark.parametrize("name", sorted(set(catalogue()) - ELSEWHERE))
def test_every_query_answers_with_its_catalogued_columns_and_grain(snapshot: Snapshot, name: str) -> None:
    entry = concept(name)
    known = PLAIN | {"run": ASKED.get(name, "small")}
    given = {p.name: known[p.name] for p in entry.parameters if p.required or p.name == "run"}
    answer = snapshot.query(name, **given)
    assert answer.columns == tuple(column.name for column in entry.columns)
    assert answer.rows
    names = (
        "run",
        "run_id",
        "verifier",
        "method",
        "law",
        "k",
        "problem",
        "problem_id",
        "sample_index",
        "attempt",
        "answer",
    )
    keys = [column for column in names if column in answer.columns]
    seen = [tuple(record[key] for key in keys) for record in answer.records()]
    assert len(seen) == len(set(seen)), "two rows of one grain"
    assert snapshot.table(answer.sql).num_rows >= 1


def test_a_run_beside_a_baseline(snapshot: Snapshot) -> None:
    same = snapshot.query("coverage_difference", run=["small", "free"], k=[1, 2]).records()
    # In `free` the first sample of the first problem is judged both ways, so undecided: 1 of 5 instead of 2 of 6.
    assert same[0]["difference"] == pytest.approx((1 / 5 - 2 / 6) / 3)
    assert same[0]["low"] < same[0]["difference"] < same[0]["high"]
    assert (same[0]["problems"], same[0]["only_run"], same[0]["only_baseline"]) == (3, 0, 0)
    with pytest.raises(BadParameter, match="at least two runs"):
        snapshot.query("coverage_difference", run=["small"])


def test_the_cheapest_way_to_a_coverage(snapshot: Snapshot) -> None:
    record = snapshot.query("cost_to_target", run="small", target=0.5).records()[0]
    assert record["reached"]
    assert brute_coverage(record["k"]) >= 0.5 > brute_coverage(record["k"] - 1)
    at_k = snapshot.query("cost", run="small", k=record["k"]).records()[0]
    assert (record["usd_total"], record["coverage"]) == (at_k["usd_total"], at_k["coverage"])
    missed = snapshot.query("cost_to_target", run="small", target=0.9).records()[0]
    assert (missed["reached"], missed["k"], missed["usd_total"], missed["cheapest"]) == (False, None, None, False)
    assert missed["coverage"] == pytest.approx(brute_coverage(5))
    with pytest.raises(BadParameter, match="not a share"):
        snapshot.query("cost_to_target", run="small", target=60)


def test_problems_that_need_a_look(snapshot: Snapshot) -> None:
    flaky = snapshot.query("flaky_problems", run="free").records()
    assert [(f["problem"], f["verifier"], f["judged_again"], f["disagreeing"], f["tied"]) for f in flaky] == [
        ("p0", "chain@1", 1, 1, 1)
    ]
    assert snapshot.query("flaky_problems", run="small").rows == []
    suspicious = snapshot.query("suspicious_references").records()
    found = [(s["problem"], s["answer"], s["reference_answer"], s["runs"]) for s in suspicious]
    assert found == [("p2", "4", "6", 2)], "on p1 two answers tie: nobody agrees on one"
    hardest = snapshot.query("problem_difficulty").records()[0]
    assert (hardest["problem"], hardest["runs"], hardest["solved_by"], hardest["pass_rate"]) == ("p2", 2, 0, 0.0)
    cut = snapshot.query("truncation", run="small").records()[0]
    assert (cut["truncated"], cut["problems_truncated"], cut["worst_share"]) == (3, 3, pytest.approx(1 / 6))


def test_forecasts_carry_their_record_and_end(snapshot: Snapshot) -> None:
    answer = snapshot.query("forecast", run="small", k=[10, 50, 51])
    assert {r["law"] for r in answer.records()} >= {"beta_binomial", "power_law_log"}
    for record in answer.records():
        assert record["ratio"] == record["k"] / 5
        assert (record["coverage"] is None) == (record["k"] > 50)
        if record["coverage"] is not None:
            assert record["all_low"] <= record["coverage"] <= record["all_high"]
    assert any("no law is known to hold" in note for note in answer.notes)


def test_the_command_line(mirror: Path) -> None:
    def run(command: object, *words: str) -> str:
        result = CliRunner().invoke(command, list(words), catch_exceptions=False)  # type: ignore[arg-type]
        assert result.exit_code == 0, result.output
        return result.stdout

    records = json.loads(run(query_command, "coverage", "--run", "small", "--k", "1,5,6", "--format", "json"))
    assert [record["k"] for record in records] == [1, 5, 6]
    assert records[0]["coverage"] == pytest.approx(brute_coverage(1), abs=1e-15)
    assert records[2]["coverage"] is None
    assert "23.53 %" not in run(query_command, "coverage", "--run", "small", "--format", "csv")
    table = run(query_command, "coverage", "--run", "small", "--k", "1")
    assert f"{100 * brute_coverage(1):.2f} %" in table
    assert "Snapshot taken at" in table
    assert "avg(analytics.pass_at_k" in run(query_command, "coverage", "--run", "small", "--show-sql")
    assert json.loads(run(sql_command, "SELECT count(*) AS n FROM verdicts", "--format", "json")) == [{"n": 73}]
    assert "selection" in run(queries_command)
    assert "verdicts" in run(mirror_command, "status")
    assert "Nothing is new" in run(mirror_command, "refresh")
    assert "agree on" in run(mirror_command, "verify")


def test_every_k_above_n_is_an_error_that_says_the_largest(mirror: Path) -> None:
    for name in ("coverage", "selection", "cost"):
        with pytest.raises(BudgetTooLarge, match=r"the largest k is 5\."):
            CliRunner().invoke(query_command, [name, "--run", "small", "--k", "6,700"], catch_exceptions=False)


def test_coverage_of_the_published_humaneval_samples(mirror: Path, tmp_path: Path) -> None:
    """Real samples with the counts of an independent executor: pass@1, 10, 100 = 0.2345, 0.5424, 0.7927."""
    if not DATA.is_dir():
        pytest.skip(f"the shared data is not at {DATA}: set PASSATK_SHARED_DATA")
    import_benchmark(DATA / "humaneval_even.jsonl.gz", "humaneval-even", "humaneval")
    file = SampleFile(DATA / "humaneval_even_codegen16b_samples.jsonl.gz", "codet", STOP_WORDS)
    imported = import_samples(file, "codegen", "humaneval-even", "codegen-16b")
    counts = json.loads((DATA / "humaneval_even_codegen16b_counts.json").read_text())
    with transaction() as connection:
        verifier = ensure_verifier(connection, "unit-tests", "1")
        attach_verifier(connection, imported.run.run_id, verifier.verifier_id)
        set_reference(connection, imported.run.run_id, verifier.verifier_id)
        keys = sa.select(problems.c.problem_id, problems.c.key).where(
            problems.c.benchmark_id == imported.run.benchmark_id
        )
        for problem_id, key in connection.execute(keys).all():
            batch = _batch(connection, imported.run.run_id, problem_id, verifier.verifier_id)
            rows = [
                VerdictRow(imported.run.run_id, problem_id, i, verifier.verifier_id, 0, batch,
                           "correct" if i < counts[key][1] else "incorrect", None, None, None, 0.1)
                for i in range(counts[key][0])
            ]  # fmt: skip
            mark_done(connection, write_verdicts(connection, rows))
    own = tmp_path / "mirror"
    refresh(store_address(StoreSettings.from_environment()), own)
    with open_snapshot(own) as snapshot:
        records = snapshot.query("coverage", run="codegen", k=[1, 10, 100]).records()
        assert [round(record["coverage"], 4) for record in records] == [0.2345, 0.5424, 0.7927]
        assert sum(row["c"] for row in snapshot.query("pass_rates", run="codegen").records()) == 1923
        with gzip.open(DATA / "humaneval_even.jsonl.gz", "rt") as lines:
            first = json.loads(next(lines))
        record = snapshot.query("sample", run="codegen", problem=first["task_id"], sample_index=0).records()[0]
        assert record["prompt"] == first["prompt"]
        assert not any(word in record["completion"] for word in STOP_WORDS)
