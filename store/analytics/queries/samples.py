"""Drill-down: samples of a problem, one sample with its text, its verdicts, and the answers of a problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter, NothingJudged, UnknownName
from store.analytics.naming import Run, find_problem, find_runs, judged_by, named, verifiers
from store.analytics.queries.answers import reader_for
from store.analytics.queries.pricing import day_of
from store.analytics.result import Result

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

#: Most samples on one page: lists are looked at, whole runs are exported.
LONGEST_PAGE = 1000


#: The key of no verifier.
_NOBODY = -1
_FILTERS = (
    *("outcome", "answer", "reason", "finish_reason", "contains"),
    *("score_from", "score_to", "second_outcome"),
)


def _place(snapshot: Snapshot, parameters: Mapping[str, Any]) -> tuple[Run, int]:
    run = find_runs(snapshot, [parameters["run"]])[0]
    return run, find_problem(snapshot, run, parameters["problem"])[0]


def samples(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """A page of a problem's samples, without their text."""
    run, problem_id = _place(snapshot, parameters)
    limit = parameters["limit"]
    if not 1 <= limit <= LONGEST_PAGE:
        raise BadParameter(f"Query samples: limit = {limit} is not between 1 and {LONGEST_PAGE:,}.")
    second = parameters["second_verifier"]
    if second is None and parameters["second_outcome"] is not None:
        raise BadParameter("Query samples: second_outcome is that of second_verifier; name one.")
    values = {
        "run_id": run.run_id,
        "problem_id": problem_id,
        "verifier_id": _verifier_id(snapshot, run, parameters["verifier"]),
        "second_verifier_id": _NOBODY if second is None else _verifier_id(snapshot, run, second),
        **{name: parameters[name] for name in _FILTERS},
        "limit": limit,
        "offset": parameters["offset"],
    }
    sql = entry.filled(values)
    table = snapshot.table(sql)
    matching = table.column("matching")[0].as_py() if table.num_rows else 0
    shown = table.num_rows + parameters["offset"]
    notes = (f"{matching - shown:,} more samples match; ask for the next page with offset {shown}.",)
    return Result(table, notes if matching > shown else (), sql)


def _verifier_id(snapshot: Snapshot, run: Run, name: str | None) -> int:
    """The verifier's key; the run's reference, or nobody's, when none is named: samples can be read unjudged."""
    if name is None:
        return _NOBODY if run.reference_verifier_id is None else run.reference_verifier_id
    try:
        return judged_by(snapshot, [run], name)[0].verifier.verifier_id
    except NothingJudged:
        known = list(verifiers(snapshot).values())
        found = named(known, name)
        if not found:
            labels = ", ".join(one.label for one in known) or "none"
            raise UnknownName(f'No verifier "{name}" in the snapshot; there are: {labels}.') from None
        return found[0].verifier_id


def _of_sample(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> tuple[Run, str]:
    run, problem_id = _place(snapshot, parameters)
    values: dict[str, Any] = {"run_id": run.run_id, "problem_id": problem_id}
    values["sample_index"] = parameters["sample_index"]
    if "price_day" in parameters:
        values["price_day"] = day_of(snapshot, entry.name, parameters["price_day"])
    return run, entry.filled(values)


def sample(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """One sample with its prompt and completion; raises UnknownName when it was not drawn."""
    run, sql = _of_sample(snapshot, entry, parameters)
    table = snapshot.table(sql)
    if not table.num_rows:
        raise UnknownName(
            f'Run "{run.name}" has no sample {parameters["sample_index"]} of problem "{parameters["problem"]}" in the '
            "snapshot."
        )
    return Result(table, sql=sql)


def sample_verdicts(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Every verdict on one sample."""
    _, sql = _of_sample(snapshot, entry, parameters)
    return Result(snapshot.table(sql), sql=sql)


def answer_clusters(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """The answers of a problem, most frequent first."""
    run, problem_id = _place(snapshot, parameters)
    judged = judged_by(snapshot, [run], parameters["verifier"])[0]
    values = {
        "run_id": run.run_id,
        "problem_id": problem_id,
        "verifier_id": judged.verifier.verifier_id,
        "answers_from_id": reader_for(snapshot, judged, parameters["answers_from"]).verifier_id,
    }
    sql = entry.filled(values)
    return Result(snapshot.table(sql), sql=sql)
