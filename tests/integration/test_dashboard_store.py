"""The store that the dashboard's tests and pictures read: a benchmark of sums, four runs, two verifiers, known counts.

`seed` writes it through the store's own doors; everything is drawn with a fixed seed, so its numbers never change.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from store import model_registry, verifier_registry
from store.analytics import open_snapshot
from store.analytics.refresh import refresh
from store.batches import mark_done
from store.benchmarks import import_benchmark
from store.connection import database_url, transaction
from store.run_tags import change_tags
from store.runs import Run, find_run, set_reference
from store.sample_import import SampleFile, import_samples
from store.settings import StoreSettings
from store.tables import batches
from store.verdicts import VerdictRow, write_verdicts

PROBLEMS = 40
#: Text that would call home or run, were it ever rendered.
HOSTILE = (
    "<script>document.title='taken'</script>\n<img src='https://evil.example/pixel.png'>\n"
    "![picture](https://evil.example/beacon.png)\n[link](javascript:alert(1))\n"
    "$\\href{https://evil.example}{x}$\n#### 7"
)


@dataclass(frozen=True)
class SeededRun:
    """What is drawn for one run: samples per problem, skill in (0, 1), and how many verdicts break."""

    name: str
    model: str
    samples: int
    skill: float
    broken: int = 0


RUNS = (
    SeededRun("small-t08", "sums-8m", 200, 0.5),
    SeededRun("small-t02", "sums-8m", 50, 0.35, broken=7),
    SeededRun("unpriced", "sums-1m", 20, 0.2),
)


def seed(folder: Path) -> None:
    """Fill the store that the environment names; `folder` is for the files it is imported from."""
    _write_lines(folder / "sums.jsonl", (_problem(place) for place in range(PROBLEMS)))
    import_benchmark(folder / "sums.jsonl", "sums", "jsonl")
    for run in RUNS:
        _seed_run(run, folder)
    only_sampled = SeededRun("unjudged", "sums-1m", 3, 0.2)
    _import(only_sampled, folder)
    with transaction() as connection:
        change_tags(connection, find_run(connection, RUNS[0].name), ["paper"])
        model_registry.set_price(connection, "sums-8m", date(2026, 1, 1), Decimal("0.05"), Decimal("0.20"))


def _problem(place: int) -> dict[str, object]:
    a, b = 3 + place, 2 + place % 7
    return {"id": f"sum-{place:02d}", "prompt": f"What is {a} + {b}?", "answer": str(a + b), "level": place % 4}


def _chance(run: SeededRun, place: int) -> float:
    """How often a sample is right: from easy to never over the problems."""
    return 0.0 if place >= PROBLEMS - 4 else max(0.0, run.skill * (1 - place / PROBLEMS) ** 3)


def _seed_run(run: SeededRun, folder: Path) -> None:
    stored = _import(run, folder)
    with transaction() as connection:
        chain = verifier_registry.ensure_verifier(connection, "chain", "1")
        answer = verifier_registry.ensure_verifier(connection, "answer", "1")
        for verifier in (chain, answer):
            verifier_registry.attach_verifier(connection, stored.run_id, verifier.verifier_id)
            _judge(connection, run, stored, verifier.verifier_id, strict=verifier is chain)
        set_reference(connection, stored.run_id, chain.verifier_id)


def _import(run: SeededRun, folder: Path) -> Run:
    file = folder / f"{run.name}.jsonl"
    rows = (
        {
            "task_id": f"sum-{place:02d}",
            "completion": HOSTILE if (place, index) == (0, 0) and run.samples > 100 else drawn.text,
            "prompt_tokens": 12,
            "completion_tokens": len(drawn.text) // 2,
            "finish_reason": "length" if index == 1 else "stop",
        }
        for place, index, drawn in _drawn(run)
    )
    _write_lines(file, rows)
    return import_samples(SampleFile(file, "jsonl"), run.name, "sums", run.model).run


@dataclass(frozen=True)
class Drawn:
    """One sample: its text and answer, whether its chain of steps holds, whether its answer is right."""

    text: str
    answer: str
    chain: bool
    right: bool


def _drawn(run: SeededRun) -> Iterator[tuple[int, int, Drawn]]:
    draw = random.Random(run.name)
    for place in range(PROBLEMS):
        problem = _problem(place)
        true = int(str(problem["answer"]))
        for index in range(run.samples):
            chain = draw.random() < _chance(run, place)
            lucky = not chain and draw.random() < 0.03
            got = true if chain or lucky else true + draw.choice((-3, -2, -1, -1, 1, 1, 1, 2, 5))
            step = f"{true - 1} + 1 = {got}" if chain else f"{true - 2} + 1 = {got}"
            yield place, index, Drawn(f"Step 1: {step}\n#### {got}", str(got), chain, got == true)


def _judge(connection: sa.Connection, run: SeededRun, stored: Run, verifier_id: int, strict: bool) -> None:
    problems = dict(
        connection.execute(
            sa.text("SELECT key, problem_id FROM store.problems WHERE benchmark_id = :b"), {"b": stored.benchmark_id}
        ).all()
    )
    batch_of = {
        place: connection.execute(
            sa.insert(batches)
            .values(
                run_id=stored.run_id,
                problem_id=problems[f"sum-{place:02d}"],
                verifier_id=verifier_id,
                first_index=0,
                end_index=run.samples,
            )
            .returning(batches.c.batch_id)
        ).scalar_one()
        for place in range(PROBLEMS)
    }
    rows = [
        _verdict(run, stored, verifier_id, strict, problems[f"sum-{place:02d}"], batch_of[place], place, index, drawn)
        for place, index, drawn in _drawn(run)
    ]
    mark_done(connection, write_verdicts(connection, rows))


def _verdict(
    run: SeededRun,
    stored: Run,
    verifier_id: int,
    strict: bool,
    problem_id: int,
    batch_id: int,
    place: int,
    index: int,
    drawn: Drawn,
) -> VerdictRow:
    accepted = drawn.chain if strict else drawn.right
    outcome, reason, detail = "correct", None, None
    if not accepted:
        outcome, reason = "incorrect", "wrong_answer"
        detail = {"expected": _problem(place)["answer"], "got": drawn.answer, "checked": drawn.text.splitlines()[0]}
    if strict and index == 0 and 0 < place <= run.broken:
        outcome, reason, detail = "undecided", "sandbox_failed", {"error": "The sandbox could not be made."}
    return VerdictRow(
        run_id=stored.run_id,
        problem_id=problem_id,
        sample_index=index,
        verifier_id=verifier_id,
        attempt=0,
        batch_id=batch_id,
        outcome=outcome,
        reason=reason,
        answer=None if outcome == "undecided" else drawn.answer,
        score=None,
        seconds=0.01,
        detail=detail,
    )


def _write_lines(path: Path, rows: Iterator[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_the_seeded_store_has_the_counts_it_was_drawn_with(store: StoreSettings, tmp_path: Path) -> None:
    seed(tmp_path)
    refresh(database_url(), store.mirror)
    run = RUNS[0]
    correct = sum(drawn.chain for _, _, drawn in _drawn(run))
    summary = {row["run"]: row for row in open_snapshot(store.mirror).query("run_summary").records()}
    assert summary[run.name]["correct"] == correct
    assert summary[run.name]["samples"] == run.samples * PROBLEMS
    assert summary["unjudged"]["judged"] in (0, None)
    coverage = open_snapshot(store.mirror).query("coverage", run=run.name, k=[1]).records()[0]
    assert coverage["coverage"] == pytest.approx(correct / (run.samples * PROBLEMS))
