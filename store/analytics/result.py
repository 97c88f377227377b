"""An answer: a table, what a reader must know about it, and the SQL behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Result:
    """Rows of Python values (None where undefined, moments in UTC), with `notes` and `sql`.

    `sql` is text that gives the same numbers or, where Python's statistics made them, the numbers they were made from.
    """

    table: pa.Table
    notes: tuple[str, ...] = ()
    sql: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.table.column_names)

    @cached_property
    def rows(self) -> list[tuple[Any, ...]]:
        return list(zip(*(column.to_pylist() for column in self.table.columns), strict=True))

    def records(self) -> list[dict[str, Any]]:
        """Rows as dictionaries by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        return self.table

    def pandas(self) -> Any:
        """The rows as a pandas DataFrame; needs pandas."""
        return self.table.to_pandas()

    def polars(self) -> Any:
        """The rows as a polars DataFrame; needs polars."""
        import polars

        return polars.from_arrow(self.table)


_KINDS = {"i": pa.int64(), "f": pa.float64(), "s": pa.string(), "b": pa.bool_(), "t": pa.timestamp("us", tz="UTC")}


def table_of(kinds: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """A table from rows; `kinds` maps each column to i(nteger), f(loat), s(tring), b(oolean) or t(ime). NaN is null."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    # As pandas has it, NaN is a missing value.
    return pa.table(
        [
            pa.array(column, _KINDS[kind], from_pandas=True)
            for column, kind in zip(columns, kinds.values(), strict=True)
        ],
        names=list(kinds),
    )
