"""Ask a judging model which of two samples is better, both orders of each pair, and keep what it said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from store.connection import patiently, transaction
from store.model_registry import ensure_model
from store.preferences import Pair, PreferenceRow, plan_pairs, write_preferences
from store.runs import Run
from store.verdict_sides import CostRow
from store.verifier_registry import ensure_verifier
from store.work import problem_row
from workers.verifiers.model_judge import ModelJudge, Preference
from workers.verifiers.protocol import JudgingCost, Problem

#: A pairwise judge is a verifier of its own: its rows are preferences, never verdicts.
NAME = "pairwise"


def prefer(run: Run, judge: ModelJudge, options: Mapping[str, Any], pairs: int) -> Iterator[Counter[str]]:
    """Judge up to `pairs` pairs for each problem; yields, after each problem, how often who won in all so far.

    The winners counted are those of both orders together: first, second, tie (which is also where the orders disagree),
    undecided; `swayed` counts pairs where they disagree. What is stored is not asked again.
    """
    with transaction() as connection:
        verifier = ensure_verifier(connection, NAME, judge.version, options)
        planned = plan_pairs(connection, run, verifier.verifier_id, pairs)
    totals: Counter[str] = Counter()
    for problem_id, chosen in planned.items():
        said = judge.prefer(_problem(problem_id), [(pair.first, pair.second) for pair in chosen])
        rows = [row for pair, one in zip(chosen, said, strict=True) for row in _rows(pair, one)]
        patiently(lambda: _write(run, problem_id, verifier.verifier_id, rows))  # noqa: B023 - called at once
        totals.update(one.winner for one in said)
        totals["swayed"] += sum({one.forward, one.backward} == {"first", "second"} for one in said)
        totals["pairs"] += len(said)
        yield totals


def _problem(problem_id: int) -> Problem:
    with transaction() as connection:
        row = problem_row(connection, problem_id)
    return Problem(row.key, row.prompt, row.reference_answer, metadata=row.metadata)


def _rows(pair: Pair, said: Preference) -> list[PreferenceRow]:
    """A row for each order, in which `first` is the sample that was shown first in it."""
    turned = {"first": "second", "second": "first"}.get(said.backward, said.backward)
    seconds = said.seconds / 2
    return [
        PreferenceRow(pair.first_index, pair.second_index, said.forward, seconds, _cost(said.costs[0])),
        PreferenceRow(pair.second_index, pair.first_index, turned, seconds, _cost(said.costs[1])),
    ]


def _cost(cost: JudgingCost) -> CostRow:
    values = asdict(cost)
    name = values.pop("model")

    def model_id() -> int:
        with transaction() as connection:
            return ensure_model(connection, name, "openai").model_id

    row = CostRow(**values)
    return row if name is None else replace(row, model_id=patiently(model_id))


def _write(run: Run, problem_id: int, verifier_id: int, rows: list[PreferenceRow]) -> None:
    with transaction() as connection:
        write_preferences(connection, run.run_id, problem_id, verifier_id, rows)
