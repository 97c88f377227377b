"""Make the tallies of new rows and add them to those there are, so that a refresh costs what its news cost.

Every tally counts samples, and a sample's new judgement is counted once; so the tallies of the new rows alone, added to
what was counted, are the tallies of all. Only a sample that is judged again must be counted anew, with all the
judgements it has: runs in which that happens are tallied from all their rows. Runs are worked off in portions, so that
memory follows the portion, and of a portion's verdicts one pass is made, which most tallies follow from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

import duckdb

from store.analytics.catalogue_file import Columns
from store.analytics.portions import portions
from store.analytics.segments import Segment, reading
from store.analytics.tallies import add_to_tally, drop_tallies

#: Facts that tallies are made of.
COUNTED = ("samples", "verdicts", "verdict_costs", "step_scores", "test_outcomes")
#: Rows of one portion, unless a single run has more.
PORTION = 1_000_000


@cache
def _sql(name: str) -> str:
    return files("store.analytics").joinpath("sql", "tallies", f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Rows:
    """The segments whose rows are new, and those whose rows the current catalogue's tallies count already."""

    connection: duckdb.DuckDBPyConnection
    mirror: Path
    columns: Columns
    new: list[Segment]
    old: list[Segment]
    #: What the views read by now: most portions of a fact are nothing, again and again.
    views: dict[str, str] = field(default_factory=dict)

    def view(self, name: str, fact: str, segments: Iterable[Segment]) -> None:
        """Let a view of the connection read the rows of a fact in some segments."""
        paths = [self.mirror / segment.path for segment in segments if segment.fact == fact]
        text = reading(paths, self.columns[fact])
        if self.views.get(name) != text:
            self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {text}")
            self.views[name] = text

    def add(self, table: str, query: str | None = None) -> None:
        """Add the rows of a tally's query to the current catalogue."""
        if self.old:
            add_to_tally(self.connection, table, _sql(query or table))
        else:
            self.connection.execute(f"INSERT INTO analytics.{table} {_sql(query or table)}")

    def make(self, table: str, query: str | None = None) -> None:
        """Make a temporary table of the rows of a query."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {_sql(query or table)}")

    def number(self, sql: str) -> int:
        row = self.connection.execute(sql).fetchone()
        assert row is not None
        return int(row[0] or 0)


def tally(rows: Rows) -> None:
    """Bring the tallies of the current catalogue up to the new rows."""
    again: set[int] = set()
    for runs in _portions(rows.new):
        again |= _tally_news(rows, runs)
    drop_tallies(rows.connection, again)
    for run in sorted(again):
        everything = _of([*rows.old, *rows.new], [run])
        _read(rows, everything)
        _tally_portion(rows, [run], everything, [])
    grown = {one.run_id for one in rows.new} & {one.run_id for one in rows.old} - again
    _find_medians(rows, grown)


def _portions(segments: list[Segment]) -> Iterator[list[int]]:
    """Runs to tally together."""
    sizes: dict[int, int] = defaultdict(int)
    for one in segments:
        if one.fact in COUNTED:
            sizes[one.run_id] += one.rows
    yield from portions(sorted(sizes.items()), PORTION)


def _of(segments: Iterable[Segment], runs: Iterable[int]) -> list[Segment]:
    wanted = set(runs)
    return [one for one in segments if one.run_id in wanted]


def _tally_news(rows: Rows, runs: list[int]) -> set[int]:
    """Tally the new rows of some runs; those among them that must be counted anew are left out, and returned."""
    new = _of(rows.new, runs)
    _read(rows, new)
    again = {int(run) for (run,) in rows.connection.execute(_sql("repeated")).fetchall()} if rows.old else set()
    left = [run for run in runs if run not in again]
    if left and again:
        new = _of(new, left)
        _read(rows, new)
    if left:
        _tally_portion(rows, left, new, _of(rows.old, left))
    return again


def _read(rows: Rows, segments: list[Segment]) -> None:
    """Group the judgements in some segments as if none were repeated, and find what verifiers gave."""
    for fact in COUNTED:
        rows.view(f"new_{fact}", fact, segments)
    # Rows are read where they lie, and only the columns a tally needs.
    rows.connection.execute(f"CREATE OR REPLACE TEMP VIEW judged AS {_sql('judged_once')}")
    rows.make("judged_groups")
    rows.make("uses_of_news", "verifier_uses")


def _tally_portion(rows: Rows, runs: list[int], new: list[Segment], old: list[Segment]) -> None:
    """Add the tallies of what was just read; `old` are the segments of these runs that are counted already."""
    add_to_tally(rows.connection, "verifier_uses", "FROM temp.uses_of_news")
    facts = {one.fact for one in new}
    if "samples" in facts:
        rows.add("sample_counts")
    if not facts & {"verdicts", "verdict_costs"}:
        return
    used = f"FROM analytics.verifier_uses WHERE run_id IN ({', '.join(map(str, runs))})"
    repeated = rows.number(f"SELECT max(attempts) {used}") > 1
    if repeated:  # then a sample's judgements are one, by majority
        rows.connection.execute("DROP VIEW judged")
        rows.make("judged")
        rows.make("judged_groups")
    if "verdict_costs" in facts:
        rows.add("judging_costs")
    if "verdicts" in facts:
        _tally_verdicts(rows, new, old, used)
    if repeated:
        rows.connection.execute("DROP TABLE judged")


def _tally_verdicts(rows: Rows, new: list[Segment], old: list[Segment], used: str) -> None:
    """The tallies of the samples in `judged`; `used` selects what their verifiers gave."""
    rows.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE answering AS SELECT DISTINCT run_id, verifier_id {used} AND answers > 0"
    )
    rows.add("problem_counts")
    _tally_tokens(rows, new, old)
    answers = rows.number("SELECT count(*) FROM answering") > 0
    if answers:
        rows.add("answer_groups")
    # Comparing verifiers takes a join that a single verifier need not pay.
    if rows.number(f"SELECT count(*) - count(DISTINCT run_id) {used}"):
        _tally_beside(rows, old, answers)


def _tally_tokens(rows: Rows, new: list[Segment], old: list[Segment]) -> None:
    """Samples are judged soon after they are drawn: mostly those that are new too are all that is asked for."""
    segments = new
    if any(one.fact == "samples" for one in old):
        rows.view("drawn", "samples", new)
        lacking = rows.number(
            "SELECT count(*) FROM judged AS j ANTI JOIN drawn AS s ON j.run_id = s.run_id "
            "AND j.problem_id = s.problem_id AND j.sample_index = s.sample_index"
        )
        segments = [*old, *new] if lacking else new
    if any(one.fact == "samples" for one in segments):
        rows.view("drawn", "samples", segments)
        rows.add("token_counts")


def _tally_beside(rows: Rows, old: list[Segment], answers: bool) -> None:
    """What verifiers say of the same samples, where one of them at least says it for the first time."""
    columns = "run_id, verifier_id, problem_id, sample_index, decided, spoke, answer"
    beside = f"SELECT {columns}, true AS fresh FROM judged"  # noqa: S608
    if any(one.fact == "verdicts" for one in old):
        rows.view("old_verdicts", "verdicts", old)
        beside += f" UNION ALL SELECT {columns}, false AS fresh FROM ({_sql('judged_before')})"  # noqa: S608
    rows.connection.execute(f"CREATE OR REPLACE TEMP TABLE judged_beside AS {beside}")
    rows.add("agreement_counts")
    if answers:
        rows.add("answer_groups", "answer_groups_across")
    rows.connection.execute("DROP TABLE judged_beside")


def _find_medians(rows: Rows, runs: set[int]) -> None:
    """A median is no sum: it is found again, from the one column it needs, for problems that got more samples."""
    segments = [one for one in [*rows.old, *rows.new] if one.fact == "samples" and one.run_id in runs]
    if not segments:
        return
    rows.view("drawn", "samples", segments)
    changed = (
        "SELECT run_id, problem_id FROM analytics.sample_counts "
        "WHERE median_completion_tokens IS NULL AND completion_tokens IS NOT NULL"
    )
    rows.connection.execute(
        f"""
        UPDATE analytics.sample_counts AS kept SET median_completion_tokens = found.middle
        FROM (
            SELECT s.run_id, s.problem_id, median(s.completion_tokens) AS middle
            FROM drawn AS s SEMI JOIN ({changed}) AS c ON s.run_id = c.run_id AND s.problem_id = c.problem_id
            GROUP BY s.run_id, s.problem_id
        ) AS found
        WHERE kept.run_id = found.run_id AND kept.problem_id = found.problem_id
        """  # noqa: S608
    )
