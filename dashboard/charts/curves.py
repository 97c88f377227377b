"""A curve as charts take it: points in order, with an interval, and where it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Point:
    """One point: x > 0 (samples per problem, or US$), a share of 1 and its interval where it is known."""

    x: float
    value: float
    low: float | None
    high: float | None
    k: int


@dataclass(frozen=True)
class Curve:
    """A named curve. `slot` is its colour, `dash` its pattern, `n` the k at which its data end."""

    label: str
    slot: int
    dash: int
    n: int
    points: tuple[Point, ...]

    @property
    def last(self) -> Point:
        return self.points[-1]

    def along(self, per_sample: float) -> Curve:
        """The same curve against what k samples take, when one takes `per_sample`."""
        return replace(self, points=tuple(replace(point, x=point.k * per_sample) for point in self.points))

    def at(self, k: int) -> Point | None:
        """The point at k, or None where there is none."""
        return next((point for point in self.points if point.k == k), None)


@dataclass(frozen=True)
class Forecast:
    """What a law says beyond the data of a curve: its name, its points after n, and its error when it was tried out.

    `backtest` is the mean error (share) of the law when a tenth of the samples had to foretell the rest; None where
    there were too few to try.
    """

    curve: Curve
    law: str
    ratio: float
    backtest: float | None


def curve_from(
    rows: Iterable[Mapping[str, Any]], label: str, slot: int, dash: int = 0, x: str = "k", value: str = "coverage"
) -> Curve | None:
    """A curve from rows of the analytics, one for each k; rows without a value (k above n) are left out.

    None when no row has a value.
    """
    kept = [row for row in rows if row[value] is not None and row[x] is not None and row[x] > 0]
    kept.sort(key=lambda row: row["k"])
    if not kept:
        return None
    points = tuple(Point(row[x], row[value], row.get("low"), row.get("high"), row["k"]) for row in kept)
    return Curve(label, slot, dash, int(kept[0].get("n_min") or points[-1].k), points)


def line_rows(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Rows of all curves: series (place), slot, dash, x, k, value, low, high."""
    return [
        {
            "series": place,
            "slot": curve.slot,
            "dash": curve.dash,
            "x": point.x,
            "k": point.k,
            "value": point.value,
            "low": point.low,
            "high": point.high,
        }
        for place, curve in enumerate(curves)
        for point in curve.points
    ]


def end_rows(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """One row for each curve: its last point."""
    return [
        {"series": place, "slot": curve.slot, "x": curve.last.x, "value": curve.last.value}
        for place, curve in enumerate(curves)
    ]
