"""Commands of the mirror: `passatk mirror refresh`, `status`, `compact`, `verify`."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import click

from store.analytics.errors import MirrorDamaged
from store.analytics.snapshot import open_snapshot
from store.errors import PassatkError
from store.settings import StoreSettings

#: How long a refresh computes curves when nobody asked for them: a reader can always compute what is left.
_CURVE_SECONDS = 60.0


@click.group()
def mirror() -> None:
    """The columnar copy of the store that queries and the dashboard read."""


@mirror.command("refresh")
@click.option("--rebuild", is_flag=True, help="Pull everything again, as if the mirror were empty.")
@click.option(
    "--curves/--no-curves",
    default=None,
    help="Keep the slow selection curves of every run, or of none; by default those of changed runs, for a minute.",
)
def refresh_command(rebuild: bool, curves: bool | None) -> None:
    """Bring the mirror up to date with the store."""
    from store.analytics.refresh import refresh
    from store.analytics.store_address import store_address

    settings = StoreSettings.from_environment()
    report = refresh(store_address(settings), settings.mirror, rebuild)
    moment = f"{report.taken_at:%Y-%m-%d %H:%M:%S} UTC"
    if not report.changed:
        click.echo(f"Nothing is new in the store: snapshot {report.snapshot_id} holds as of {moment}.")
    else:
        pulled = ", ".join(f"{rows:,} {name.replace('_', ' ')}" for name, rows in report.rows.items() if rows)
        click.echo(
            f"Snapshot {report.snapshot_id}, taken at {moment}: {report.new_batches:,} new batches of "
            f"{len(report.runs)} runs ({pulled or 'no rows'}) in {report.seconds:.1f} s."
        )
    if curves:
        _keep_curves(settings.mirror, None, None)
    elif curves is None and report.runs:
        _keep_curves(settings.mirror, report.runs, _CURVE_SECONDS)


def _keep_curves(mirror: Path, changed: tuple[int, ...] | None, seconds: float | None) -> None:
    """Ask once for what takes seconds, after publishing, so that the first reader finds it kept; newest runs first.

    `changed`: the runs to ask for, None for all. No run is begun after `seconds`.
    """
    kept, left, started = 0, 0, time.monotonic()
    with open_snapshot(mirror) as snapshot:
        names = {row["run_id"]: row["run"] for row in snapshot.rows("SELECT run_id, run FROM runs")}
        for run in sorted(names if changed is None else changed, reverse=True):
            if seconds is not None and time.monotonic() - started > seconds:
                left += 1
                continue
            with suppress(PassatkError):  # nothing to vote on, or no fixed n: nothing to keep
                snapshot.query("selection", run=names[run])
                kept += 1
            with suppress(PassatkError):  # no scores
                snapshot.query("best_of_k", run=names[run])
    more = f" {left} runs are left: `passatk mirror refresh --curves` keeps theirs too." if left else ""
    click.echo(f"Majority curves of {kept} runs are kept.{more}")


@mirror.command("status")
def status_command() -> None:
    """Say what the mirror holds and when it was taken."""
    settings = StoreSettings.from_environment()
    with open_snapshot(settings.mirror) as snapshot:
        click.echo(f"mirror    {settings.mirror}")
        click.echo(f"snapshot  {snapshot.snapshot_id}, taken at {snapshot.taken_at:%Y-%m-%d %H:%M:%S} UTC")
        click.echo(f"source    {snapshot.source}")
        for row in snapshot.rows(
            "SELECT fact, sum(rows)::BIGINT AS rows, count(*) AS files, sum(bytes)::BIGINT AS bytes "
            "FROM mirror.segments GROUP BY fact ORDER BY fact"
        ):
            size = row["bytes"] / 1e6
            click.echo(f"{row['fact']:<17} {row['rows']:>13,} rows in {row['files']:,} segments, {size:,.1f} MB")


@mirror.command("compact")
def compact_command() -> None:
    """Merge small segments into large ones."""
    from store.analytics.compact import compact

    report = compact(StoreSettings.from_environment().mirror)
    merged = report.before != report.after
    click.echo(f"{report.before:,} segments became {report.after:,}." if merged else "There is nothing to merge.")


@mirror.command("verify")
def verify_command() -> None:
    """Prove that the mirror holds what the store holds; exit status 1 when it does not."""
    from store.analytics.store_address import store_address
    from store.analytics.verify import verify

    settings = StoreSettings.from_environment()
    report = verify(store_address(settings), settings.mirror)
    late = f" {report.behind:,} batches are newer: `passatk mirror refresh`." if report.behind else ""
    if not report.differences:
        click.echo(f"Mirror and store agree on {report.rows:,} rows.{late}")
        return
    found = "; ".join(
        f"{one.fact} of run {one.run} ({one.in_store:,} rows in the store, {one.in_mirror:,} in the mirror)"
        for one in report.differences
    )
    raise MirrorDamaged(
        f"Mirror and store differ in {found}: `passatk mirror refresh --rebuild` pulls everything again."
    )
