"""Writing imported samples and verdicts: a chunk of whole batches at a time, each row with the record it came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from store.batches import mark_done
from store.connection import driver
from store.fingerprint import text_hash
from store.importers.records import ImportedSample, ImportedVerdict
from store.row_writing import copy_rows, storable_completion
from store.runs import RunExists
from store.samples import SampleRow, write_samples
from store.tables import batches
from store.verdicts import VerdictRow, write_verdicts

Key = tuple[int, int]


@dataclass(frozen=True)
class PlacedSample:
    """A sample with its key in the run and its place in the file; the completion is as it will be stored."""

    problem_id: int
    sample_index: int
    completion: str
    sample: ImportedSample
    locator: str

    @property
    def key(self) -> Key:
        return self.problem_id, self.sample_index


@dataclass(frozen=True)
class Target:
    """Where an import writes to."""

    run_id: int
    run_name: str
    import_id: int
    problem_keys: Mapping[int, str]


@dataclass
class Written:
    """Rows that were new."""

    samples: int = 0
    verdicts: int = 0


class ChunkWriter:
    """Writes chunks of samples. What is stored already is left as it is; another text under a stored key is refused."""

    def __init__(self, connection: sa.Connection, target: Target) -> None:
        self._connection = connection
        self._target = target
        self.written = Written()
        self._known_before: frozenset[Key] = frozenset()

    def write(self, chunk: Sequence[PlacedSample], verifiers: Mapping[str | None, int]) -> None:
        """Write a chunk; `verifiers` gives the key of each part's verifier."""
        stored = self._stored({placed.problem_id for placed in chunk})
        fresh: dict[Key, PlacedSample] = {}
        for placed in chunk:
            hashed = text_hash(storable_completion(placed.completion))
            if stored.setdefault(placed.key, hashed) != hashed:
                raise RunExists(self._conflict(placed))
            if placed.key not in self._known_before:
                fresh.setdefault(placed.key, placed)
        if fresh:
            self._write_samples(list(fresh.values()))
        self._write_verdicts(chunk, verifiers)

    def _stored(self, problem_ids: Iterable[int]) -> dict[Key, int]:
        query = b"""
            SELECT problem_id, sample_index, completion_hash FROM store.samples
            WHERE run_id = %s AND problem_id = ANY(%s)
        """
        rows = driver(self._connection).execute(query, [self._target.run_id, list(problem_ids)])
        found = {(problem, index): held for problem, index, held in rows}
        self._known_before = frozenset(found)
        return found

    def _conflict(self, placed: PlacedSample) -> str:
        key = self._target.problem_keys[placed.problem_id]
        return (
            f'{placed.locator}: Run "{self._target.run_name}" exists and holds another text as sample '
            f'{placed.sample_index} of problem "{key}": choose another --run, or --append to put these samples behind.'
        )

    def _write_samples(self, fresh: list[PlacedSample]) -> None:
        grouped: dict[int, list[int]] = defaultdict(list)
        for placed in fresh:
            grouped[placed.problem_id].append(placed.sample_index)
        made = self._batches([(problem, None, 0, indexes) for problem, indexes in grouped.items()])
        of = dict(zip(grouped, made, strict=True))
        rows = [_row(self._target.run_id, placed, of[placed.problem_id]) for placed in fresh]
        written = write_samples(self._connection, rows)
        copy_rows(
            driver(self._connection),
            "store.sample_sources (run_id, problem_id, sample_index, batch_id, import_id, locator)",
            ["int4", "int4", "int4", "int8", "int4", "text"],
            ((self._target.run_id, *placed.key, of[placed.problem_id], self._target.import_id, placed.locator)
             for placed in fresh),
        )  # fmt: skip
        mark_done(self._connection, {batch: written.get(batch, 0) for batch in made})
        self.written.samples += sum(written.values())

    def _batches(self, wanted: Sequence[tuple[int, int | None, int, Sequence[int]]]) -> list[int]:
        values = [
            {
                "run_id": self._target.run_id,
                "problem_id": problem,
                "verifier_id": verifier,
                "attempt": attempt,
                "first_index": min(indexes),
                "end_index": max(indexes) + 1,
                "import_id": self._target.import_id,
            }
            for problem, verifier, attempt, indexes in wanted
        ]
        statement = sa.insert(batches).returning(batches.c.batch_id, sort_by_parameter_order=True)
        return list(self._connection.scalars(statement, values))

    def _write_verdicts(self, chunk: Sequence[PlacedSample], verifiers: Mapping[str | None, int]) -> None:
        given = [
            (placed, verdict, verifiers[verdict.part]) for placed in chunk for verdict in placed.sample.verdicts
        ]  # fmt: skip
        if not given:
            return
        known = self._judged({placed.problem_id for placed in chunk}, set(verifiers.values()))
        grouped: dict[tuple[int, int, int], list[tuple[PlacedSample, ImportedVerdict]]] = defaultdict(list)
        for placed, verdict, verifier in given:
            before = known.setdefault((*placed.key, verifier), [])
            if _facts(verdict) not in before:
                # Another verdict on the same sample is another judgement of it: the next attempt.
                grouped[placed.problem_id, verifier, len(before)].append((placed, verdict))
                before.append(_facts(verdict))
        if not grouped:
            return
        made = self._batches([(*key, [one.sample_index for one, _ in pairs]) for key, pairs in grouped.items()])
        rows = [
            _verdict_row(self._target.run_id, placed, verdict, verifier, attempt, batch)
            for batch, ((_, verifier, attempt), pairs) in zip(made, grouped.items(), strict=True)
            for placed, verdict in pairs
        ]
        written = write_verdicts(self._connection, rows)
        mark_done(self._connection, {batch: written.get(batch, 0) for batch in made})
        self.written.verdicts += sum(written.values())

    def _judged(self, problem_ids: set[int], verifier_ids: set[int]) -> dict[tuple[int, int, int], list[Any]]:
        query = b"""
            SELECT problem_id, sample_index, verifier_id, outcome, answer, score FROM store.verdicts
            WHERE run_id = %s AND problem_id = ANY(%s) AND verifier_id = ANY(%s) ORDER BY attempt
        """
        values = [self._target.run_id, list(problem_ids), list(verifier_ids)]
        known: dict[tuple[int, int, int], list[Any]] = defaultdict(list)
        for problem, index, verifier, *facts in driver(self._connection).execute(query, values):
            known[problem, index, verifier].append(_plain(*facts))
        return known


