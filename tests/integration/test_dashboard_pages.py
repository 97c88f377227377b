"""Every page in every state, run in process on a real snapshot."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard.charts.rate_bins import pass_rate_bins
from dashboard.on_sight import _on_sight
from store import connection, embedded, model_registry
from store.analytics import open_snapshot
from store.analytics.refresh import refresh
from store.settings import StoreSettings
from tests.integration.test_dashboard_store import HOSTILE, RUNS, seed

SHELL = Path(next(iter(dashboard.__path__))) / "shell.py"
PAGES = ("overview", "coverage", "precision", "cost", "compare", "problems", "samples", "sql", "workers", "health")
BIG, SMALL, UNPRICED = (run.name for run in RUNS)


def filled(server: Path, folder: Path, more: Callable[[], None] | None = None) -> Path:
    """The mirror, below `folder`, of a store with the seeded data and whatever `more` adds to it."""
    database = f"dashboard_{uuid.uuid4().hex[:12]}"  # several modules take this fixture
    url = embedded.start(server).replace(f"/{embedded.DATABASE}?", f"/{database}?")
    with psycopg.connect(embedded.start(server), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {database} TEMPLATE template_passatk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSATK_DATABASE_URL", url)
        patch.setenv("PASSATK_HOME", str(folder))
        seed(folder)
        if more is not None:
            more()
        refresh(url, folder / "mirror")
        connection.engine().dispose()
    return folder / "mirror"


@pytest.fixture(scope="module")
def mirror(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mirror of the seeded store."""
    return filled(server, tmp_path_factory.mktemp("dashboard"))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No timers, nothing kept from one test to the next; what AppTest cannot unfold or scroll to is there."""
    monkeypatch.setenv("PASSATK_LIVE", "0")
    monkeypatch.setattr("dashboard.folded.is_open", lambda _place: True)
    monkeypatch.setattr("dashboard.on_sight._on_sight", lambda _controls, _key, _height, fill, _parts: fill())
    yield
    st.cache_resource.clear()


def page(name: str, **link: str | list[str]) -> AppTest:
    """One page as a reader finds it who follows a link."""
    test = AppTest.from_string(f"from dashboard.views import {name}\n{name}.page()", default_timeout=60)
    for key, value in link.items():
        test.query_params[key] = value
    return test.run()


def named(card: Any) -> str:
    """A card's label without the tick in the hue of its run."""
    return re.sub(r":color\[■\]\{[^}]*\} ", "", card.label).replace("\\", "")


def shown(test: AppTest) -> str:
    """Every word on the page."""
    kinds = ("title", "header", "caption", "markdown", "info", "warning", "error", "code", "metric")
    parts = [f"{one.label} {one.value} {one.delta}" if kind == "metric" else str(one.value)
             for kind in kinds for one in getattr(test, kind)]  # fmt: skip
    return "\n".join(parts).replace("\\", "")


