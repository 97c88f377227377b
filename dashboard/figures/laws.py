"""Beyond the data: forecasts with their track record, and the power law fitted to a curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dashboard.answers import Asker, Row
from dashboard.charts.curves import Curve, Forecast, Point, curve_from
from dashboard.figures.drawn import Counting, Drawn
from store.analytics import k_lattice
from store.analytics.statistics.power_law import fit_power_law
from store.errors import PassatkError

#: No forecast goes further than this many times the data.
HORIZON = 10


@dataclass(frozen=True)
class Fit:
    """ln coverage = a k^b fitted to a curve, its largest error (share), and the line."""

    label: str
    a: float
    b: float
    error: float
    curve: Curve


def forecasts(
    asker: Asker, drawn: Sequence[Drawn], counting: Counting, ratio: int = HORIZON
) -> tuple[list[Forecast], list[str]]:
    """For each curve the law that foretold best when it was tried on a tenth of the samples; and what cannot be."""
    made, refused = [], []
    for one in drawn:
        end = one.curve.last.k
        ks = [k for k in sorted({*k_lattice(end * min(ratio, HORIZON)), end}) if k >= end]
        told = counting.parameters("forecast")
        try:
            answer = asker.ask("forecast", run=one.wanted.name, verifier=one.wanted.verifier, k=ks, **told)
        except PassatkError as error:
            refused.append(str(error))
            continue
        found = _best(answer.records, one)
        if found:
            made.append(found)
        else:
            refused += answer.notes[1:] or (f"{one.wanted.name} has no forecast.",)
    return made, refused


def _best(records: Sequence[Row], one: Drawn) -> Forecast | None:
    laws = list(dict.fromkeys(row["law"] for row in records if row["coverage"] is not None))
    if not laws:
        return None
    errors = {row["law"]: row["backtest_error"] for row in records}
    law = min(laws, key=lambda name: (errors[name] is None, errors[name] or 0.0))
    rows = [
        row | {"low": row["all_low"], "high": row["all_high"]}
        for row in records
        if row["law"] == law and row["coverage"] is not None
    ]
    curve = curve_from(rows, one.curve.label, one.curve.slot, one.curve.dash)
    if curve is None or len(curve.points) < 2:
        return None
    joined = replace(curve, points=_from_the_end(curve, one.curve.last))
    return Forecast(joined, law, joined.last.k / one.curve.last.k, errors[law])


def _from_the_end(curve: Curve, last: Point) -> tuple[Point, ...]:
    """The forecast starts where the data end, so that its dotted line is seen to leave the curve."""
    return (replace(last, low=last.value, high=last.value), *[point for point in curve.points if point.k > last.k])


def fits(drawn: Sequence[Drawn]) -> list[Fit]:
    """The power law of each curve, fitted in logarithms as published."""
    made = []
    for one in drawn:
        ks = np.array([point.k for point in one.curve.points])
        values = np.array([point.value for point in one.curve.points])
        found = fit_power_law(ks, values) if len(ks) > 2 and values[-1] > 0 and values[0] < 1 else None
        if found is None:
            continue
        modelled = found.pass_at_k(ks)
        points = tuple(
            replace(point, value=float(value), low=None, high=None)
            for point, value in zip(one.curve.points, modelled, strict=True)
        )
        made.append(Fit(one.curve.label, found.a, found.b, found.max_residual, replace(one.curve, points=points)))
    return made
