"""What of a coverage curve is drawn: the share solved, the share left, or the form in which a power law is a line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dashboard.charts.curves import Curve, Point
from dashboard.charts.quantities import log_ticks
from dashboard.wording import percent


@dataclass(frozen=True)
class Span:
    """The range of a y axis, linear or logarithmic; positions on it are shares of its length."""

    low: float
    high: float
    log: bool = False

    def position(self, value: float) -> float:
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))

    def value(self, position: float) -> float:
        if not self.log:
            return self.low + position * (self.high - self.low)
        return math.exp(math.log(self.low) + position * (math.log(self.high) - math.log(self.low)))


WHOLE = Span(0.0, 1.0)


@dataclass(frozen=True)
class Measure:
    """A way to draw coverage: `of` maps a share to what is drawn, or None where it cannot be."""

    key: str
    label: str
    title: str
    of: Callable[[float], float | None]
    text: Callable[[float], str]
    log: bool

    def drawn(self, curves: Sequence[Curve]) -> list[Curve]:
        """The curves in this measure; points that it cannot show are left out, curves without any too."""
        made = (replace(curve, points=tuple(self._points(curve))) for curve in curves)
        return [curve for curve in made if curve.points]

    def _points(self, curve: Curve) -> list[Point]:
        points = []
        for point in curve.points:
            value = self.of(point.value)
            if value is None:
                continue
            ends = [self.of(end) for end in (point.low, point.high) if end is not None]
            bounds = sorted(end for end in ends if end is not None) if len(ends) == 2 and None not in ends else None
            low, high = bounds or (None, None)
            points.append(replace(point, value=value, low=low, high=high))
        return points

    def span(self, curves: Sequence[Curve], zoom: bool = False) -> Span:
        """The range of the axis: the whole of it unless the measure is logarithmic or the reader zooms."""
        values = [
            one for curve in curves for point in curve.points
            for one in (point.value, point.low, point.high) if one is not None
        ]  # fmt: skip
        if not values or not (self.log or zoom):
            return WHOLE
        if self.log:
            low, high = min(values), max(values)
            return Span(low / 1.15, high * 1.15 if self.key != "unsolved" else 1.0, True)
        low, high = math.floor(20 * min(values)) / 20, math.ceil(20 * max(values)) / 20
        return Span(max(0.0, low), min(1.0, max(high, low + 0.05)))

    def axis(self, span: Span, title: str | None = None) -> dict[str, Any]:
        """The y channel on that range."""
        scale: dict[str, Any] = {"domain": [span.low, span.high], "nice": False}
        axis: dict[str, Any] = {"format": ".0%", "title": title or self.title, "tickCount": 5}
        if self.log:
            scale["type"] = "log"
            ticks = log_ticks(span.low, span.high)
            axis |= {"format": "~p" if self.key == "unsolved" else "~g", "values": ticks}
        elif span != WHOLE:
            axis["title"] = f"{axis['title']} (zoomed: {percent(span.low)} to {percent(span.high)})"
        return {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}


SOLVED = Measure("solved", "Coverage", "Coverage: problems solved", lambda share: share, percent, False)
UNSOLVED = Measure(
    "unsolved",
    "Unsolved share (log)",
    "Problems not solved (log scale)",
    lambda share: 1 - share if share < 1 else None,
    lambda left: f"{percent(left)} unsolved",
    True,
)
MINUS_LOG = Measure(
    "minus-log",
    "−log coverage (log-log)",
    "−ln coverage (log scale)",
    lambda share: -math.log(share) if 0 < share < 1 else None,
    lambda value: percent(math.exp(-value)),
    True,
)
MEASURES = {one.key: one for one in (SOLVED, UNSOLVED, MINUS_LOG)}
