"""`passatk mirror refresh` by its entry point, for a process of its own."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import click

from store.errors import PassatkError


def main() -> None:
    """Run the mirror's own command; an error is one line and exit status 1."""
    (found,) = entry_points(group="passatk.commands", name="mirror")
    command: click.Command = found.load()
    try:
        command.main(["refresh", "--no-curves"], standalone_mode=False)
    except (PassatkError, click.ClickException) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
