"""A report that opens without a server: figures as SVG inside one page, their numbers as CSV beside it."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboard.answers import Asker, Row
from dashboard.figures.catalogue import FIGURES, Asked, draw
from dashboard.figures.figure import Figure
from dashboard.rendering import rendered
from dashboard.tables import csv_text
from dashboard.wording import NONE, count, dollars, percent
from store.errors import PassatkError


class ReportFailed(PassatkError):
    """The report could not be written."""


@dataclass(frozen=True)
class Written:
    """What was written, and why figures are missing."""

    page: Path
    figures: tuple[str, ...]
    files: tuple[Path, ...]
    left_out: tuple[str, ...]


_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 "Source Sans 3", "Helvetica Neue", Arial, sans-serif; color: #0B0F14; background: #fff;
  max-width: 1040px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 1.8rem; margin: 0 0 4px; } h2 { font-size: 1.25rem; margin: 44px 0 8px; }
p.small, figcaption { color: #4B5563; font-size: 0.92rem; }
figure { margin: 0; } figure svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 0.92rem; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid #D5DBE1; white-space: nowrap; }
pre { background: #F3F5F7; padding: 12px; overflow-x: auto; font-size: 0.82rem; border-radius: 6px; }
details { margin: 8px 0; } a { color: #054AB6; }
"""

_METHODS = """
<p>A sample is one completion of one problem; a verifier decides whether it is correct. Coverage at k (pass@k)
is the expected share of problems with at least one correct sample among k, by the unbiased estimator 1 &minus;
C(n&minus;c, k) / C(n, k) for each problem with n decided samples of which c are correct, averaged over the
problems (Chen et al. 2021, arXiv 2107.03374). It is never taken beyond the samples there are: a curve ends at
the smallest n of its problems. Bands are 95&nbsp;% intervals over problems (Wilson, effective n). Samples that
no verifier could decide leave n and widen the interval to either outcome.</p>
<p>Selection accuracy is the share of problems whose selected sample is correct; a majority vote is exact over
all subsets of the stored samples, ties split evenly. Cost is tokens at the price stored for the day of the
snapshot; cost per solved problem is the cost of k samples of every problem over the expected number solved.
Differences between runs are paired by problem. Fitted laws describe the stored range alone.</p>
"""


def write_report(asker: Asker, asked: Asked, folder: Path, title: str) -> Written:
    """Every figure that these runs allow, into a folder of their own; nothing is written before all is drawn."""
    figures: list[Figure] = []
    left_out: list[str] = []
    for name in FIGURES:
        if name == "family" and len({row["model"] for row in asked.runs}) < 2:
            continue
        try:
            figures.append(draw(asker, name, asked))
        except PassatkError as error:
            left_out.append(f"{name}: {error}")
    if not figures:
        raise ReportFailed(" ".join(left_out))
    page = _page(asker, asked, figures, left_out, title)
    files = {folder / f"{figure.name}.csv": csv_text(figure.records) for figure in figures}
    files[folder / "runs.csv"] = csv_text([dict(row) for row in asked.runs])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
        (folder / "index.html").write_text(page, encoding="utf-8")
    except OSError as error:
        raise ReportFailed(f"{folder} cannot be written: {error.strerror}.") from error
    return Written(folder / "index.html", tuple(one.name for one in figures), tuple(files), tuple(left_out))


def _page(asker: Asker, asked: Asked, figures: Sequence[Figure], left_out: Sequence[str], title: str) -> str:
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
    )
    taken = f"{asker.taken_at:%Y-%m-%d %H:%M} UTC"
    parts = [
        head,
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="small">Snapshot {html.escape(asker.id)}, taken {taken}. Every number below is of that state.</p>',
        "<h2>Runs</h2>",
        _runs(asked.runs),
        *(_section(figure, place) for place, figure in enumerate(figures, 1)),
        "<h2>Methods</h2>",
        _METHODS,
    ]
    if left_out:
        items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in left_out)
        parts.append(f"<h2>Left out</h2><ul>{items}</ul>")
    return "\n".join([*parts, "</body></html>\n"])


def _runs(rows: Sequence[Row]) -> str:
    shown = [
        {
            "run": row["run"],
            "benchmark": row["benchmark"],
            "model": row["model"],
            "judged by": row["reference"] or NONE,
            "samples": count(row["samples"]),
            "n": count(row["n_min"]),
            "pass@1": percent(row["pass_at_1"]),
            "coverage at n": percent(row["coverage_at_n"]),
            "undecided": count(row["undecided"]),
            "spent": dollars(row["spent_usd"]) if row["spent_usd"] is not None else "no price",
        }
        for row in rows
    ]
    return f'<div class="wide">{_table(shown)}</div><p class="small"><a href="runs.csv">runs.csv</a></p>'


def _table(rows: Sequence[Row]) -> str:
    names = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(value))}</td>" for value in row.values()) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def _section(figure: Figure, place: int) -> str:
    svg = own_ids(rendered(figure.spec, "svg").decode(), f"f{place}")
    caption = f"<figcaption>Figure {place}. {html.escape(figure.caption)}</figcaption>"
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in figure.notes)
    return (
        f"<h2>{html.escape(figure.title)}</h2><figure>{svg}{caption}</figure>"
        + (f'<ul class="small">{notes}</ul>' if notes else "")
        + f'<p class="small"><a href="{figure.name}.csv">{figure.name}.csv</a></p>'
        + f"<details><summary>SQL behind this figure</summary><pre>{html.escape(figure.sql)}</pre></details>"
    )


def own_ids(svg: str, mark: str) -> str:
    """The picture with ids of its own: several in one page must not share them."""
    renamed = re.sub(r'\bid="([^"]+)"', rf'id="{mark}-\1"', svg)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{mark}-\1)", renamed)
