"""Runs against each other: paired differences in coverage, problem by problem, and all pairs at one k."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.answers import Answer, Asker, Row
from dashboard.charts.curves import Curve, curve_from
from dashboard.charts.difference import difference_spec, signed
from dashboard.charts.pairs import matrix_spec, pairs_finding, pairs_spec
from dashboard.figures.drawn import Counting, shared_lattice
from dashboard.figures.figure import Figure
from dashboard.wording import NONE, plural


def difference(asker: Asker, runs: Sequence[Row], baseline: str, verifier: str | None, counting: Counting) -> Answer:
    """Paired differences of the runs to the baseline over their shared lattice."""
    names = [baseline, *(row["run"] for row in runs if row["run"] != baseline)]
    ks = shared_lattice(row["n_min"] for row in runs)
    told = counting.parameters("coverage_difference")
    told.pop("policy", None)
    return asker.ask("coverage_difference", run=names, k=ks, verifier=verifier, **told)


def difference_curves(answer: Answer, slots: dict[str, int]) -> list[Curve]:
    """A curve for each run beside the baseline."""
    names = list(dict.fromkeys(row["run"] for row in answer.records))
    made = [
        curve_from([row for row in answer.records if row["run"] == name], name, slots[name], value="difference")
        for name in names
    ]
    return [curve for curve in made if curve]


def difference_figure(answer: Answer, curves: Sequence[Curve], baseline: str, marker: int | None) -> Figure:
    """The chart of paired differences."""
    caption = (
        "Coverage of each run less that of the baseline, on the problems both have; above zero the run solves more. "
        "Band: 95 % interval at each k, paired by problem, dark where it leaves out zero. " + shared(answer)
    )
    spec = difference_spec(curves, baseline, marker)
    return Figure("compare", "Difference in coverage", spec, caption, answer.records, answer.sql, answer.notes)


def shared(answer: Answer) -> str:
    """How many problems the comparison rests on, and how many it leaves out."""
    row = min(answer.records, key=lambda row: row["problems"])
    left = (row["only_run"] or 0) + (row["only_baseline"] or 0)
    if not left:
        return f"{plural(row['problems'], 'shared problem')}."
    return f"Only {row['problems']:,} of {row['problems'] + left:,} problems are shared; compared on these."


def difference_table(answer: Answer) -> list[Row]:
    """The rows of differences as people read them."""
    return [_shown(row) for row in answer.records]


def _shown(row: Row) -> Row:
    known = row["difference"] is not None
    return {
        "run": row["run"],
        "baseline": row["baseline"],
        "k": row["k"],
        "difference, points": signed(row["difference"]) if known else NONE,
        "95 % interval": f"{signed(row['low'])} to {signed(row['high'])}" if known else NONE,
        "band over all k": f"{signed(row['band_low'])} to {signed(row['band_high'])}" if known else NONE,
        "p": row["p"],
        "p, corrected": row["holm_p"],
        "problems": row["problems"],
    }


def rates(asker: Asker, run: str, baseline: str) -> list[Row]:
    """Pass rates of two runs on the problems that both judged."""
    mine, base = (
        {row["problem"]: row["pass_rate"] for row in asker.ask("pass_rates", run=name).records if row["n"]}
        for name in (run, baseline)
    )
    return [
        {"problem": problem, "run_rate": rate, "baseline_rate": base[problem]}
        for problem, rate in mine.items()
        if problem in base
    ]


def pairs_figure(asker: Asker, run: str, baseline: str, slot: int) -> Figure:
    """The scatter of two runs' pass rates."""
    rows = rates(asker, run, baseline)
    sql = "\n\n".join(asker.ask("pass_rates", run=name).sql for name in (run, baseline))
    caption = f"{pairs_finding(rows, run, baseline)} A rate of 0 lies in the gutter: no logarithm reaches it."
    return Figure("pairs", f"{run} against {baseline}", pairs_spec(rows, run, baseline, slot), caption, rows, sql)


def matrix_figure(asker: Asker, runs: Sequence[Row], verifier: str | None, counting: Counting, k: int) -> Figure:
    """Every pair of runs at one k."""
    names = [row["run"] for row in runs]
    cells: list[Row] = []
    answers = []
    for base in names:
        answer = difference(asker, runs, base, verifier, counting)
        answers.append(answer)
        cells.append({"row": base, "column": base, "difference": None, "text": "", "clear": False})
        cells += [_cell(row) for row in answer.records if row["k"] == k]
    caption = (
        f"Row less column, in points of coverage at k = {k:,}, paired by problem; faint text: the 95 % interval holds "
        "zero, so chance may explain it."
    )
    sql = "\n\n".join(dict.fromkeys(answer.sql for answer in answers))
    return Figure("matrix", "Every pair", matrix_spec(cells, names, k), caption, cells, sql)


def _cell(row: Row) -> Row:
    known = row["difference"] is not None and row["low"] is not None
    return {
        "row": row["run"],
        "column": row["baseline"],
        "difference": row["difference"],
        "text": signed(row["difference"]) if row["difference"] is not None else NONE,
        "clear": bool(known and not row["low"] <= 0 <= row["high"]),
    }
