"""The `passatk` command: sub-commands are found among entry points, so that no room needs to know another."""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from store.errors import PassatkError

GROUP = "passatk.commands"
INTERRUPTED = "Interrupted. What was done is stored; the same command goes on from there."


class Commands(click.Group):
    """Loads a room's module only when one of its commands is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._entry_points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self._entry_points().get(cmd_name)
        if found is None:
            return None
        loaded = found.load()
        assert isinstance(loaded, click.Command)
        return loaded

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader of our output left (`| head`): not an error; keep the interpreter's exit from complaining.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)

    @staticmethod
    def _entry_points() -> dict[str, EntryPoint]:
        return {found.name: found for found in entry_points(group=GROUP)}


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="passatk")
def passatk() -> None:
    """Repeated sampling: store every sample and verdict, then ask any question about any k."""


def main() -> None:
    """Run the command; an error a person can mend is one line and exit status 1."""
    try:
        status = passatk.main(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _end(130, INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        if _hides_an_interruption(error):
            _end(130, INTERRUPTED)
        if not isinstance(error, PassatkError):
            raise
        _end(1, f"Error: {error}")
    else:
        sys.exit(status if isinstance(status, int) else 0)


def _hides_an_interruption(error: BaseException) -> bool:
    """Ctrl-C may fall into a driver's own tidying up, which then fails and speaks of that instead."""
    before = error.__context__
    return before is not None and (isinstance(before, KeyboardInterrupt) or _hides_an_interruption(before))


def _end(status: int, line: str) -> None:
    click.echo(" ".join(line.split()), err=True)
    sys.exit(status)
