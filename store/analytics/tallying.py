"""Make the tallies of new rows and add them to those there are, so that a refresh costs what its news cost.

Every tally counts samples, and a sample's new judgement is counted once; so the tallies of the new rows alone, added to
what was counted, are the tallies of all. Only a sample that is judged again must be counted anew, with all the
judgements it has: runs in which that happens are tallied from all their rows. Runs are worked off in portions, so that
memory follows the portion.
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

    def number(self, sql: str) -> int:
        row = self.connection.execute(sql).fetchone()
        assert row is not None
        return int(row[0] or 0)


def tally(rows: Rows) -> None:
    """Bring the tallies of the current catalogue up to the new rows."""
    for fact in COUNTED:
        rows.view(f"new_{fact}", fact, rows.new)
    rows.connection.execute(f"CREATE OR REPLACE TEMP TABLE uses_of_news AS {_sql('verifier_uses')}")
    again = {int(run) for (run,) in rows.connection.execute(_sql("repeated")).fetchall()} if rows.old else set()
    drop_tallies(rows.connection, again)
    _use_anew(rows, again)
    add_to_tally(rows.connection, "verifier_uses", "FROM temp.uses_of_news")
    for runs in _portions(rows.new, again):
        _tally_portion(rows, runs, again)
    grown = {one.run_id for one in rows.new} & {one.run_id for one in rows.old} - again
    _find_medians(rows, grown)


def _use_anew(rows: Rows, again: set[int]) -> None:
    """For runs that are counted anew, what verifiers gave is that of all rows."""
    if not again:
        return
    for fact in COUNTED:
        rows.view(f"new_{fact}", fact, (one for one in [*rows.old, *rows.new] if one.run_id in again))
    listed = ", ".join(map(str, again))
    rows.connection.execute(f"DELETE FROM temp.uses_of_news WHERE run_id IN ({listed})")  # noqa: S608
    rows.connection.execute(f"INSERT INTO temp.uses_of_news {_sql('verifier_uses')}")


def _portions(segments: list[Segment], again: set[int]) -> Iterator[list[int]]:
    """Runs to tally together; those that are counted anew are never with others."""
    sizes: dict[int, int] = defaultdict(int)
    for one in segments:
        if one.fact in COUNTED:
            sizes[one.run_id] += one.rows
    yield from portions(((run, sizes[run]) for run in sorted(sizes.keys() - again)), PORTION)
    yield from ([run] for run in sorted(sizes.keys() & again))


def _tally_portion(rows: Rows, runs: list[int], again: set[int]) -> None:
    connection = rows.connection
    old = [] if runs[0] in again else [one for one in rows.old if one.run_id in runs]
    new = [one for one in (rows.new if runs[0] not in again else [*rows.old, *rows.new]) if one.run_id in runs]
    for fact in COUNTED:
        rows.view(f"new_{fact}", fact, new)
    facts = {one.fact for one in new}
    if "samples" in facts:
        rows.add("sample_counts")
    if not facts & {"verdicts", "verdict_costs"}:
        return
    used = f"FROM analytics.verifier_uses WHERE run_id IN ({', '.join(map(str, runs))})"
    repeated = rows.number(f"SELECT max(attempts) {used}") > 1
    # Without repeats there is nothing to group: rows are read where they lie, and only the columns a tally needs.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE judged AS {_sql('judged')}"
        if repeated
        else f"CREATE OR REPLACE TEMP VIEW judged AS {_sql('judged_once')}"
    )
    if "verdict_costs" in facts:
        rows.add("judging_costs")
    if "verdicts" in facts:
        _tally_verdicts(rows, new, old, used)
    connection.execute(f"DROP {'TABLE' if repeated else 'VIEW'} judged")


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
    beside = "SELECT *, true AS fresh FROM judged"
    if any(one.fact == "verdicts" for one in old):
        rows.view("old_verdicts", "verdicts", old)
        beside += f" UNION ALL SELECT *, false AS fresh FROM ({_sql('judged_before')})"  # noqa: S608
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
