"""Merge the many small segments that frequent refreshes leave into few large ones; the numbers stay what they are."""

from __future__ import annotations

import secrets
import shutil
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from store.analytics import catalogue_file
from store.analytics.catalogue_file import Columns, Retired
from store.analytics.contract import FACTS, Fact
from store.analytics.errors import MirrorDamaged, NoSnapshot
from store.analytics.literals import quoted
from store.analytics.mirror_lock import writing
from store.analytics.refresh import RETENTION, last_state, remove_orphans
from store.analytics.segments import Segment, reading, write_segments
from store.analytics.source import MEMORY_LIMIT

#: Segments of this size (bytes) or more are left alone.
LARGE = 256_000_000


@dataclass(frozen=True)
class CompactReport:
    """Segments before and after."""

    before: int
    after: int


def compact(mirror: Path) -> CompactReport:
    """Merge small segments run by run and publish. Snapshots that are open keep their segments for a while.

    Raises NoSnapshot for an empty mirror, MirrorBusy while another process writes it.
    """
    mirror = mirror.resolve()
    with writing(mirror), duckdb.connect(":memory:") as connection:
        spill = mirror / "spill"
        for setting in (f"temp_directory = {quoted(spill)}", f"memory_limit = '{MEMORY_LIMIT}'", "TimeZone = 'UTC'"):
            connection.execute(f"SET {setting}")
        try:
            return _compact(connection, mirror)
        finally:
            shutil.rmtree(spill, ignore_errors=True)
            catalogue_file.remove_unpublished(mirror)


def _compact(connection: duckdb.DuckDBPyConnection, mirror: Path) -> CompactReport:
    catalogue_file.remove_unpublished(mirror)
    if last_state(connection, mirror, changing=True) is None:
        raise NoSnapshot(f"The mirror in {mirror} has nothing to compact: run `passatk mirror refresh`.")
    listed = catalogue_file.read_segments(connection, "old")
    now = datetime.now(UTC)
    retired = [one for one in catalogue_file.read_retired(connection, "old") if one.retired_at > now - RETENTION]
    remove_orphans(mirror, [*listed, *retired])
    name = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    columns = catalogue_file.columns_of(connection, "old")
    merged: list[Segment] = []
    for (fact_name, _), small in _small_groups(listed).items():
        fact = next(fact for fact in FACTS if fact.name == fact_name)
        merged += _merge(connection, mirror, fact, small, name, columns)
        listed = [segment for segment in listed if segment not in small]
        retired += [Retired(segment.path, now) for segment in small]
    report = CompactReport(len(catalogue_file.read_segments(connection, "old")), len(listed) + len(merged))
    if merged:
        _publish(connection, mirror, listed, merged, retired, columns)
    return report


def _small_groups(listed: list[Segment]) -> dict[tuple[str, int], list[Segment]]:
    groups: dict[tuple[str, int], list[Segment]] = defaultdict(list)
    for segment in listed:
        if segment.bytes < LARGE:
            groups[segment.fact, segment.run_id].append(segment)
    return {key: group for key, group in groups.items() if len(group) > 1}


def _merge(
    connection: duckdb.DuckDBPyConnection, mirror: Path, fact: Fact, small: list[Segment], name: str, columns: Columns
) -> list[Segment]:
    paths = [mirror / one.path for one in small]
    connection.execute(f"CREATE TEMP TABLE staged AS {reading(paths, columns[fact.name])}")
    written = write_segments(connection, "staged", fact, mirror, name)
    connection.execute("DROP TABLE staged")
    if sum(one.rows for one in written) != sum(one.rows for one in small):
        raise MirrorDamaged(f"Segments of {fact.name} hold other rows than listed: `passatk mirror refresh --rebuild`.")
    return written


def _publish(
    connection: duckdb.DuckDBPyConnection,
    mirror: Path,
    left: list[Segment],
    merged: list[Segment],
    retired: list[Retired],
    columns: Columns,
) -> None:
    """The last catalogue again, reading the segments that were left alone and the merged ones."""
    segments = [*left, *merged]

    def change() -> None:
        catalogue_file.replace_fact_views(connection, mirror, segments, [fact.name for fact in FACTS], columns)
        connection.execute("DELETE FROM mirror.segments")
        connection.execute("DELETE FROM mirror.retired")
        catalogue_file.write_segment_lists(connection, segments, retired)
        catalogue_file.write_place(connection, mirror)

    connection.execute("BEGIN")
    catalogue_file.publish_changed(connection, mirror, change, merged)
