"""The figure of selection accuracy: what each rule that picks one of k samples keeps of coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.answers import Answer, Asker, Row
from dashboard.charts.curves import Curve, curve_from
from dashboard.charts.palette import INK
from dashboard.charts.selection import selection_finding, selection_spec
from dashboard.figures.figure import Figure
from dashboard.wording import NONE, interval, percent
from store.analytics.concepts import catalogue
from store.errors import PassatkError

MAJORITY, WEIGHTED, BEST, TESTS = "majority", "weighted", "best", "tests"
METHODS = {
    MAJORITY: "Majority vote",
    BEST: "Best-of-k",
    WEIGHTED: "Weighted vote",
    TESTS: "Generated-test agreement",
}
_QUERIES = {MAJORITY: "selection", BEST: "best_of_k", WEIGHTED: "weighted_vote", TESTS: "generated_test_agreement"}


@dataclass(frozen=True)
class Picked:
    """One method: its curve and answer, and how exact it is."""

    curve: Curve
    answer: Answer
    exactness: str


@dataclass(frozen=True)
class Selection:
    """Coverage as the ceiling, the methods under it, and why a method is missing."""

    ceiling: Curve | None
    picked: list[Picked]
    plateau: float | None
    said: tuple[str, ...]

    @property
    def methods(self) -> list[Curve]:
        return [one.curve for one in self.picked]


def available(judged: Sequence[Row]) -> list[str]:
    """The methods that the verifiers of a run make possible; whether they give scores shows only when asked."""
    known = catalogue()
    votes = any(row["has_answers"] for row in judged)
    wanted = [MAJORITY] if votes else []
    wanted += [BEST, *([WEIGHTED] if votes else []), TESTS]
    return [name for name in wanted if _QUERIES[name] in known]


def selection(asker: Asker, run: str, judged: Sequence[Row], voter: str | None, ks: list[int]) -> Selection:
    """Every method that this run's verifiers make possible, over the same k."""
    picked: list[Picked] = []
    said: list[str] = []
    scorers = [row["verifier"] for row in judged]
    for method in available(judged):
        for scorer in scorers if method in (BEST, WEIGHTED) else [None]:
            try:
                answer = _asked(asker, method, run, voter, scorer, ks)
            except PassatkError as error:
                if method == MAJORITY:
                    said.append(str(error))
                continue  # this verifier gives no scores, or ran no generated tests
            curve = _curve(method, scorer, answer, len(picked) + 1)
            if curve:
                picked.append(Picked(curve, answer, _exactness(method, answer)))
    covered = asker.ask("coverage", run=run, k=ks).records
    ceiling = _ceiling(picked[0].answer.records, covered) if picked else None
    plateau = next((row["plateau"] for one in picked for row in one.answer.records if row.get("plateau")), None)
    return Selection(ceiling, picked, plateau, tuple(said))


def _asked(asker: Asker, method: str, run: str, voter: str | None, scorer: str | None, ks: list[int]) -> Answer:
    by = {"answers_from": voter} if method in (MAJORITY, WEIGHTED) else {}
    by |= {"scores_from": scorer} if scorer else {}
    return asker.ask(_QUERIES[method], run=run, k=ks, **by)


def _curve(method: str, scorer: str | None, answer: Answer, dash: int) -> Curve | None:
    label = METHODS[method] if scorer is None else f"{METHODS[method]} by {scorer}"
    return curve_from(answer.records, label, INK, dash, value="selection_accuracy")


def _exactness(method: str, answer: Answer) -> str:
    if method != WEIGHTED:
        return "exact over all subsets of the stored samples"
    errors = [row["monte_carlo_se"] for row in answer.records if row["monte_carlo_se"] is not None]
    return f"random orders of the samples, ± {100 * max(errors, default=0.0):.1f} points of Monte Carlo error"


def _ceiling(selected: Sequence[Row], covered: Sequence[Row]) -> Curve | None:
    """Coverage of the samples picked from, with the interval of the run's coverage where the two are the same."""
    known = {row["k"]: row for row in covered}
    rows = []
    for row in selected:
        same = known.get(row["k"])
        fits = same is not None and row["coverage"] is not None and same["coverage"] is not None
        bounds = same if same is not None and fits and abs(same["coverage"] - row["coverage"]) < 1e-9 else {}
        rows.append({"k": row["k"], "coverage": row["coverage"], "low": bounds.get("low"), "high": bounds.get("high")})
    return curve_from(rows, "Coverage", INK)


def selection_figure(found: Selection, ceiling: Curve, marker: int | None) -> Figure:
    """The chart over methods that have been found."""
    spec = selection_spec(ceiling, found.methods, found.plateau, marker)
    how = "; ".join(f"{one.curve.label.lower()}: {one.exactness}" for one in found.picked)
    caption = f"{selection_finding(ceiling, found.methods)} {how[:1].upper()}{how[1:]}. Ties are split evenly."
    if found.plateau is not None:
        caption += " The vote's limit: the share of problems whose commonest answer overall is right."
    caption += " Bands: 95 % interval over problems."
    records = [row for one in found.picked for row in one.answer.records]
    sql = "\n\n".join(dict.fromkeys(one.answer.sql for one in found.picked))
    notes = tuple(dict.fromkeys(note for one in found.picked for note in one.answer.notes))
    return Figure("selection", "Selection accuracy", spec, caption, _whole(records), sql, notes)


def _whole(records: Sequence[Row]) -> list[Row]:
    """Rows of several queries with the columns of all."""
    columns = list(dict.fromkeys(name for row in records for name in row))
    return [{name: row.get(name) for name in columns} for row in records]


def selection_table(found: Selection) -> list[Row]:
    """The rows of methods as people read them."""
    return [
        {
            "method": one.curve.label,
            "k": row["k"],
            "selection accuracy": percent(row["selection_accuracy"]),
            "95 % interval": interval(row["low"], row["high"]),
            "coverage": percent(row["coverage"]),
            "harvested": percent(row["selection_accuracy"] / row["coverage"]) if row["coverage"] else NONE,
            "problems": row["problems"],
        }
        for one in found.picked
        for row in one.answer.records
        if row["selection_accuracy"] is not None
    ]
