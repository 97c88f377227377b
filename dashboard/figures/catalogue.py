"""The figures by name: what `passatk figure`, `passatk report` and the menu of the Coverage page draw.

The first seven are those of "Large Language Monkeys" (arXiv 2407.21787).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dashboard.answers import Asker, Row
from dashboard.charts.cost import Reference
from dashboard.charts.facets import facets
from dashboard.charts.measures import MINUS_LOG
from dashboard.charts.palette import run_slots
from dashboard.charts.pass_rates import pass_rate_spec, sorted_rates_spec
from dashboard.charts.quantities import DOLLARS, SAMPLES, Quantity
from dashboard.charts.rate_bins import pass_rate_bins
from dashboard.figures.comparison import difference, difference_curves, difference_figure
from dashboard.figures.cost import cost_figure, costed, unit_of
from dashboard.figures.coverage import CoverageFigure, View, coverage_figure
from dashboard.figures.drawn import STANDARD, Wanted, coverage_curves
from dashboard.figures.figure import Figure
from dashboard.figures.selection import selection, selection_figure
from dashboard.figures.spending import USUAL, Paying
from dashboard.wording import plural
from store.analytics import k_lattice
from store.errors import PassatkError


class NothingToDraw(PassatkError):
    """A figure needs judged samples that these runs do not have."""


class UnknownFigure(PassatkError):
    """No figure has this name."""


@dataclass(frozen=True)
class Asked:
    """What a figure is drawn of: summaries of the runs, the verifier, and how."""

    runs: tuple[Row, ...]
    all_runs: tuple[Row, ...]
    verifier: str | None = None
    marker: int | None = None
    quantity: Quantity | None = None
    reference: Reference | None = None
    forecast: bool = False
    paying: Paying = USUAL
    slots: dict[str, int] = field(default_factory=dict)

    def slot(self, run: str) -> int:
        """The hue of a run: the one it has on the pages."""
        return self.slots.get(run, 0)

    def wanted(self, rows: Sequence[Row] | None = None) -> list[Wanted]:
        return [
            Wanted(row, self.verifier or row["reference"], row["run"], self.slot(row["run"]))
            for row in (self.runs if rows is None else rows)
        ]


def asked_for(asker: Asker, runs: Sequence[str], **looks: object) -> Asked:
    """The runs of these names, or every judged run; raises UnknownName as the query does."""
    every = asker.ask("run_summary").records
    if runs:
        asker.ask("run_settings", run=list(runs))  # names a run that is not there
    chosen = tuple(row for row in every if row["run"] in runs) if runs else tuple(row for row in every if row["judged"])
    if not chosen:
        raise NothingToDraw("No run is judged yet: `passatk verify --run RUN` judges one.")
    slots: dict[str, int] = {}
    for benchmark in {row["benchmark"] for row in chosen}:
        here = [row["run"] for row in sorted(every, key=lambda row: row["run_id"]) if row["benchmark"] == benchmark]
        slots |= run_slots([row["run"] for row in chosen if row["benchmark"] == benchmark], here)
    return Asked(chosen, tuple(every), slots=slots, **looks)  # type: ignore[arg-type]


def _curves(asker: Asker, asked: Asked, rows: Sequence[Row], view: View) -> CoverageFigure:
    drawn, refused = coverage_curves(asker, asked.wanted(rows))
    if not drawn:
        raise NothingToDraw(" ".join(refused) or "These runs have no judged samples.")
    made = coverage_figure(asker, drawn, view)
    if not made.drawn:
        raise NothingToDraw(" ".join(made.said))
    return made


def _faceted(asker: Asker, asked: Asked, groups: Sequence[tuple[str, list[Row]]], view: View, name: str) -> Figure:
    made, refused = [], []
    for title, rows in groups:
        try:
            made.append((title, _curves(asker, asked, rows, view)))
        except PassatkError as error:
            refused.append(str(error))
    if not made:
        raise NothingToDraw(" ".join(refused))
    spec = facets([(title, one.figure.spec) for title, one in made])
    parts = [one.figure for _, one in made]
    said = [sentence for _, one in made for sentence in one.said]
    fits = [
        f"{fit.label}: a = {fit.a:.3f}, b = {fit.b:.3f}, error up to {100 * fit.error:.1f} points."
        for _, one in made
        for fit in one.fits
    ]
    errors = [
        f"{one.curve.label}: law {one.law.replace('_', ' ')}, {100 * one.backtest:.1f} points of error when tried."
        for _, two in made
        for one in two.forecasts
        if one.backtest is not None
    ]
    caption = " ".join([parts[0].caption, *fits, *errors, *said, *refused])
    return Figure(name, TITLES[name], spec, caption, *_merged(parts))


def _merged(parts: Sequence[Figure]) -> tuple[list[Row], str, tuple[str, ...]]:
    records = [row for part in parts for row in part.records]
    columns = list(dict.fromkeys(name for row in records for name in row))
    sql = "\n\n".join(dict.fromkeys(part.sql for part in parts))
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return [{name: row.get(name) for name in columns} for row in records], sql, notes


def _by(rows: Sequence[Row], key: Callable[[Row], str]) -> list[tuple[str, list[Row]]]:
    ordered = sorted(rows, key=key)
    return [(name, list(group)) for name, group in itertools.groupby(ordered, key=key)]


def coverage(asker: Asker, asked: Asked) -> Figure:
    """Figure 1: coverage against samples, a chart a benchmark, a line a run."""
    view = View(asked.marker, forecast=asked.forecast)
    return _faceted(asker, asked, _by(asked.runs, lambda row: row["benchmark"]), view, "coverage")


def family(asker: Asker, asked: Asked) -> Figure:
    """Figure 2: coverage against samples, a chart a model family."""
    return _faceted(asker, asked, _by(asked.runs, lambda row: family_of(row["model"])), View(asked.marker), "family")


def family_of(model: str) -> str:
    """The family a model's name begins with: `meta-llama/Llama-3-8B` is of `llama`."""
    found = re.match(r"[a-z]+", model.rsplit("/", 1)[-1].lower())
    return found.group() if found else model


