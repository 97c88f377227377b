"""The results pages and their figures: numbers equal to the queries', files and reports, and every view of a page."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import sqlalchemy as sa
import streamlit as st
from click.testing import CliRunner

from dashboard.figure_cli import figure, report
from dashboard.wording import dollars
from store import connection, model_registry
from store.analytics import open_snapshot, run_sql
from store.errors import PassatkError
from tests.integration.test_dashboard_pages import (
    BIG,
    SMALL,
    UNPRICED,
    filled,
    mirror,
    page,
    permalink,
    quiet,
    seeded,
    shown,
)

__all__ = ["mirror", "quiet", "seeded"]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    st.cache_resource.clear()


def command(what: Any, *arguments: str) -> str:
    done = CliRunner().invoke(what, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_overview_says_how_far_and_what_it_reached(seeded: Path) -> None:
    test = page("overview")
    table = test.dataframe[0].value.set_index("run")
    (row,) = [row for row in open_snapshot(seeded).query("run_summary").records() if row["run"] == BIG]
    (at,) = open_snapshot(seeded).query("coverage", run=BIG, k=[100]).records()
    first = open_snapshot(seeded).query("coverage", run=BIG, k=[1]).records()[0]
    assert table.loc[BIG, "status"] == "complete"
    assert table.loc[BIG, "at k = 100"] == f"{100 * at['coverage']:.1f} %"
    assert table.loc[SMALL, "at k = 100"] == "—"
    assert table.loc[BIG, "pass@1 (95 %)"].startswith(f"{100 * first['coverage']:.1f} % (")
    curve = table.loc[BIG, "coverage by k"]
    assert curve[0] == pytest.approx(first["coverage"])
    assert curve[-1] == pytest.approx(row["coverage_at_n"])
    assert list(curve) == sorted(curve)


def test_the_overview_is_filtered_and_says_when_nothing_matches(seeded: Path) -> None:
    test = page("overview", status="not judged")
    assert list(test.dataframe[0].value["run"]) == ["unjudged"]
    next(field for field in test.text_input if field.label == "Search").set_value("nothing like it").run()
    assert "No run matches" in shown(test)
    next(button for button in test.button if button.label == "Clear filters").click().run()
    assert len(test.dataframe[0].value) == 4


def test_runs_are_found_by_their_tags(seeded: Path) -> None:
    test = page("overview")
    assert [list(words) for words in test.dataframe[0].value["tags"]].count(["paper"]) == 1
    test = page("overview", tag="paper")
    assert list(test.dataframe[0].value["run"]) == [BIG]
    test = page("overview", tag="gone")
    assert "gone" in shown(test)


def test_an_unpriced_run_is_drawn_against_tokens_but_not_dollars(seeded: Path) -> None:
    test = page("coverage", run=[UNPRICED], x="usd")
    assert "passatk price set --model sums-1m" in shown(test)
    assert "None of these runs can be drawn against US$" in shown(test)
    test = page("coverage", run=[UNPRICED], x="tokens")
    assert "None of these runs" not in shown(test)
    assert not test.error
    test = page("cost", run=[UNPRICED], spent="tokens")
    assert not test.error
    assert "Tokens per solved problem" in shown(test)
    assert "$0" not in shown(test)


@pytest.mark.parametrize(
    "view",
    [
        {"view": "small"},
        {"y": "unsolved"},
        {"y": "minus-log"},
        {"x": "tokens"},
        {"x": "usd"},
        {"x": "flops"},
        {"zoom": "on", "band": "off"},
        {"forecast": "on"},
        {"policy": "bounds"},
        {"policy": "complete_case"},
    ],
)
def test_every_view_of_coverage_opens(seeded: Path, view: dict[str, str]) -> None:
    test = page("coverage", run=[BIG, SMALL], **view)
    assert not test.exception
    assert not test.error, shown(test)
    assert not test.warning, shown(test)
    for name, value in view.items():
        assert f"{name}={value}" in permalink(test)


def test_a_forecast_stands_beside_its_track_record(seeded: Path) -> None:
    test = page("coverage", run=[BIG], forecast="on")
    table = next(one.value for one in test.dataframe if "error when tried" in one.value.columns)
    assert table.loc[0, "beyond the data"] == "10.0x"
    assert "points" in table.loc[0, "error when tried"]
    assert "a forecast, no estimate" in shown(test)


def test_the_fitted_law_is_that_of_the_curve(seeded: Path) -> None:
    from store.analytics.statistics.power_law import fit_power_law

    test = page("coverage", run=[BIG], y="minus-log")
    table = next(one.value for one in test.dataframe if "largest error" in one.value.columns)
    rows = next(one.value for one in test.dataframe if "coverage" in one.value.columns and "k" in one.value.columns)
    ks = [int(k) for k in rows["k"]]
    records = open_snapshot(seeded).query("coverage", run=BIG, k=ks).records()
    fit = fit_power_law(ks, [row["coverage"] for row in records])
    assert fit is not None
    assert table.loc[0, "b"] == f"{fit.b:.3f}"


def test_the_sql_behind_coverage_gives_the_numbers_of_the_page(seeded: Path) -> None:
    test = page("coverage", run=[BIG], k="10")
    text = next(str(block.value) for block in test.code if "pass_at_k" in str(block.value))
    rows = {row[1]: row[2] for row in run_sql(text, seeded).rows}
    assert f"{100 * rows[10]:.1f} %" == test.metric[0].value


def test_every_chart_has_sql_that_runs(seeded: Path) -> None:
    pages = {"coverage": [BIG, SMALL], "precision": [BIG], "cost": [BIG, SMALL], "compare": [BIG, SMALL]}
    for name, runs in pages.items():
        test = page(name, run=runs)
        texts = [str(block.value) for block in test.code if str(block.value).lstrip().startswith(("WITH", "SELECT"))]
        assert texts, name
        for text in texts:
            for statement in text.split("\n\nWITH chosen"):
                whole = statement if statement.startswith(("WITH", "SELECT")) else f"WITH chosen{statement}"
                assert run_sql(whole, seeded).columns, name


def test_small_multiples_show_each_run_and_the_same_numbers(seeded: Path) -> None:
    test = page("coverage", run=[BIG, SMALL], view="small", k="10")
    assert {card.value for card in test.metric} == {
        card.value for card in page("coverage", run=[BIG, SMALL], k="10").metric
    }


def test_a_target_names_the_cheapest_run_or_that_none_reaches_it(seeded: Path) -> None:
    (row,) = open_snapshot(seeded).query("cost_to_target", run=BIG, target=0.5).records()
    text = shown(page("cost", run=[BIG], target="50"))
    assert f"gets to 50 % cheapest: {row['k']:,} samples" in text
    assert "No run here reaches 99 %" in shown(page("cost", run=[BIG], target="99"))


_JUDGED = """
    INSERT INTO store.verdict_costs (run_id, problem_id, sample_index, verifier_id, attempt, batch_id, model_id,
        requests, prompt_tokens, completion_tokens)
    SELECT v.run_id, v.problem_id, v.sample_index, v.verifier_id, v.attempt, v.batch_id, m.model_id, 1,
        500 + 10 * v.sample_index, 20
    FROM store.verdicts AS v
    JOIN store.runs AS r ON r.run_id = v.run_id AND v.verifier_id = r.reference_verifier_id
    JOIN store.models AS m ON m.name = 'judge-1b'
    WHERE r.name = :run
