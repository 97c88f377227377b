"""Tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click


def print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], empty: str) -> None:
    """Rows in columns as wide as they need; a word where there is none."""
    if not rows:
        click.echo(empty)
        return
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