@pytest.fixture
def seeded(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The seeded mirror, without its store: pages read the mirror alone."""
    monkeypatch.setenv("PASSATK_MIRROR", str(mirror))
    monkeypatch.setenv("PASSATK_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    return mirror


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_mirror_says_how_to_fill_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSATK_MIRROR", str(tmp_path))
    test = page(name)
    assert not test.exception
    assert "passatk mirror refresh" in shown(test)
    # The page of workers needs no snapshot, but the store, which is not there either.
    assert all(name == "workers" and one.value.startswith("The store is not reachable") for one in test.error)


# The page of workers reads the store, which is not there: tests/integration/test_live_state.py has its tests.
@pytest.mark.parametrize("name", [name for name in PAGES if name != "workers"])
def test_a_page_opens_without_an_error(name: str, seeded: Path) -> None:
    test = page(name)
    assert not test.exception
    assert not test.error
    assert "Snapshot" in shown(test)


def test_what_lies_below_the_first_chart_is_made_once_it_is_in_sight(
    seeded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.on_sight._on_sight", _on_sight)
    test = page("coverage", run=[BIG, SMALL])
    assert "How hard are the problems?" in shown(test)
    assert "on log bins" not in shown(test)
    test.session_state["visit"]["seen"].add("hardness")
    test.run()
    assert "on log bins" in shown(test)
    assert "A click on a bar opens its problems" in shown(test)


def test_the_first_page_lists_every_run(seeded: Path) -> None:
    test = AppTest.from_file(str(SHELL), default_timeout=60).run()
    assert not test.exception
    table = test.dataframe[0].value
    assert set(table["run"]) == {BIG, SMALL, UNPRICED, "unjudged"}
    assert table.set_index("run").loc["unjudged", "status"] == "not judged"
    assert table.set_index("run").loc[UNPRICED, "spent"] == "no price"
    assert not re.search(r"\$0(\.0*)?(\s|$)", shown(test))


def test_the_cards_show_what_the_analytics_says(seeded: Path) -> None:
    test = page("coverage", benchmark="sums@1", run=[BIG], k="10")
    (row,) = open_snapshot(seeded).query("coverage", run=BIG, k=[10]).records()
    (card,) = test.metric
    assert named(card) == f"{BIG} at k = 10"
    assert card.value == f"{100 * row['coverage']:.1f} %"
    assert f"{100 * row['low']:.1f}–{100 * row['high']:.1f}" in str(card.delta)


def test_two_verifiers_of_one_run_are_compared(seeded: Path) -> None:
    test = page("coverage", run=[BIG], verifier=["reference", "answer@1"], k="100")
    labels = {named(card): card.value for card in test.metric}
    assert set(labels) == {f"{BIG} · chain@1 at k = 100", f"{BIG} · answer@1 at k = 100"}
    assert float(labels[f"{BIG} · answer@1 at k = 100"].rstrip(" %")) > float(
        labels[f"{BIG} · chain@1 at k = 100"].rstrip(" %")
    )


def test_the_same_verifier_chosen_twice_is_drawn_once(seeded: Path) -> None:
    assert len(page("coverage", run=[BIG], verifier=["reference", "chain@1"]).metric) == 1


def test_a_k_beyond_the_samples_has_no_number(seeded: Path) -> None:
    test = page("coverage", run=[BIG, SMALL], k="200")
    cards = {named(card): card for card in test.metric}
    assert cards[f"{SMALL} at k = 200"].value == "—"
    assert "ends at n = 49" in str(cards[f"{SMALL} at k = 200"].delta)
    assert "%" in cards[f"{BIG} at k = 200"].value


def test_undecided_samples_are_counted_on_the_page(seeded: Path) -> None:
    assert page("coverage", run=[SMALL]).button(key="undecided").label == "7 undecided samples left out"


def test_a_sample_is_compared_with_a_correct_one(seeded: Path) -> None:
    test = page("samples", run=[BIG], problem="sum-01", outcome="incorrect", part="difference")
    (difference,) = [block.value for block in test.code if block.value.startswith("@@")]
    assert "+#### " in difference
    assert "-#### 7" in difference
    test = page("samples", run=[BIG], problem="sum-39", part="difference")
    assert "No other sample of this problem is correct" in shown(test)


def test_an_unjudged_run_is_named_with_what_to_do(seeded: Path) -> None:
    for name in ("coverage", "cost", "precision", "problems", "samples"):
        assert "passatk verify --run unjudged" in shown(page(name, run=["unjudged"])), name


def test_a_missing_price_is_a_message_and_never_nothing(seeded: Path) -> None:
    test = page("cost", run=[UNPRICED])
    assert "passatk price set --model sums-1m" in shown(test)
    assert not test.metric
    assert "$0" not in shown(test)


def test_cost_cards_agree_with_the_analytics(seeded: Path) -> None:
    test = page("cost", run=[BIG], k="100")
    (row,) = open_snapshot(seeded).query("cost", run=BIG, k=[100]).records()
    (card,) = test.metric
    assert float(card.value.lstrip("$")) == pytest.approx(row["usd_per_solved"], rel=0.005)


def test_precision_shows_both_meanings_of_precision(seeded: Path) -> None:
    test = page("precision", run=[BIG], k="100")
    text = shown(test)
    (row,) = open_snapshot(seeded).query("verifier_agreement", run=BIG, verifier="answer@1").records()
    assert f"Precision of answer@1 {100 * row['precision']:.1f} %" in text
    assert f"{row['tp']:,} of {row['tp'] + row['fp']:,} accepted" in text
    assert "points of coverage are not harvested" in text


def test_the_verifier_whose_answers_are_voted_on_can_be_chosen(seeded: Path) -> None:
    test = page("precision", run=[BIG], answers="answer@1")
    assert not test.error
    assert not test.warning
    assert any("Majority vote" in card.label for card in test.metric)


def test_problems_can_be_filtered(seeded: Path) -> None:
    every = len(page("problems", run=[BIG]).dataframe[0].value)
    never = page("problems", run=[BIG], show="never solved")
    assert every == 40
    assert 0 < len(never.dataframe[0].value) < every
    assert set(never.dataframe[0].value["c"]) == {0}
    assert "No problem matches" in shown(page("problems", run=[BIG], show="always solved"))


def test_problems_of_one_bar_can_be_shown_alone(seeded: Path) -> None:
    rates = open_snapshot(seeded).query("pass_rates", run=BIG).records()
    for one in (one for one in pass_rate_bins(rates) if one.problems):
        test = page("problems", run=[BIG], rate=one.name)
        assert not test.warning
        table = test.dataframe[0].value
        assert len(table) == one.problems
        assert all(one.holds(c, n) for c, n in zip(table["c"], table["n"], strict=True))
    (chip,) = (button for button in test.button if button.key == "clear rate")
    assert one.label in chip.label
    assert len(chip.click().run().dataframe[0].value) == 40
    assert "clear rate" not in [button.key for button in test.button]
    assert any('rate "often", which is not' in said.value for said in page("problems", rate="often").warning)


def test_problems_are_found_by_their_tags(seeded: Path) -> None:
    test = page("problems", run=[BIG], tag="level 3", show="all")
    assert not test.warning, shown(test)
    table = next(one.value for one in test.dataframe if "tags" in one.value.columns)
    records = open_snapshot(seeded).query("pass_rates", run=BIG).records()
    wanted = {row["problem"] for row in records if "level 3" in json.loads(row["tags"])}
    assert set(table["problem"]) == wanted
    assert len(wanted) == 10
    assert any(f"of these {len(records)} problems" in line and "shows 10" in line for line in shown(test).splitlines())
    assert "30 pairs of a problem and a run" in shown(test)  # ten problems in each of the three runs that are judged
    (by_tag,) = open_snapshot(seeded).query("coverage_by_tag", run=BIG, k=[200]).records()[3:4]
    assert by_tag["tag"] == "level 3"
    assert f"tagged level 3: {by_tag['solved']} of {by_tag['problems']} judged ones solved" in shown(test)
    link = permalink(test)
    assert "tag=level+3" in link
    again = page("problems", **parse_qs(link.split("?")[1]))
    assert set(next(one.value for one in again.dataframe if "tags" in one.value.columns)["problem"]) == wanted
    (warning,) = page("problems", run=[BIG], tag="level 9").warning
    assert 'tag "level 9"' in warning.value


def test_one_problem_can_be_looked_into(seeded: Path) -> None:
    test = page("problems", run=[BIG], problem="sum-00")
    (card,) = test.metric
    (row,) = [row for row in open_snapshot(seeded).query("pass_rates", run=BIG).records() if row["problem"] == "sum-00"]
    assert card.value == f"{row['c']} of {row['n']}"
    clusters = next(table.value for table in test.dataframe if "answer" in table.value.columns)
    assert clusters["share"].is_monotonic_decreasing
    assert clusters["share"].sum() == pytest.approx(1)
    assert sum(int(text.split(" of ")[0]) for text in clusters["correct"]) == row["c"]


def test_a_completion_is_shown_as_the_text_it_is(seeded: Path) -> None:
    test = page("samples", run=[BIG], problem="sum-00", sample="0")
    assert any(block.value == HOSTILE for block in test.code)
    rendered = "\n".join(str(one.value) for kind in ("markdown", "caption", "info") for one in getattr(test, kind))
    assert "evil.example" not in rendered
    assert "evil.example" not in "".join(test.radio[0].options)


def test_samples_come_in_pages_of_fifty(seeded: Path) -> None:
    test = page("samples", run=[BIG], problem="sum-05", page="3")
    assert "Samples 101 to 150 of 200" in shown(test)
    assert len(test.radio[0].options) == 50


def test_a_failing_verdict_says_why(seeded: Path) -> None:
    test = page("samples", run=[BIG], problem="sum-39", outcome="incorrect", part="verdicts")
    text = shown(test)
    assert "expected" in text
    assert "got" in text
    assert "wrong answer" in text


def test_unknown_parts_of_a_link_are_said(seeded: Path) -> None:
    test = page("coverage", run=[BIG, "gone"], verifier="vanished@3", colour="red", k="99999")
    (warning,) = test.warning
    for part in ("gone", "vanished@3", "colour", "99999"):
        assert part in warning.value
    assert [named(card).split(" at")[0] for card in test.metric] == [BIG]


def test_a_link_from_another_snapshot_says_so(seeded: Path) -> None:
    test = page("coverage", snapshot="20200101T000000-00000000")
    assert any("numbers may differ" in info.value for info in test.info)
    assert not any("numbers may differ" in info.value for info in page("coverage").info)


def test_a_permalink_holds_every_choice(seeded: Path) -> None:
    test = page("coverage", run=[BIG], k="22", band="off")
    link = next(block.value for block in test.code if "snapshot=" in block.value)
    for part in (f"run={BIG}", "k=22", "band=off", "verifier=reference", "benchmark=sums%401"):
        assert part in link


def test_the_address_is_written_when_a_reader_changes_something(seeded: Path) -> None:
    test = page("coverage", run=[BIG])
    test.select_slider[0].set_value(10).run()
    assert test.query_params["k"] == "10"
    assert test.query_params["run"] == BIG


def test_no_run_chosen_is_said(seeded: Path) -> None:
    test = page("coverage")
    test.multiselect[0].set_value([]).run()
    assert "No run is chosen" in shown(test)


def test_sql_answers_and_keeps_its_result(seeded: Path) -> None:
    test = page("sql")
    test.session_state["sql text"] = "SELECT count(*) AS samples FROM analytics.samples"
    test.button(key="run query").click().run()
    wanted = sum(run.samples for run in RUNS) * 40 + 3 * 40
    assert list(test.dataframe[-1].value["samples"]) == [wanted]
    test.selectbox[0].set_value(test.selectbox[0].options[0]).run()
    assert list(test.dataframe[-1].value["samples"]) == [wanted]


def test_sql_refuses_in_words(seeded: Path) -> None:
    test = page("sql")
    test.session_state["sql text"] = "SELECT * FROM read_csv('/etc/passwd')"
    test.button(key="run query").click().run()
    assert test.error[0].value == "The query did not run."
    assert "Traceback" not in shown(test)
    assert "root:" not in shown(test)


def test_a_catalogued_query_goes_into_the_editor_and_runs(seeded: Path) -> None:
    unfilled: set[str] = set()
    test = page("sql")
    for title in test.selectbox[0].options:
        test.selectbox[0].set_value(title).run()
        next(button for button in test.button if button.label == "Put into the editor").click().run()
        if "$" in str(test.session_state["sql text"]):
            unfilled.add(title)  # it asks about what the seeded store has none of, such as scores
            continue
        test.button(key="run query").click().run()
        assert not test.error, (title, shown(test))
    assert len(unfilled) < len(test.selectbox[0].options) / 2, unfilled


def test_two_runs_are_compared_in_words_and_numbers(seeded: Path) -> None:
    test = page("compare", run=[BIG, SMALL], baseline=SMALL, k="10")
    (row,) = open_snapshot(seeded).query("coverage_difference", run=[SMALL, BIG], k=[10]).records()
    text = shown(test)
    assert not test.error
    assert f"{100 * abs(row['difference']):.1f}" in text
    assert "40 shared problems" in text
    assert ("No clear difference" in text) == (row["low"] <= 0 <= row["high"])
    flips = next(table.value for table in test.dataframe if "both" in table.value.columns).iloc[0]
    sizes = [int(str(flips[name]).split(":")[0]) for name in (f"only {BIG}", f"only {SMALL}", "both", "neither")]
    assert sum(sizes) == 40
    assert "Choose at least two" in shown(page("compare", run=[BIG]))


def test_data_health_names_what_is_wrong_and_what_helps(seeded: Path) -> None:
    test = page("health")
    tables = {column: table.value for table in test.dataframe for column in table.value.columns}
    assert list(tables["samples undecided"]["run"]) == [SMALL]
    assert list(tables["samples undecided"]["samples undecided"]) == [7]
    assert "passatk verify --run unjudged" in set(tables["samples unjudged"]["what helps"])
    assert set(tables["samples without cost"]["run"]) == {UNPRICED, "unjudged"}
    assert set(tables["samples cut"]["run"]) == {BIG, SMALL, UNPRICED, "unjudged"}
    assert "samples undecided" not in {
        column for table in page("health", of=BIG).dataframe for column in table.value.columns
    }


def test_a_damaged_mirror_is_one_line_with_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "catalogue.duckdb").write_bytes(b"not a database" * 1000)
    monkeypatch.setenv("PASSATK_MIRROR", str(tmp_path))
    test = page("coverage")
    assert not test.exception
    assert "passatk mirror refresh --rebuild" in test.error[0].value


def test_a_store_that_cannot_be_read_leaves_the_last_snapshot_on_screen(seeded: Path) -> None:
    test = page("coverage", run=[BIG])
    before = [card.value for card in test.metric]
    next(button for button in test.button if button.label == "Take new snapshot").click().run(timeout=120)
    (warning,) = test.warning
    assert "Showing the last snapshot" in warning.value
    assert [card.value for card in test.metric] == before


def test_a_fault_of_the_page_is_one_line_with_an_id(seeded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.views import coverage

    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(coverage, "_draw", broken)
    test = page("coverage")
    assert not test.exception
    assert re.search(r"error id [0-9a-f]{8}", test.error[0].value)
    assert "secret" not in shown(test)
    assert re.match(r"error id [0-9a-f]{8} · ZeroDivisionError · .* UTC · passatk \d", test.code[0].value)


def test_a_reader_keeps_their_snapshot_until_they_ask_for_the_newer_one(
    store: StoreSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(tmp_path)
    refresh(connection.database_url(), store.mirror)
    first = open_snapshot(store.mirror).snapshot_id
    test = page("cost", run=[UNPRICED])
    assert first in permalink(test)
    with connection.transaction() as writing:
        model_registry.set_price(writing, "sums-1m", date(2026, 1, 1), Decimal(1), Decimal(2))
    refresh(connection.database_url(), store.mirror)
    second = open_snapshot(store.mirror).snapshot_id
    assert second != first
    test.run()
    assert first in permalink(test)
    assert "No price for model sums-1m" in shown(test)
    assert "A newer snapshot is published" in shown(test)
    next(button for button in test.button if button.label == "Show the newer one").click().run()
    assert second in permalink(test)
    assert test.metric[0].value.startswith("$")
    assert "A newer snapshot is published" not in shown(test)


def permalink(test: AppTest) -> str:
    return next(str(block.value) for block in test.code if "snapshot=" in str(block.value))
