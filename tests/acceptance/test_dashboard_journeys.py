"""What readers do from start to end: ask in SQL, take results away, act on a run, pass a link on."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Locator, expect

from dashboard.wording import plural
from tests.acceptance.browsing import BIG, SMALL, UNPRICED, Served, Watched

pytestmark = pytest.mark.usefixtures("mode")  # every journey, light and dark
QUERY = "SELECT run, source FROM analytics.runs ORDER BY run"
LONG = "SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b"


def ask(watched: Watched, text: str) -> None:
    """Type a query in place of what is there and press Ctrl+Enter."""
    editor = watched.page.get_by_role("textbox", name="Query")
    editor.fill(text)
    editor.press("Control+Enter")


def answered(watched: Watched, said: str) -> None:
    expect(watched.page.get_by_text(said)).to_be_visible(timeout=30_000)
    watched.idle()


def download(served: Served, link: Locator) -> str:
    """What a link of the page gives to whoever follows it in this browser; another one is refused."""
    address = urllib.parse.urljoin(served.url, link.get_attribute("href"))
    answer = link.page.context.request.get(address)
    assert "attachment" in answer.headers["content-disposition"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=30)
    return answer.text()


def state(served: Served, run: str) -> str:
    """What the store says of a run now."""
    with psycopg.connect(served.environment["PASSATK_DATABASE_URL"]) as store:
        row = store.execute("SELECT state FROM store.runs WHERE name = %s", (run,)).fetchone()
    assert row
    return str(row[0])


def test_a_query_runs_by_ctrl_enter_and_survives_the_next_click(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/sql")
    ask(watched, QUERY)
    answered(watched, "4 rows in")
    expect(watched.page).to_have_url(re.compile("query=SELECT"))
    watched.follow("Overview")
    watched.follow("SQL")
    answered(watched, "4 rows in")
    expect(watched.page.get_by_role("textbox", name="Query")).to_contain_text("ORDER BY run")


def test_a_long_query_can_be_stopped_and_the_next_one_runs(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/sql")
    ask(watched, LONG)
    stop = watched.page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible(timeout=15_000)
    stop.click()
    watched.idle()
    expect(stop).to_have_count(0, timeout=15_000)
    ask(watched, QUERY)
    answered(watched, "4 rows in")


def test_explain_shows_a_plan_and_runs_nothing(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/sql")
    watched.page.get_by_role("textbox", name="Query").fill(LONG)
    watched.page.wait_for_timeout(700)  # the editor tells the server after a pause in typing
    watched.page.get_by_role("button", name="Explain").click()
    answered(watched, "Nothing was run.")
    expect(watched.page.get_by_test_id("stCode").filter(has_text="RANGE").first).to_be_visible()


def test_a_refused_query_says_why_and_the_next_one_runs(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/sql")
    ask(watched, "SELECT * FROM read_csv('/etc/passwd')")
    answered(watched, "The query did not run.")
    expect(watched.page.get_by_text("root:")).to_have_count(0)
    ask(watched, QUERY)
    answered(watched, "4 rows in")


def test_a_quick_chart_is_drawn_from_a_result(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/sql")
    ask(watched, "SELECT k, k * k AS square FROM range(1, 20) AS t(k)")
    answered(watched, "19 rows in")
    watched.page.get_by_text("Quick chart", exact=True).click()
    drawn = watched.page.get_by_test_id("stVegaLiteChart")
    expect(drawn.locator("svg [aria-roledescription*='mark'], svg g.mark-line path").first).to_be_attached(
        timeout=30_000
    )


def test_a_download_of_csv_is_what_the_command_prints(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/sql")
    query = "SELECT problem_id, sample_index FROM analytics.samples ORDER BY ALL LIMIT 5000"
    ask(watched, query)
    answered(watched, "5,000 rows in")
    lines = download(served, watched.page.get_by_role("link", name="Download CSV")).splitlines()
    printed = served.passatk("sql", query, "--format", "csv").splitlines()
    assert [line.replace('"', "") for line in lines] == printed
    assert len(lines) == 5001


def test_a_catalogued_query_is_put_into_the_editor_and_answers(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/sql")
    choice = watched.page.get_by_role("combobox", name="Catalogued queries")
    choice.fill("cover")
    watched.page.get_by_role("option", name=re.compile("cover")).first.click()
    watched.idle()
    watched.page.get_by_role("button", name="Put into the editor").click()
    watched.idle()
    watched.page.get_by_role("button", name="Run", exact=True).click()
    expect(watched.page.get_by_text(re.compile(r"\d+ rows? in"))).to_be_visible(timeout=30_000)
    watched.idle()


def test_workers_shows_what_is_under_way_and_asks_before_it_acts(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/workers")
    expect(watched.page.get_by_role("heading", name="Runs under way")).to_be_visible(timeout=30_000)
    choice = watched.page.get_by_role("combobox", name="Run", exact=True)
    expect(choice).to_be_visible(timeout=30_000)
    run = choice.input_value()
    watched.page.get_by_role("button", name="Pause …").click()
    dialog = watched.page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"passatk run pause {run}")
    expect(dialog.get_by_role("button", name="Do it")).to_be_visible()
    watched.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    watched.idle()
    assert state(served, run) == "open"


@pytest.fixture
def resumed(served: Served) -> Iterator[None]:
    yield
    served.passatk("run", "resume", SMALL)


def test_a_confirmed_pause_is_a_pause_in_the_store(watched: Watched, served: Served, resumed: None) -> None:
    watched.go(f"{served.url}/workers")
    watched.choose("Run", SMALL)
    watched.page.get_by_role("button", name="Pause …").click()
    dialog = watched.page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"passatk run pause {SMALL}")
    dialog.get_by_role("button", name="Do it").click()
    expect(watched.page.get_by_text(f"Run {SMALL} is paused")).to_be_visible(timeout=60_000)
    expect(dialog).to_have_count(0)
    assert state(served, SMALL) == "paused"


@pytest.fixture
def released(served: Served) -> Iterator[None]:
    yield
    served.passatk("problem", "release", "sums", "sum-05")


def test_a_problem_is_set_aside_with_a_reason_after_a_second_yes(
    watched: Watched, served: Served, released: None
) -> None:
    watched.go(f"{served.url}/problems?run={BIG}&problem=sum-05")
    aside = watched.page.get_by_role("button", name="Set this problem aside …")
    watched.in_view(aside)
    aside.click()
    dialog = watched.page.get_by_role("dialog")
    expect(dialog).to_contain_text("passatk problem quarantine")
    yes = dialog.get_by_role("button", name="Do it")
    expect(yes).to_be_disabled()
    dialog.get_by_role("textbox", name="Reason").fill("its answer is wrong")
    dialog.get_by_role("textbox", name="Reason").press("Enter")
    expect(yes).to_be_enabled(timeout=30_000)
    yes.click()
    expect(watched.page.get_by_text(re.compile(r"1 problems? of \S+ set aside"))).to_be_visible(timeout=60_000)
    with psycopg.connect(served.environment["PASSATK_DATABASE_URL"]) as store:
        found = store.execute("SELECT reason FROM store.quarantines WHERE lifted_at IS NULL").fetchall()
    assert found == [("its answer is wrong",)]


def test_filters_that_match_no_sample_are_cleared(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/samples?run={BIG}&problem=sum-05&contains=no such text")
    expect(watched.page.get_by_text("No sample matches.")).to_be_visible(timeout=30_000)
    watched.page.get_by_role("button", name="Clear filters").click()
    expect(watched.page.get_by_text(re.compile(r"^Samples 1 to 50 of"))).to_be_visible(timeout=30_000)


def test_arrow_keys_lead_from_sample_to_sample(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/samples?run={BIG}&problem=sum-05")
    here = watched.page.get_by_text(re.compile(r"^Sample \d+$"))
    expect(here).to_have_text("Sample 0", timeout=30_000)
    expect(watched.page.locator(".st-key-previous button")).to_be_disabled()
    watched.page.keyboard.press("ArrowRight")
    expect(here).to_have_text("Sample 1", timeout=30_000)
    watched.idle()
    watched.page.keyboard.press("ArrowLeft")
    expect(here).to_have_text("Sample 0", timeout=30_000)


def test_undecided_samples_lead_to_data_health(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/precision?run={SMALL}")
    watched.page.get_by_role("button", name=re.compile("undecided samples left out")).click()
    expect(watched.page.get_by_test_id("stHeading").first).to_have_text("Data health", timeout=30_000)
    expect(watched.page.get_by_role("combobox", name="Run", exact=True)).to_have_value(SMALL)


def test_a_permalink_shows_the_same_view_to_the_next_reader(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/coverage?run={BIG}&run={SMALL}&k=20&band=off&x=tokens")
    before = watched.seen()
    link = watched.permalink()
    assert {"run", "verifier", "k", "band", "x", "y", "forecast", "snapshot"} <= set(
        urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
    )
    watched.go(link)
    watched.chart()
    assert watched.seen() == before
    assert watched.permalink() == link
    assert watched.page.get_by_test_id("stAlert").count() == 0


def test_a_broken_link_is_said_and_the_rest_is_shown(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/coverage?run={BIG}&run=gone&k=many&colour=red&snapshot=20200101T000000Z")
    said = watched.page.get_by_test_id("stAlert").first
    for part in ('run "gone"', 'k "many"', "colour, which this page does not know", "The rest of it is shown"):
        expect(said).to_contain_text(part)
    expect(watched.page.get_by_text("This link was made from snapshot 20200101T000000Z")).to_be_visible()
    watched.chart()


def test_an_unknown_page_leads_to_the_first(watched: Watched, served: Served) -> None:
    watched.page.goto(f"{served.url}/nowhere")
    watched.idle()
    expect(watched.page.get_by_test_id("stHeading").first).to_have_text("Overview")
    watched.errors[:] = [
        one for one in watched.errors if "page that you have requested" not in one and "404" not in one
    ]


def test_a_figure_of_the_paper_opens_beside_the_page(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/coverage?run={BIG}&run={SMALL}")
    watched.page.get_by_role("button", name="Figures").click()
    watched.page.get_by_role("option", name=re.compile("power law", re.I)).or_(
        watched.page.get_by_role("menuitem", name=re.compile("power law", re.I))
    ).first.click()
    drawer = watched.page.get_by_role("dialog")
    expect(drawer.locator("g.mark-line path").first).to_be_attached(timeout=30_000)
    expect(drawer.get_by_text(re.compile(r"passatk figure \S+ --run"))).to_be_visible()
    watched.idle()
    with watched.page.expect_download() as saved:
        drawer.get_by_role("button", name="SVG").click()
    assert saved.value.path().read_text(encoding="utf-8").startswith("<svg")


def test_the_table_under_a_chart_is_downloaded_with_every_digit(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/coverage?run={SMALL}")
    watched.chart()
    watched.page.get_by_text("Table and export", exact=True).first.click()
    expect(watched.page.get_by_test_id("stDataFrame").first).to_be_visible(timeout=30_000)
    watched.idle()
    with watched.page.expect_download() as saved:
        watched.page.get_by_role("button", name=re.compile("^CSV")).first.click()
    header, *rows = saved.value.path().read_text(encoding="utf-8").splitlines()
    assert "coverage" in header
    assert len(rows) >= 2


def test_the_sql_behind_a_chart_is_made_when_it_is_unfolded(watched: Watched, served: Served) -> None:
    fetched: list[str] = []
    watched.page.on("request", lambda request: fetched.append(request.url))
    watched.go(f"{served.url}/coverage?run={SMALL}")
    watched.chart()
    watched.idle()
    assert not [one for one in fetched if "SyntaxHighlighter" in one]  # it costs a browser more than the chart
    watched.page.get_by_text("SQL behind this chart", exact=True).first.click()
    expect(watched.page.get_by_test_id("stCode").first).to_contain_text("SELECT", timeout=30_000)
    watched.idle()


#: Clicks on the first "SQL behind this chart" in the very moment in which a part of the page says that it is in sight.
_CLICK_IN_THE_SAME_MOMENT = """
    const Watching = window.IntersectionObserver
    window.IntersectionObserver = class extends Watching {
        constructor(told, options) {
            super((changes, watch) => {
                told(changes, watch)
                if (!options?.scrollMargin || !changes.some((change) => change.isIntersecting)) return
                const folds = [...document.querySelectorAll("summary")]
                folds.find((fold) => fold.innerText.includes("SQL behind this chart")).click()
            }, options)
        }
    }
