"""Names that people use, looked up in a snapshot: runs, verifiers of a run, problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from store.analytics.errors import NothingJudged, UnknownName
from store.analytics.literals import quoted

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_SHOWN = 10


@dataclass(frozen=True)
class Run:
    """What a query needs to know of a run."""

    run_id: int
    name: str
    benchmark_id: int
    model_id: int
    model: str
    reference_verifier_id: int | None
    design: str
    stopping: str | None = None
    pilot_samples: int | None = None
    samples_per_problem: int | None = None


@dataclass(frozen=True)
class Verifier:
    """A verifier by key; `label` is NAME@VERSION, with #KEY where options alone tell two apart."""

    verifier_id: int
    name: str
    version: str
    label: str


@dataclass(frozen=True)
class Judged:
    """A run as one verifier judged it."""

    run: Run
    verifier: Verifier


def find_runs(snapshot: Snapshot, names: Sequence[str] | None) -> list[Run]:
    """Runs by name, in the order given and each once; all runs for None. Raises UnknownName naming known ones."""
    rows = snapshot.kept_rows(
        "SELECT r.run_id, r.run AS name, r.benchmark_id, r.model_id, m.model, r.reference_verifier_id, r.design, "
        "r.stopping, r.pilot_samples, r.samples_per_problem FROM runs AS r "
        "JOIN models AS m USING (model_id) ORDER BY r.run_id"
    )
    known = {row["name"]: Run(**row) for row in rows}
    if names is None:
        return list(known.values())
    for name in names:
        if name not in known:
            raise UnknownName(f'No run "{name}" in the snapshot; {_there_are(list(known)[::-1], "none is mirrored")}')
    return [known[name] for name in dict.fromkeys(names)]


def _there_are(names: Sequence[str], none: str) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there are: {', '.join(names[:_SHOWN])}{more}." if names else f"{none}."


def verifiers(snapshot: Snapshot) -> dict[int, Verifier]:
    """Every verifier by key."""
    rows = snapshot.kept_rows("SELECT verifier_id, verifier AS name, version FROM verifiers ORDER BY verifier_id")
    count = Counter((row["name"], row["version"]) for row in rows)
    return {
        row["verifier_id"]: Verifier(
            **row,
            label=f"{row['name']}@{row['version']}"
            + (f"#{row['verifier_id']}" if count[row["name"], row["version"]] > 1 else ""),
        )
        for row in rows
    }


def labelled(snapshot: Snapshot, label: str) -> int:
    """Key of the verifier with this very label."""
    return next(key for key, one in verifiers(snapshot).items() if one.label == label)


def judged_by(snapshot: Snapshot, runs: Sequence[Run], name: str | None) -> list[Judged]:
    """Each run with the verifier of that name, or with its reference. Raises NothingJudged or UnknownName."""
    known = verifiers(snapshot)
    pairs = snapshot.kept_rows("SELECT DISTINCT run_id, verifier_id FROM problem_counts ORDER BY run_id, verifier_id")
    judges: dict[int, list[Verifier]] = {}
    for pair in pairs:
        judges.setdefault(pair["run_id"], []).append(known[pair["verifier_id"]])
    return [Judged(run, _judge(run, judges.get(run.run_id, []), name)) for run in runs]


def _judge(run: Run, judges: Sequence[Verifier], name: str | None) -> Verifier:
    if not judges:
        raise NothingJudged(
            f'Run "{run.name}" has no verdicts in the snapshot: `passatk verify --run {run.name}`, '
            "then `passatk mirror refresh`."
        )
    if name is None:
        return _reference(run, judges)
    found = named(judges, name)
    if not found:
        labels = [judge.label for judge in judges]
        raise UnknownName(f'No verifier "{name}" judged run "{run.name}"; {_there_are(labels, "none did")}')
    if len(found) > 1:
        labels = [judge.label for judge in found]
        raise UnknownName(f'"{name}" are several verifiers of run "{run.name}": say which of {", ".join(labels)}.')
    return found[0]


def named(known: Sequence[Verifier], name: str) -> list[Verifier]:
    """The verifiers that NAME, NAME@VERSION or NAME@VERSION#KEY means."""
    exact = [one for one in known if one.label == name]
    return exact or [one for one in known if name in (one.name, f"{one.name}@{one.version}")]


def _reference(run: Run, judges: Sequence[Verifier]) -> Verifier:
    for judge in judges:
        if judge.verifier_id == run.reference_verifier_id:
            return judge
    labels = ", ".join(judge.label for judge in judges)
    if run.reference_verifier_id is None:
        raise NothingJudged(f'Run "{run.name}" has no reference verifier: say --verifier; it was judged by {labels}.')
    raise NothingJudged(f'The reference verifier has not judged run "{run.name}" yet; --verifier may be: {labels}.')


def find_problem(snapshot: Snapshot, run: Run, name: str) -> tuple[int, str]:
    """Key and name of a problem of the run's benchmark; raises UnknownName naming a few."""
    rows = snapshot.rows(
        f"SELECT problem_id, problem FROM problems WHERE benchmark_id = {run.benchmark_id} AND problem = {quoted(name)}"  # noqa: S608
    )
    if rows:
        return rows[0]["problem_id"], rows[0]["problem"]
    near = snapshot.rows(
        f"SELECT problem FROM problems WHERE benchmark_id = {run.benchmark_id} "  # noqa: S608
        f"ORDER BY jaro_winkler_similarity(problem, {quoted(name)}) DESC, position LIMIT 5"
    )
    names = [row["problem"] for row in near]
    raise UnknownName(f'No problem "{name}" in the benchmark of run "{run.name}"; the nearest: {", ".join(names)}.')


def snapshot_day(snapshot: Snapshot) -> date:
    """The day (UTC) of the snapshot."""
    return snapshot.taken_at.date()
