"""Commands that hold, end and reorder runs, watch them, and look after what was set aside: `passatk run ...`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from store import run_control
from store.cli import ready
from store.connection import transaction
from store.run_tags import change_tags
from store.runs import Run, find_run


def _find(name: str) -> Run:
    with transaction() as connection:
        return find_run(connection, name)


@click.command()
@click.argument("name", metavar="RUN")
def pause(name: str) -> None:
    """Take nothing more of a run until `passatk run resume`."""
    ready()
    with transaction() as connection:
        waiting = run_control.pause(connection, _find(name))
    click.echo(f"Run {name} is paused: batches in work are finished, {waiting:,} wait. `passatk run resume {name}`.")


@click.command()
@click.argument("name", metavar="RUN")
def resume(name: str) -> None:
    """Go on with a run that was paused or cancelled."""
    ready()
    from workers.enqueue import enqueue

    with transaction() as connection:
        waiting = run_control.resume(connection, _find(name))
    enqueue(waiting)
    click.echo(
        f"Run {name} goes on: {len(waiting):,} batches sent. `passatk run start {name}` plans what else it lacks."
    )


@click.command()
@click.argument("name", metavar="RUN")
def cancel(name: str) -> None:
    """End a run: what waits is dropped, what is stored stays."""
    ready()
    with transaction() as connection:
        dropped = run_control.cancel(connection, _find(name))
    click.echo(f"Run {name} is cancelled: {dropped:,} batches dropped, batches in work are finished, samples stay.")


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("priority", type=int)
def priority(name: str, priority: int) -> None:
    """Put a run before or behind others: higher goes first, 0 is usual."""
    ready()
    with transaction() as connection:
        run_control.set_priority(connection, _find(name).run_id, priority)
    click.echo(f"Run {name} has priority {priority}; batches taken from now on follow it.")


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--retry", is_flag=True, help="Give them all their tries again, once the cause is mended.")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True)
def failed(name: str, retry: bool, format_name: str) -> None:
    """List the batches that were set aside, with their errors."""
    ready()
    from workers.enqueue import enqueue

    run = _find(name)
    with transaction() as connection:
        found = run_control.failed_batches(connection, run)
    if format_name == "json":
        click.echo(json.dumps([asdict(one) for one in found]))
    elif not found:
        click.echo(f"Run {name} has nothing set aside.")
    else:
        for one in found:
            work = f"judging by {one.verifier}" if one.verifier else "drawing"
            place = f"problem {one.problem_key}, samples {one.first_index}-{one.end_index - 1}"
            click.echo(f"batch {one.batch_id}  {work}  {place}  {one.tries} tries: {' '.join(one.error.split())}")
    if retry:
        with transaction() as connection:
            again = run_control.retry_failed(connection, run)
        enqueue(again)
        click.echo(f"{len(again):,} batches sent again.", err=True)
    elif found and format_name == "text":
        click.echo(f"Mend the cause, then `passatk run failed {name} --retry`.")


@click.command("tag")
@click.argument("name", metavar="RUN")
@click.argument("words", nargs=-1, metavar="TAG...")
@click.option("--remove", is_flag=True, help="Take these tags off instead.")
def tag_command(name: str, words: tuple[str, ...], remove: bool) -> None:
    """File a run under words of your own; without any, say which it has."""
    ready()
    add, off = ((), words) if remove else (words, ())
    with transaction() as connection:
        tags = change_tags(connection, _find(name), add, off)
    click.echo(f"Run {name} has {'the tags ' + ', '.join(tags) if tags else 'no tags'}.")


COMMANDS = (pause, resume, cancel, priority, tag_command, failed)
