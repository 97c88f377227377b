"""Chart specifications: valid Vega-Lite, and nothing drawn that the data do not say."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import altair as alt
import pytest
import vl_convert

from dashboard.charts.activity import latency_spec, queue_depth_spec, throughput_spec
from dashboard.charts.axes import fitting
from dashboard.charts.cost import cost_spec, frontier
from dashboard.charts.coverage import coverage_finding, coverage_spec, end_label
from dashboard.charts.curves import Curve, Point, curve_from
from dashboard.charts.difference import difference_finding, difference_spec
from dashboard.charts.palette import GREY, HUES, INK, run_slots
from dashboard.charts.pass_rates import CLICKED, clickable, pass_rate_finding, pass_rate_spec
from dashboard.charts.rate_bins import bin_named, pass_rate_bins
from dashboard.charts.selection import selection_finding, selection_spec

LATTICE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]


def rows(n: int, rate: float) -> list[dict[str, Any]]:
    """What the analytics returns for a run whose problems all have the same rate: no value above n."""
    return [
        {
            "k": k,
            "coverage": None if k > n else 1 - (1 - rate) ** k,
            "low": None if k > n else max(0.0, 1 - (1 - rate) ** k - 0.05),
            "high": None if k > n else min(1.0, 1 - (1 - rate) ** k + 0.05),
            "n_min": n,
        }
        for k in LATTICE
    ]


def curve(name: str, n: int = 1000, rate: float = 0.01, slot: int = 0, dash: int = 0) -> Curve:
    made = curve_from(rows(n, rate), name, slot, dash)
    assert made is not None
    return made


def values(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for layer in spec["layer"] for row in layer.get("data", spec.get("data", {})).get("values", [])]


def valid(spec: dict[str, Any]) -> None:
    json.dumps(spec, allow_nan=False)
    alt.Chart.from_dict(spec | {"$schema": "https://vega.github.io/schema/vega-lite/v6.json"}).to_dict()


def test_coverage_is_valid_vega_lite() -> None:
    valid(coverage_spec([curve("a"), curve("b", n=100, slot=1, dash=1)], marker=100))
    valid(coverage_spec([curve("alone", n=2)], marker=None, band=False))
    valid(coverage_spec([]))


def test_no_row_lies_beyond_the_end_of_its_curve() -> None:
    short = curve("short", n=100)
    assert [point.k for point in short.points] == [1, 2, 5, 10, 20, 50, 100]
    spec = coverage_spec([curve("long"), short], marker=500)
    drawn = [row for row in values(spec) if "series" in row]
    ranked = sorted([curve("long"), short], key=lambda one: -one.last.value)
    assert drawn
    for row in drawn:
        assert row["x"] <= ranked[row["series"]].last.k


def test_a_curve_without_any_value_is_not_drawn() -> None:
    assert curve_from([row | {"coverage": None} for row in rows(1, 0.1)], "none", 0) is None


def test_the_hover_card_says_where_a_curve_ended_instead_of_a_number() -> None:
    spec = coverage_spec([curve("long", rate=0.5), curve("short", n=100, rate=0.001)])
    card = next(row for row in values(spec) if row.get("x") == 500 and "curve1" in row)
    assert card["curve1"] == "— ends at n = 100"
    assert card["curve0"].startswith("100 %") or "%" in card["curve0"]


def test_end_labels_name_the_n_of_curves_that_end_early() -> None:
    assert end_label(curve("short", n=100, rate=0.5), 1000) == "short 100 %, ends at n = 100"
    assert "ends" not in end_label(curve("long"), 1000)


def test_a_marker_beyond_the_data_is_not_drawn() -> None:
    spec = coverage_spec([curve("short", n=10)], marker=100)
    assert not [row for row in values(spec) if row.get("text") == "k = 100"]


def test_the_percent_axis_is_always_whole() -> None:
    for layer in coverage_spec([curve("a")])["layer"]:
        y = layer["encoding"].get("y", {})
        if "scale" in y:
            assert y["scale"]["domain"] == [0, 1]


def test_selection_methods_are_ink_and_the_gap_is_named() -> None:
    ceiling, vote = curve("Coverage", slot=INK, rate=0.05), curve("Majority vote", slot=INK, dash=1, rate=0.0002)
    spec = selection_spec(ceiling, [vote], plateau=0.2, marker=10)
    valid(spec)
    assert {row["slot"] for row in values(spec) if "slot" in row} == {INK}
    gap = 100 * (ceiling.last.value - vote.last.value)
    assert any(row.get("text") == f"{gap:.1f} points not harvested" for row in values(spec))
    assert f"{gap:.1f} points of coverage are not harvested" in selection_finding(ceiling, [vote])


def test_selection_compares_at_a_k_that_both_have() -> None:
    ceiling, vote = curve("Coverage", slot=INK, rate=0.01), curve("Majority vote", n=100, slot=INK, rate=0.001)
    held = ceiling.at(100)
    assert held is not None
    assert f"{100 * (held.value - vote.last.value):.1f} points" in selection_finding(ceiling, [vote])


def test_cost_is_valid_and_never_has_a_free_point_on_its_log_axis() -> None:
    free = curve_from([{"k": 1, "coverage": 0.1, "usd": 0.0}, {"k": 2, "coverage": 0.2, "usd": 1.0}], "a", 0, x="usd")
    assert free is not None
    assert [point.k for point in free.points] == [2]
    valid(cost_spec([free], marker=2))
    both = [cost_curve("cheap", 0.001, 0.01), cost_curve("dear", 0.1, 0.02)]
    valid(cost_spec(both, marker=100))


def cost_curve(name: str, usd: float, rate: float) -> Curve:
    made = curve_from([row | {"usd": usd * row["k"]} for row in rows(1000, rate)], name, 0, x="usd")
    assert made is not None
    return made


def test_the_frontier_only_rises() -> None:
    points = frontier([cost_curve("cheap", 0.001, 0.001), cost_curve("dear", 0.002, 0.01)])
    assert all(a.x < b.x and a.value < b.value for a, b in itertools.pairwise(points))
    assert points[0] == min((p for p in points), key=lambda p: p.x)


def test_a_dominated_point_is_not_on_the_frontier() -> None:
    good = Curve("good", 0, 0, 1, (Point(1.0, 0.5, 0.5, 0.5, 1),))
    bad = Curve("bad", 1, 0, 1, (Point(2.0, 0.4, 0.4, 0.4, 1),))
    assert frontier([good, bad]) == [good.last]


def test_a_difference_is_drawn_around_zero_and_said_with_its_interval() -> None:
    better = Curve("b", 0, 0, 10, (Point(1, 0.02, -0.01, 0.05, 1), Point(10, 0.2, 0.1, 0.3, 10)))
    spec = difference_spec([better], "a", marker=10)
    valid(spec)
    domains = {tuple(layer["encoding"]["y"]["scale"]["domain"]) for layer in spec["layer"]
               if "scale" in layer["encoding"].get("y", {})}  # fmt: skip
    assert domains == {(-0.3, 0.3)}
    assert difference_finding([better], "a", 10) == "b solves 20.0 points more than a at k = 10 (10.0 to 30.0)."
    assert difference_finding([better], "a", 1).startswith("No clear difference between b and a at k = 1: +2.0")
    assert (
        difference_finding([better], "a", 100) == "No run has k = 100 samples of every problem that it shares with a."
    )


@pytest.mark.parametrize(("width", "slanted"), [(320, True), (1000, False)])
def test_labels_of_pass_rates_never_cover_each_other(width: int, slanted: bool) -> None:
    """On a phone they are slanted, where there is room they lie flat under the middle of their bars."""
    bins = pass_rate_bins([{"n": 10_000, "c": c} for c in (0, 3, 20, 500, 10_000)])
    spec = pass_rate_spec(bins, 1, 10_000) | {"width": width, "autosize": {"type": "fit", "contains": "padding"}}
    svg = vl_convert.vegalite_to_svg(spec)
    (label,) = re.findall(r'<text text-anchor="(\w+)" transform="([^"]+)"[^>]*>up to 0.03 %', svg)
    assert ("rotate(-35)" in label[1]) == slanted
    assert label[0] == ("end" if slanted else "middle")


def test_pass_rate_bins_hold_every_judged_problem_once() -> None:
    records = [{"n": 100, "c": c} for c in range(101)] + [{"n": 0, "c": 0}]
    bins = pass_rate_bins(records)
    assert sum(one.problems for one in bins) == 101
    assert bins[0].label == "never"
    assert bins[0].problems == 1
    assert bins[-1].label == "always"
    assert bins[-1].problems == 1
    valid(pass_rate_spec(bins, 3, 100))


def test_a_minute_without_a_report_is_a_gap_in_a_rate() -> None:
    minutes = [{"minute": f"2026-01-01T00:0{m}:00+00:00", "samples": None if m == 2 else 60 * m} for m in range(5)]
    spec = throughput_spec(minutes, "samples", "Samples/s")
    valid(spec)
    svg = vl_convert.vegalite_to_svg(spec | {"width": 300})
    (line,) = re.findall(r'aria-roledescription="line mark" d="([^"]*)"', svg)
    assert line.count("M") == 2
    valid(latency_spec([{"minute": one["minute"], "p50": 1.0, "p95": 2.0} for one in minutes[:1]], minutes))


def test_queues_are_told_apart_without_hues_and_a_gap_stays_a_gap() -> None:
    minutes = [f"2026-01-01T00:0{minute}:00+00:00" for minute in range(5)]
    depths = [
        {"minute": minute, "queue": queue, "waiting": None if place == 2 else 5, "in_work": None if place == 2 else 1}
        for queue in ("generate.tiny", "verify")
        for place, minute in enumerate(minutes)
    ]
    spec = queue_depth_spec(depths)
    valid(spec)
    assert "color" not in spec["encoding"]
    svg = vl_convert.vegalite_to_svg(spec | {"width": 300})
    lines = re.findall(r'aria-roledescription="line mark" d="([^"]*)"', svg)
    assert [line.count("M") for line in lines] == [2, 2]


def test_a_link_names_the_problems_of_a_bar() -> None:
    records = [{"n": 100, "c": c} for c in range(101)]
    bins = pass_rate_bins(records)
    for one in bins:
        named = bin_named(one.name)
        assert named is not None
        assert sum(named.holds(row["c"], row["n"]) for row in records) == one.problems
    assert [bin_named(name) for name in ("0.3..0.1", "0..2", "1..", "often", "nan..1", "0.1..0.2..0.3")] == [None] * 6
    chosen = pass_rate_spec(bins, 3, 100, chosen=bins[2].name)
    valid(clickable(chosen))
    assert clickable(chosen)["layer"][0]["params"][0]["name"] == CLICKED
    condition = chosen["layer"][0]["encoding"]["opacity"]["condition"]
    assert condition["test"]["oneOf"] == [bins[2].label]


def test_no_bin_lies_below_one_in_n() -> None:
    assert [one.label for one in pass_rate_bins([{"n": 10, "c": 1}])][1] == "up to 10 %"
    assert pass_rate_finding(pass_rate_bins([]), 0) == "No problem has been judged."


def test_a_run_keeps_its_hue_whatever_is_drawn_beside_it() -> None:
    everything = [f"run{place}" for place in range(9)]
    assert run_slots(["run3"], everything)["run3"] == 3
    assert run_slots(["run3", "run1", "run2"], everything)["run3"] == 3
    assert run_slots(["run0", "run7"], everything) == {"run0": 0, "run7": 1}
    crowded = run_slots(everything, everything)
    assert len({crowded[run] for run in everything[:HUES]}) == HUES
    assert crowded["run8"] == GREY


def test_the_finding_reads_as_a_sentence() -> None:
    assert coverage_finding([curve("a", n=10, rate=0.1)]) == "a rises from 10.0 % at k = 1 to 65.1 % at k = 10."


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_theme_has_a_colour_for_every_slot(mode: str) -> None:
    import tomllib

    import dashboard

    path = Path(next(iter(dashboard.__path__))) / ".streamlit" / "config.toml"
    theme = tomllib.loads(path.read_text(encoding="utf-8"))["theme"][mode]
    assert len(theme["chartCategoricalColors"]) == INK + 1
    for color in theme["chartCategoricalColors"]:
        assert contrast(color, theme["backgroundColor"]) >= 4.5
    assert contrast(faded(theme["textColor"], theme["backgroundColor"]), theme["backgroundColor"]) >= 4.5
    assert contrast("#FFFFFF", theme["primaryColor"]) >= 4.5


def channels(color: str) -> list[float]:
    return [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def faded(color: str, background: str, share: float = 0.6) -> str:
    """A caption's colour: Streamlit draws captions in the text colour at 60 %."""
    mixed = (share * a + (1 - share) * b for a, b in zip(channels(color), channels(background), strict=True))
    return "#" + "".join(f"{round(255 * channel):02X}" for channel in mixed)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, WCAG 2.2."""

    def luminance(color: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(color)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_on_a_phone_the_labels_of_curves_lie_in_the_plot() -> None:
    wide = coverage_spec([curve("small"), curve("large", rate=0.05, slot=1)])
    page = fitting(wide)
    valid(page)
    (labels,) = [layer for layer in page["layer"] if layer.get("name") == "labels"]
    assert labels["data"] == next(layer for layer in wide["layer"] if layer.get("name") == "labels")["data"]

    def ends(spec: dict[str, Any], narrow: bool) -> tuple[str, float]:
        text = json.dumps(spec | {"width": 360 if narrow else 900}).replace(
            "windowSize()[0]", "390" if narrow else "1280"
        )
        svg = vl_convert.vegalite_to_svg(text)
        (anchor,) = set(re.findall(r'text-anchor="(\w+)"[^>]*font-weight="600"[^>]*>(?:small|large)', svg))
        return anchor, float(re.findall(r'class="background"[^>]*h([\d.]+)v', svg)[0])

    assert ends(page, narrow=False) == ends(wide, narrow=False) == ("start", 900 - 84 - wide["padding"]["right"])
    assert ends(page, narrow=True) == ("end", 360 - 84 - 14)
    bars = pass_rate_spec(pass_rate_bins([{"c": 1, "n": 2}]), 0, 2)
    assert fitting(bars) == bars
