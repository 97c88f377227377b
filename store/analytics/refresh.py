"""Bring the mirror up to date: pull the batches it lacks, tally the runs they belong to, publish a new catalogue.

Every row of the store belongs to a batch, and a batch's rows and its state are committed together. So in one snapshot
of the store the rows to pull are those of done batches that the last catalogue does not know: a set difference, which a
batch committed late and out of order cannot escape, as it would escape a high-water mark on any key. The first refresh
streams whole tables into segments; a later one changes a copy of the last catalogue, so that its cost follows the news.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from store.analytics import catalogue_file
from store.analytics.catalogue_file import LAYOUT, MirrorState, Retired, catalogue_path
from store.analytics.catalogue_making import amend, fill
from store.analytics.changes import changed_dimensions
from store.analytics.contract import FACTS
from store.analytics.errors import MirrorDamaged
from store.analytics.lacking import mark_batches, refuse_foreign
from store.analytics.literals import quoted
from store.analytics.mirror_lock import writing
from store.analytics.pull import LARGE, Work, pull_fact
from store.analytics.segments import Segment, stored_files
from store.analytics.source import Source
from store.analytics.store_address import shown_address

#: Segments that a catalogue no longer reads are kept this long for snapshots that are still open.
RETENTION = timedelta(hours=1)


@dataclass(frozen=True)
class RefreshReport:
    """What a refresh did. `rows` are those it pulled, by view; `seconds` is wall time."""

    snapshot_id: str
    taken_at: datetime
    changed: bool
    new_batches: int
    runs: tuple[int, ...]
    rows: dict[str, int]
    rebuilt: bool
    seconds: float


def refresh(database_url: str, mirror: Path, rebuild: bool = False) -> RefreshReport:
    """Publish the store's present state in `mirror`; `rebuild` pulls everything again.

    Raises MirrorBusy while another process writes it, ForeignMirror when it was taken from another store, MirrorDamaged
    when segments are missing, SourceUnreachable when Postgres does not answer. Killed at any point, the last published
    state stays.
    """
    started = time.monotonic()
    mirror = mirror.resolve()  # its views name their segments, whoever reads them from wherever
    with writing(mirror):
        catalogue_file.remove_unpublished(mirror)
        spill = mirror / "spill"
        shutil.rmtree(spill, ignore_errors=True)
        source = Source(database_url, spill)
        try:
            return _run(_begin(source, mirror, rebuild), started)
        finally:
            source.close()
            shutil.rmtree(spill, ignore_errors=True)
            catalogue_file.remove_unpublished(mirror)


def _begin(source: Source, mirror: Path, rebuild: bool) -> Work:
    last = last_state(source.connection, mirror, changing=True)
    revision, moment = source.begin(last.mark if last else 0)
    taken_at = catalogue_file.utc_moment(moment)
    name = f"{taken_at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    work = Work(source, mirror, name, revision, taken_at, None)
    if last is None:
        source.use_all_cores()
        return work
    listed = catalogue_file.read_segments(source.connection, "old")
    retired = [
        one for one in catalogue_file.read_retired(source.connection, "old") if one.retired_at > taken_at - RETENTION
    ]
    found = remove_orphans(mirror, [*listed, *retired])
    if rebuild or last.revision != revision:
        source.use_all_cores()
        work.retired = [*retired, *(Retired(segment.path, taken_at) for segment in listed)]
    else:
        work.old, work.kept, work.retired = last, listed, retired
        work.columns = catalogue_file.columns_of(source.connection, "old")
        work.moved = catalogue_file.place_of(source.connection, "old") != str(mirror)
        _check_files(mirror, listed, found)
    return work


def last_state(connection: duckdb.DuckDBPyConnection, mirror: Path, changing: bool = False) -> MirrorState | None:
    """Attach the published catalogue as `old`; None when there is none, or it has another passatk's layout.

    With `changing` it is a copy, that may be made the catalogue of the next state and put in the place of the last.
    """
    file = catalogue_path(mirror)
    if not file.exists():
        return None
    try:
        attached = quoted(catalogue_file.copy_for_change(mirror)) if changing else quoted(file)
        connection.execute(f"ATTACH {attached} AS old{'' if changing else ' (READ_ONLY)'}")
        layout = connection.execute("SELECT layout FROM old.mirror.state").fetchone()
        return catalogue_file.read_state(connection, "old") if layout == (LAYOUT,) else None
    except duckdb.Error as error:
        raise MirrorDamaged(
            f"{file} is not a catalogue that can be read ({str(error).splitlines()[0]}): move it away and refresh."
        ) from error


def remove_orphans(mirror: Path, known: Iterable[Segment | Retired]) -> dict[str, int]:
    """Take away segments that no catalogue reads: a killed writer's, and those retired long ago.

    Returns the bytes of those there were, by path: each is looked at once, as there may be many thousands.
    """
    found = stored_files(mirror)
    for path in found.keys() - {one.path for one in known}:
        (mirror / path).unlink()
    return found


def _check_files(mirror: Path, listed: Iterable[Segment], found: Mapping[str, int]) -> None:
    for segment in listed:
        if found.get(segment.path) != segment.bytes:
            raise MirrorDamaged(
                f"{mirror / segment.path} is missing or was changed: run `passatk mirror refresh --rebuild` to pull "
                "everything again."
            )


def _run(work: Work, started: float) -> RefreshReport:
    mark_batches(work)
    refuse_foreign(work)
    wanted = work.connection.execute(
        "SELECT run_id, count(*), sum(row_count) FROM batches_of_store WHERE wanted GROUP BY run_id ORDER BY run_id"
    ).fetchall()
    runs, count = tuple(int(run) for run, _, _ in wanted), sum(batches for _, batches, _ in wanted)
    dimensions = [] if work.old is None else _changed_dimensions(work, count)
    changed = bool(count) or bool(dimensions) or work.old is None
    rows = _pull(work) if changed else {}
    if sum(rows.values()) >= LARGE:
        work.source.use_all_cores()
    if work.old is None:
        state = _state(work, work.name)
        catalogue_file.publish_new(work.connection, work.mirror, lambda: fill(work, state), work.new)
    else:
        state = _state(work, work.name if changed else work.old.snapshot_id)
        catalogue_file.publish_changed(
            work.connection, work.mirror, lambda: amend(work, state, changed, dimensions), work.new
        )
    return RefreshReport(
        state.snapshot_id,
        state.taken_at,
        changed,
        count,
        runs,
        rows,
        work.old is None,
        time.monotonic() - started,
    )


def _pull(work: Work) -> dict[str, int]:
    """Rows pulled of each fact that has any."""
    filled = work.source.filled([fact.name for fact in FACTS])
    rows = {}
    for fact in FACTS:
        if fact.name in filled:
            columns = work.source.columns(fact.name) if work.old is None else work.columns[fact.name]
            rows[fact.name] = pull_fact(work, fact, [name for name, _ in columns])
    return rows


def _changed_dimensions(work: Work, count: int) -> list[str]:
    """Dimensions to copy again: those that changed, and the batches where any did, as `count` done ones have."""
    found = changed_dimensions(work.source, work.counts)
    if count:
        return [*found, "batches"]
    past = (
        "(FROM old.analytics.batches SEMI JOIN batches USING (batch_id))"
        if work.changed_only
        else ("(FROM old.analytics.batches)")
    )
    differing = f"SELECT EXISTS (FROM batches EXCEPT ALL {past}) OR EXISTS ({past} EXCEPT ALL FROM batches)"  # noqa: S608
    batches = work.connection.execute(differing).fetchone()
    return [*found, *(["batches"] if batches and batches[0] else [])]


def _state(work: Work, snapshot_id: str) -> MirrorState:
    shown = shown_address(work.source.url)
    return MirrorState(snapshot_id, work.taken_at, shown, work.revision, LAYOUT, work.source.origin, work.source.mark)