def _facts(verdict: ImportedVerdict) -> tuple[Any, ...]:
    return _plain(verdict.outcome, verdict.answer, verdict.score)


def _plain(outcome: str, answer: str | None, score: float | None) -> tuple[Any, ...]:
    # Scores are stored in four bytes and answers cut: compared as they come back.
    return outcome, (answer or "")[:500], None if score is None else f"{score:.5g}"


def _row(run_id: int, placed: PlacedSample, batch_id: int) -> SampleRow:
    sample = placed.sample
    names = (
        "prompt_tokens", "cached_prompt_tokens", "completion_tokens", "request_samples", "cumulative_logprob",
        "latency_seconds", "seed", "reasoning_tokens",
    )  # fmt: skip
    values = {name: getattr(sample, name) for name in names}
    reason = finish_reason(sample.finish_reason)
    return SampleRow(run_id, *placed.key, batch_id, placed.completion, finish_reason=reason, **values)


_REASONS = {
    "max_tokens": "length",
    "model_length": "length",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
}


def finish_reason(said: str | None) -> str | None:
    """A foreign finish reason in the store's words where it means one of them."""
    return None if said is None else _REASONS.get(said.lower(), said.lower())


def _verdict_row(
    run_id: int, placed: PlacedSample, verdict: ImportedVerdict, verifier: int, attempt: int, batch: int
) -> VerdictRow:
    return VerdictRow(
        run_id, *placed.key, verifier, attempt, batch, verdict.outcome, verdict.reason, verdict.answer, verdict.score,
        verdict.seconds, verdict.detail, steps=verdict.steps,
    )  # fmt: skip