"""


@pytest.fixture(scope="module")
def judged(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror whose requests are of four samples, and whose reference's verdicts cost something each."""

    def costs() -> None:
        with connection.transaction() as writing:
            model_registry.ensure_model(writing, "judge-1b", "vllm")
            model_registry.set_price(writing, "judge-1b", date(2024, 1, 1), Decimal(1), Decimal(4))
            writing.execute(sa.text(_JUDGED), {"run": BIG})
            writing.exec_driver_sql("UPDATE store.samples SET request_samples = 4")

    return filled(server, tmp_path_factory.mktemp("judged"), costs)


@pytest.mark.parametrize("prompt_per", ["request", "sample"])
@pytest.mark.parametrize("priced", ["no", "yes"])
def test_what_is_paid_for_on_the_page_is_what_the_query_says(
    judged: Path, monkeypatch: pytest.MonkeyPatch, prompt_per: str, priced: str
) -> None:
    monkeypatch.setenv("PASSATK_MIRROR", str(judged))
    monkeypatch.setenv("PASSATK_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    told = {"prompt_per": prompt_per, "verifier_priced": priced}
    test = page("cost", run=[BIG], k="100", target="50", **told)
    assert not test.error
    assert not test.warning, shown(test)
    with open_snapshot(judged) as snapshot:
        (row,) = snapshot.query("cost", run=BIG, k=[100], **told).records()
        (usual,) = snapshot.query("cost", run=BIG, k=[100]).records()
        (way,) = snapshot.query("cost_to_target", run=BIG, target=0.5, **told).records()
    (card,) = test.metric
    assert card.value == dollars(row["usd_per_solved"])
    assert (row["usd_total"] > usual["usd_total"]) == (told != {"prompt_per": "request", "verifier_priced": "no"})
    rows = next(one.value for one in test.dataframe if "of it verifying" in one.value.columns).set_index("k")
    assert rows.loc[100, "US$ in all"] == dollars(row["usd_total"])
    ways = next(one.value for one in test.dataframe if "spent, US$" in one.value.columns)
    assert ways["US$ per solved problem"].iloc[0] == dollars(way["usd_per_solved"])
    text = shown(test)
    assert ("The whole prompt counts for every sample." in text) == (prompt_per == "sample")
    assert ("A prompt counts once a request." in text) == (prompt_per == "request")
    assert ("Verifying is priced." in text) == (priced == "yes")
    assert ("Verifying is not priced." in text) == (priced == "no")
    for part in (f"prompt_per={prompt_per}", f"verifier_priced={priced}"):
        assert part in permalink(test)
    link = parse_qs(permalink(test).split("?")[1])
    again = page("cost", **link)
    assert [one.value for one in again.metric] == [card.value]
    assert permalink(again) == permalink(test)
    statement = next(str(block.value) for block in test.code if "judging_paid" in str(block.value))
    ran = run_sql(statement, judged)
    sums = [dict(zip(ran.columns, (float(value or 0) for value in values), strict=True)) for values in ran.rows]
    assert len(sums) == 40
    assert sum(one["prompt_tokens"] / one["n"] for one in sums) / 40 * 100 == pytest.approx(row["prompt_tokens"])
    paid = sum(one["paid_judging_usd"] / one["n"] for one in sums) / 40 * 100
    assert paid == pytest.approx(row["usd_verification"] if priced == "yes" else 0.0)


def test_what_is_paid_for_is_asked_in_known_words_and_refused_in_words(seeded: Path, tmp_path: Path) -> None:
    test = page("cost", run=[BIG], prompt_per="token", verifier_priced="maybe")
    (warning,) = test.warning
    assert 'prompt_per "token"' in warning.value
    assert 'verifier_priced "maybe"' in warning.value
    assert "Verifying is not priced." in shown(test)
    test = page("cost", run=[BIG], verifier_priced="yes")
    assert "No cost of judging run" in shown(test)
    assert not test.metric
    assert "$0" not in shown(test)
    with pytest.raises(PassatkError, match="No cost of judging run"):
        CliRunner().invoke(
            figure,
            ["cost", "--run", BIG, "--verifier-priced", "yes", "-o", str(tmp_path / "fig.svg")],
            catch_exceptions=False,
        )
    said = command(figure, "cost", "--run", BIG, "--prompt-per", "sample", "-o", str(tmp_path / "fig.svg"))
    assert "The whole prompt counts for every sample." in said


def test_tokens_follow_the_prompt_and_never_the_verifier(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSATK_MIRROR", str(judged))
    shared, whole = (page("cost", run=[BIG], spent="tokens", prompt_per=per, k="10") for per in ("request", "sample"))
    assert shared.metric[0].value != whole.metric[0].value
    test = page("cost", run=[BIG], spent="tokens", verifier_priced="yes", k="10")
    assert test.metric[0].value == shared.metric[0].value
    assert "Verifying is not priced." in shown(test)


def test_a_reference_line_keeps_its_place_in_the_link(seeded: Path) -> None:
    assert "reference=33" in permalink(page("cost", run=[BIG], reference="33"))


def test_three_runs_are_compared_pair_by_pair(seeded: Path) -> None:
    test = page("compare", run=[BIG, SMALL, UNPRICED], k="10")
    (row,) = open_snapshot(seeded).query("coverage_difference", run=[SMALL, BIG], k=[10]).records()
    pairs = next(one.value for one in test.dataframe if "less" in one.value.columns)
    cell = pairs[(pairs["run"] == BIG) & (pairs["less"] == SMALL)]["points"].iloc[0]
    assert cell == f"{100 * row['difference']:+.1f}"
    differs = next(one.value for one in test.dataframe if "setting" in one.value.columns)
    assert "model" in set(differs["setting"])


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_a_figure_is_a_file(seeded: Path, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"fig.{kind}"
    said = command(figure, "coverage", "--run", BIG, "--run", SMALL, "--k", "10", "--csv", "-o", str(file))
    assert "unbiased" in said
    assert file.stat().st_size > 1000
    rows = list(csv.DictReader((tmp_path / "fig.csv").read_text().splitlines()))
    (known,) = open_snapshot(seeded).query("coverage", run=BIG, k=[10]).records()
    (row,) = [row for row in rows if row["run"] == BIG and row["k"] == "10"]
    assert float(row["coverage"]) == pytest.approx(known["coverage"], rel=1e-12)


@pytest.mark.parametrize("name", ["family", "spent", "selection", "pass-rates", "power-law", "cost", "compare"])
def test_every_figure_of_the_paper_is_drawn(seeded: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / "fig.svg"
    command(figure, name, "--run", BIG, "--run", SMALL, "-o", str(file))
    assert BIG in file.read_text() or name == "family"
    again = tmp_path / "again.svg"
    command(figure, name, "--run", BIG, "--run", SMALL, "-o", str(again))
    assert again.read_bytes() == file.read_bytes()


def test_a_figure_that_cannot_be_drawn_is_one_line(seeded: Path, tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        with pytest.raises(PassatkError) as found:
            CliRunner().invoke(figure, list(arguments), catch_exceptions=False)
        return str(found.value)

    file = str(tmp_path / "fig.svg")
    assert "passatk price set" in refused("cost", "--run", UNPRICED, "-o", file)
    assert "passatk verify --run unjudged" in refused("coverage", "--run", "unjudged", "-o", file)
    assert 'No run "gone"' in refused("coverage", "--run", "gone", "-o", file)
    assert ".svg, .png, .pdf" in refused("coverage", "--run", BIG, "-o", str(tmp_path / "fig.gif"))
    assert not list(tmp_path.iterdir())


def test_a_report_opens_without_a_server(seeded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    said = command(report, BIG, SMALL, "-o", str(folder))
    html = (folder / "index.html").read_text()
    assert html.count("<svg") == int(re.search(r"(\d+) figures", said).group(1))  # type: ignore[union-attr]
    assert html.count("<svg") >= 7
    assert "<script" not in html
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', html)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for link in re.findall(r'href="([^"#]+)"', html):
        assert (folder / link).exists(), link
    rows = list(csv.DictReader((folder / "coverage.csv").read_text().splitlines()))
    assert {row["run"] for row in rows} == {BIG, SMALL}
    assert f"Snapshot {open_snapshot(seeded).snapshot_id}" in html


def test_thresholds_need_scores_and_say_so(seeded: Path) -> None:
    found = open_snapshot(seeded).query("score_thresholds", run=BIG, verifier="answer@1")
    assert found.records() == []
    assert "gave no scores" in found.notes[0]