"""


def test_a_click_in_the_moment_a_part_comes_into_sight_is_not_lost(watched: Watched, served: Served) -> None:
    watched.page.add_init_script(_CLICK_IN_THE_SAME_MOMENT)
    watched.go(f"{served.url}/coverage?run={SMALL}")
    watched.chart()
    watched.scroll()
    expect(watched.page.get_by_test_id("stCode").first).to_contain_text("SELECT", timeout=30_000)
    expect(watched.page.get_by_test_id("stVegaLiteChart")).to_have_count(2)


#: Where an element lies in the page, however far the page is scrolled.
PLACE = """(element) => {
    const box = element.getBoundingClientRect(), page = document.querySelector("[data-testid='stMain']");
    return [box.left, box.top + page.scrollTop, box.width, box.height];
}"""


def test_what_lies_below_is_drawn_when_it_is_scrolled_to_and_moves_nothing(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/coverage?run={BIG}&run={SMALL}")
    watched.chart()
    charts = watched.page.get_by_test_id("stVegaLiteChart")
    expect(charts).to_have_count(1)
    watched.page.wait_for_timeout(500)
    expect(charts).to_have_count(1)
    heading = watched.page.get_by_role("heading", name="How hard are the problems?")
    watched.idle()
    watched.in_view(heading)
    before = heading.evaluate(PLACE)
    expect(charts).to_have_count(3, timeout=30_000)
    expect(watched.page.get_by_text("on log bins")).to_be_visible()
    watched.idle()
    assert heading.evaluate(PLACE) == before
    watched.page.get_by_text("95 % interval", exact=True).click()
    watched.idle()
    expect(charts).to_have_count(3)
    bar = charts.nth(1).locator("g.mark-rect path").nth(3)
    named = re.search(r"bin: (.*?); problems: (\d+)", bar.get_attribute("aria-label") or "")
    assert named
    watched.in_view(bar)
    bar.click()
    expect(watched.page.get_by_test_id("stHeading").first).to_have_text("Problems", timeout=30_000)
    asked = f"Pass rate: {named.group(1)} · {plural(int(named.group(2)), 'problem')}"
    expect(watched.page.get_by_role("button", name=asked)).to_be_in_viewport(timeout=30_000)


def test_a_cell_of_the_confusion_table_opens_its_samples_and_the_chip_lets_go(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/precision?run={BIG}")
    cell = watched.page.locator("[class*='st-key-fp-answer'] button").first
    watched.in_view(watched.page.get_by_text("A press on a number opens its samples."))
    watched.in_view(cell)
    samples = cell.inner_text()
    cell.click()
    expect(watched.page.get_by_test_id("stHeading").first).to_have_text("Samples", timeout=30_000)
    chip = watched.page.get_by_role("button", name=f"Also incorrect by chain@1 · {samples} samples of")
    expect(chip).to_be_visible(timeout=30_000)
    watched.idle()
    listed = watched.page.get_by_text(re.compile(r"^Samples 1 to \d+ of [\d,]+"))
    few = listed.inner_text()
    chip.click()
    expect(chip).to_have_count(0, timeout=30_000)
    watched.idle()
    assert listed.inner_text() != few


def test_a_run_without_a_price_is_said_to_have_none(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/cost?run={UNPRICED}")
    main = watched.page.get_by_test_id("stMain")
    expect(main).to_contain_text(re.compile("price", re.I))
    assert "$0.00" not in main.inner_text()


def test_a_cut_of_a_result_is_announced_and_its_download_is_whole(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/sql")
    ask(watched, "SELECT * FROM range(50000)")
    answered(watched, "10,000 rows in")
    expect(watched.page.get_by_text("Cut at 10,000").first).to_be_visible()
    lines = download(served, watched.page.get_by_role("link", name="Download CSV")).splitlines()
    assert len(lines) == 50_001


def test_the_keyboard_reaches_the_page_past_the_navigation(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/coverage?run={BIG}")
    watched.page.keyboard.press("Tab")
    assert "main content" in watched.page.evaluate("document.activeElement.textContent").lower()
