"""Charts as files: what is drawn, that it is the same every time, and that nothing of a pointer is left in it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import altair as alt
import pytest

from dashboard.charts.agreement import precision_recall_spec
from dashboard.charts.cost import Reference, cost_spec
from dashboard.charts.coverage import Beyond, coverage_spec, small_multiple_spec
from dashboard.charts.curves import Curve, Forecast, Point
from dashboard.charts.difference import difference_spec
from dashboard.charts.facets import facets
from dashboard.charts.measures import MINUS_LOG, SOLVED, UNSOLVED, Span
from dashboard.charts.pairs import matrix_spec, pairs_spec
from dashboard.charts.palette import INK
from dashboard.charts.pass_rates import pass_rate_spec, sorted_rates_spec
from dashboard.charts.quantities import DOLLARS, TOKENS, log_ticks
from dashboard.charts.rate_bins import pass_rate_bins
from dashboard.charts.selection import selection_spec
from dashboard.rendering import UnknownFormat, rendered, standing, still
from dashboard.report import own_ids

GOLDEN = Path(__file__).with_name("golden_figures")
KS = (1, 2, 5, 10, 20, 50, 100)


def curve(name: str, rate: float, n: int = 100, slot: int = 0, dash: int = 0) -> Curve:
    points = []
    for k in (k for k in KS if k <= n):
        value = 1 - (1 - rate) ** k
        points.append(Point(float(k), value, max(0.0, value - 0.06), min(1.0, value + 0.05), k))
    return Curve(name, slot, dash, n, tuple(points))


LONG, SHORT = curve("long", 0.03), curve("short", 0.01, n=20, slot=1)
RATES = [{"problem": f"p{c}", "n": 50, "c": c} for c in (0, 0, 1, 2, 5, 9, 20, 50)]


def ahead(of: Curve) -> Forecast:
    points = (of.last, Point(200.0, 0.97, 0.9, 0.99, 200), Point(1000.0, 0.99, 0.93, 1.0, 1000))
    return Forecast(Curve(of.label, of.slot, 0, 100, points), "beta_binomial", 10.0, 0.012)


def pair(problem: str, run: float, baseline: float) -> dict[str, Any]:
    return {"problem": problem, "run_rate": run, "baseline_rate": baseline}


def thresholds() -> list[dict[str, Any]]:
    return [
        {"threshold": at / 10, "precision": 0.5 + at / 25, "recall": 1 - at / 12, "accepted": 100 - 8 * at}
        for at in range(10)
    ]


def specs() -> dict[str, dict[str, Any]]:
    better = Curve("b", 0, 0, 10, (Point(1, 0.02, -0.01, 0.05, 1), Point(10, 0.2, 0.1, 0.3, 10)))
    cells = [
        {"row": "a", "column": "b", "difference": 0.031, "text": "+3.1", "clear": True},
        {"row": "b", "column": "a", "difference": -0.031, "text": "−3.1", "clear": True},
    ]
    ceiling, vote = curve("Coverage", 0.03, slot=INK), curve("Majority vote", 0.004, slot=INK, dash=1)
    return {
        "coverage": coverage_spec([LONG, SHORT], marker=10),
        "forecast": coverage_spec([LONG], beyond=Beyond([ahead(LONG)])),
        "unsolved": coverage_spec([LONG, SHORT], measure=UNSOLVED),
        "power_law": coverage_spec([LONG], measure=MINUS_LOG, fits=[LONG]),
        "tokens": coverage_spec([LONG.along(120.0), SHORT.along(80.0)], marker=10, quantity=TOKENS),
        "small_multiple": small_multiple_spec(LONG, [SHORT], 100),
        "cost": cost_spec(
            [LONG.along(0.002), SHORT.along(0.001)], 10, reference=Reference(0.33, "single-attempt best")
        ),
        "selection": selection_spec(ceiling, [vote], plateau=0.2, marker=10),
        "difference": difference_spec([better], "a", marker=10),
        "pass_rates": pass_rate_spec(pass_rate_bins(RATES), 2, 50, title="run"),
        "sorted_rates": sorted_rates_spec(RATES, 2),
        "pairs": pairs_spec([pair("p0", 0.0, 0.2), pair("p1", 0.5, 0.1), pair("p2", 0.0, 0.0)], "b", "a", 1),
        "matrix": matrix_spec(cells, ["a", "b"], 10),
        "thresholds": precision_recall_spec(thresholds(), 0.5, INK),
        "facets": facets([("GSM8K", coverage_spec([LONG])), ("MATH", coverage_spec([SHORT]))]),
    }


@pytest.mark.parametrize("name", list(specs()))
def test_every_chart_is_valid_vega_lite(name: str) -> None:
    spec = specs()[name]
    json.dumps(spec, allow_nan=False)
    schema = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json"}
    kind = alt.ConcatChart if "concat" in spec else alt.LayerChart
    kind.from_dict(spec | schema).to_dict()
    assert spec["description"]


@pytest.mark.parametrize("name", list(specs()))
def test_every_chart_is_drawn_as_before(name: str) -> None:
    svg = rendered(specs()[name], "svg", width=760)
    assert svg == rendered(specs()[name], "svg", width=760)
    kept = GOLDEN / f"{name}.svg"
    if os.environ.get("WRITE_GOLDEN"):  # after looking at them
        GOLDEN.mkdir(exist_ok=True)
        kept.write_bytes(svg)
    assert svg == kept.read_bytes(), f"{kept.name} is drawn differently: look at it, then WRITE_GOLDEN=1"


def test_a_file_has_nothing_that_waits_for_a_pointer() -> None:
    text = json.dumps(still(specs()["coverage"]))
    assert "params" not in text
    assert '"hover"' not in text
    assert '"hover"' in json.dumps(specs()["coverage"])


def test_png_and_pdf_are_made_without_a_browser() -> None:
    spec = specs()["coverage"]
    assert rendered(spec, "png", "dark").startswith(b"\x89PNG")
    assert rendered(spec, "pdf").startswith(b"%PDF")
    with pytest.raises(UnknownFormat, match="svg, png, pdf, not gif"):
        rendered(spec, "gif")


def test_no_picture_names_another_host() -> None:
    for spec in specs().values():
        svg = rendered(spec, "svg").decode()
        assert set(re.findall(r"https?://[^\"' )]+", svg)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }


def test_a_forecast_is_dotted_named_and_ends_at_ten_times() -> None:
    spec = specs()["forecast"]
    layer = next(one for one in spec["layer"] if one.get("name") == "forecasts")
    assert layer["encoding"]["strokeDash"] == {"value": [2, 4]}
    assert max(row["k"] for row in layer["data"]["values"]) == 1000
    (labels,) = [one for one in spec["layer"] if one.get("name") == "labels"]
    assert any("forecast 99.0 %, 10x beyond the data" in row["text"] for row in labels["data"]["values"])
    lines = [one for one in spec["layer"] if one["mark"]["type"] == "line" and "name" not in one]
    assert max(row["k"] for one in lines for row in one["data"]["values"]) == 100


def test_a_solved_problem_set_has_no_point_on_a_log_axis() -> None:
    whole = Curve("all", 0, 0, 2, (Point(1, 0.5, 0.4, 0.6, 1), Point(2, 1.0, 0.9, 1.0, 2)))
    assert [point.k for point in UNSOLVED.drawn([whole])[0].points] == [1]
    assert [point.k for point in MINUS_LOG.drawn([whole])[0].points] == [1]
    assert SOLVED.drawn([whole])[0].points == whole.points


def test_an_interval_of_minus_log_has_its_ends_in_order() -> None:
    (point,) = MINUS_LOG.drawn([Curve("a", 0, 0, 1, (Point(1, 0.5, 0.4, 0.6, 1),))])[0].points
    assert point.low is not None
    assert point.high is not None
    assert point.low < point.value < point.high


def test_places_on_a_log_axis_go_there_and_back() -> None:
    span = Span(0.01, 1.0, log=True)
    assert span.position(0.1) == pytest.approx(0.5)
    assert span.value(span.position(0.03)) == pytest.approx(0.03)


def test_a_narrow_axis_has_more_than_one_tick() -> None:
    assert log_ticks(0.002, 0.009) == [0.002, 0.005]
    assert log_ticks(0.5, 2000) == [1, 10, 100, 1000]


def test_what_another_run_beats_is_faint_and_the_frontier_is_whole() -> None:
    spec = cost_spec([LONG.along(0.002), SHORT.along(0.1)], quantity=DOLLARS)
    (strong,) = [layer for layer in spec["layer"] if layer.get("name") == "frontier"]
    assert {row["slot"] for row in strong["data"]["values"]} == {LONG.slot}
    assert len(strong["data"]["values"]) == len(LONG.points)


def test_a_difference_is_shaded_only_where_it_leaves_out_zero() -> None:
    (layer,) = [one for one in specs()["difference"]["layer"] if one.get("name") == "clear of zero"]
    assert [row["k"] for row in layer["data"]["values"]] == [10]


def test_never_solved_problems_lie_in_the_gutter() -> None:
    dots = specs()["pairs"]["layer"][1]["data"]["values"]
    gutters = {row["problem"]: row["value"] for row in dots}
    assert gutters["p0"] == gutters["p2"] < 0.1
    assert next(row for row in dots if row["problem"] == "p0")["run"] == "0 %"


def test_pictures_in_one_page_do_not_share_ids() -> None:
    svg = own_ids('<g clip-path="url(#clip0)"><clipPath id="clip0"/></g>', "f2")
    assert svg == '<g clip-path="url(#f2-clip0)"><clipPath id="f2-clip0"/></g>'


def test_a_standing_chart_has_its_title_and_width() -> None:
    made = standing(specs()["coverage"], 800, "Title")
    assert made["title"] == "Title"
    assert made["width"] == 800