def spent(asker: Asker, asked: Asked) -> Figure:
    """Figure 3: coverage against what it takes, in US$ or tokens."""
    view = View(asked.marker, quantity=asked.quantity or DOLLARS)
    return _faceted(asker, asked, _by(asked.runs, lambda row: row["benchmark"]), view, "spent")


def methods(asker: Asker, asked: Asked) -> Figure:
    """Figure 4: selection methods under coverage, a chart a run."""
    made: list[tuple[str, Figure]] = []
    for row in asked.runs:
        judged = asker.ask("run_verifiers", run=[row["run"]]).records
        voters = [one["verifier"] for one in judged if one["has_answers"]]
        voter = row["reference"] if row["reference"] in voters else voters[0] if voters else None
        found = selection(asker, row["run"], judged, voter, k_lattice(max(1, row["n_min"] or 1)))
        if found.ceiling and found.picked:
            made.append((row["run"], selection_figure(found, found.ceiling, asked.marker)))
    if not made:
        raise NothingToDraw("No verifier of these runs takes answers or gives scores, so nothing picks a sample.")
    spec = facets([(title, figure.spec) for title, figure in made])
    caption = " ".join(f"{title}: {figure.caption}" if len(made) > 1 else figure.caption for title, figure in made)
    return Figure("selection", TITLES["selection"], spec, caption, *_merged([figure for _, figure in made]))


def pass_rates(asker: Asker, asked: Asked) -> Figure:
    """Figure 5: the histogram of pass rates and the problems in order, a row a run."""
    specs, parts = [], []
    for row in asked.runs:
        if not row["judged"]:
            continue
        answer = asker.ask("pass_rates", run=row["run"], verifier=asked.verifier)
        bins = pass_rate_bins(answer.records)
        most = max((one["n"] for one in answer.records), default=0)
        specs.append((row["run"], pass_rate_spec(bins, asked.slot(row["run"]), most, title=row["run"])))
        specs.append((f"{row['run']}, problem by problem", sorted_rates_spec(answer.records, asked.slot(row["run"]))))
        parts.append(Figure("", "", {}, "", answer.records, answer.sql, answer.notes))
    if not parts:
        raise NothingToDraw("These runs have no judged samples.")
    caption = (
        "Left: problems by the share of their samples that are correct, c/n, on log bins; never and always solved ones "
        "stand apart. Right: the pass rate of each problem, from easy to hard; a cross marks problems never solved. "
        "Rates under 1/n cannot be seen with n samples."
    )
    return Figure("pass-rates", TITLES["pass-rates"], facets(specs), caption, *_merged(parts))


def power_law(asker: Asker, asked: Asked) -> Figure:
    """Figure 6: minus the logarithm of coverage on log-log axes, with the fitted power law."""
    view = View(asked.marker, measure=MINUS_LOG)
    return _faceted(asker, asked, _by(asked.runs, lambda row: row["benchmark"]), view, "power-law")


def cost(asker: Asker, asked: Asked) -> Figure:
    """Figure 7: cost against solved problems, with a line to compare with."""
    quantity = asked.quantity if asked.quantity and asked.quantity is not SAMPLES else DOLLARS
    made, refused = costed(asker, asked.wanted(), quantity, paying=asked.paying)
    if not made:
        raise NothingToDraw(" ".join(refused))
    unit = unit_of(asked.runs[0]["benchmark"])
    figure = cost_figure(made, quantity, asked.marker, unit, asked.reference)
    caption = " ".join([figure.caption, *refused])
    return Figure("cost", TITLES["cost"], figure.spec, caption, figure.records, figure.sql, figure.notes)


def compare(asker: Asker, asked: Asked) -> Figure:
    """Paired differences in coverage to the first run."""
    judged = [row for row in asked.runs if row["judged"]]
    if len(judged) < 2:
        raise NothingToDraw("A comparison needs two judged runs: name them with --run.")
    baseline = judged[0]["run"]
    answer = difference(asker, judged, baseline, asked.verifier, STANDARD)
    curves = difference_curves(answer, asked.slots)
    if not curves:
        raise NothingToDraw("No k is within the judged samples of every problem that these runs share.")
    return difference_figure(answer, curves, baseline, asked.marker)


FIGURES: dict[str, Callable[[Asker, Asked], Figure]] = {
    "coverage": coverage,
    "family": family,
    "spent": spent,
    "selection": methods,
    "pass-rates": pass_rates,
    "power-law": power_law,
    "cost": cost,
    "compare": compare,
}
TITLES = {
    "coverage": "Coverage against samples",
    "family": "Coverage by model family",
    "spent": "Coverage against what it takes",
    "selection": "Selection methods under coverage",
    "pass-rates": "How hard the problems are",
    "power-law": "Is coverage a power law?",
    "cost": "Cost against solved problems",
    "compare": "Difference in coverage",
}


def draw(asker: Asker, name: str, asked: Asked) -> Figure:
    """The figure of this name; raises UnknownFigure naming the known ones."""
    if name not in FIGURES:
        raise UnknownFigure(f'No figure "{name}"; there are: {", ".join(FIGURES)}.')
    return FIGURES[name](asker, asked)


def drawn_of(asked: Asked) -> str:
    """Whose samples a figure shows, in words."""
    return f"{plural(len(asked.runs), 'run')}: {', '.join(row['run'] for row in asked.runs)}"
