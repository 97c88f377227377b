"""The dashboard as a reader meets it: the real server, real headless Chromium, the commands beside it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.acceptance.browsing import ASKED, BIG, PASSATK, PATHS, SMALL, Served, Watched, free_port

#: How far a reader could scroll sideways.
OVER = "(m => m.scrollWidth - m.clientWidth)(document.querySelector('[data-testid=stMain]'))"


@pytest.mark.parametrize("path", PATHS)
def test_every_page_opens_clean_in_both_modes(watched: Watched, served: Served, mode: str, path: str) -> None:
    watched.go(f"{served.url}/{path}?{ASKED.get(path, '')}")
    watched.drawn(path)
    assert watched.snapshot()
    assert watched.page.get_by_test_id("stException").count() == 0
    background = watched.page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    )
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) > 380) == (mode == "light")
    for width in (2560, 1280, 390):
        watched.page.set_viewport_size({"width": width, "height": 900})
        assert over(watched) <= 1, f"wider than its window of {width} px"
        if path == "coverage":
            plot = watched.page.locator("[data-testid='stVegaLiteChart'] g.mark-group path.background").first
            expect(plot).to_have_js_property("tagName", "path")
            kept = watched.page.get_by_test_id("stVegaLiteChart").first.bounding_box()
            drawn = plot.bounding_box()
            assert kept is not None
            assert drawn is not None
            assert drawn["width"] > 0.5 * kept["width"], f"labels leave no room for curves at {width} px"


def over(watched: Watched, seconds: float = 30) -> float:
    """By how many pixels the page is wider than its window, once charts and tables have followed a change of width."""
    until = time.monotonic() + seconds
    while (pixels := watched.page.evaluate(OVER)) > 1 and time.monotonic() < until:
        watched.page.wait_for_timeout(100)
    return float(pixels)


def test_on_a_phone_the_editor_comes_before_the_list_of_tables(watched: Watched, served: Served) -> None:
    watched.page.set_viewport_size({"width": 390, "height": 844})
    watched.go(f"{served.url}/sql")
    watched.drawn("sql")
    run, tables = watched.page.locator(".st-key-run-query"), watched.page.get_by_text("Tables and columns", exact=True)
    expect(run).to_be_visible()
    above, below = run.bounding_box(), tables.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] < below["y"]


def test_the_coverage_on_the_page_is_the_coverage_of_the_command(watched: Watched, served: Served) -> None:
    (row,) = json.loads(served.passatk("query", "coverage", "--run", BIG, "--k", "10", "--format", "json"))
    watched.go(f"{served.url}/coverage?run={BIG}&k=10")
    assert watched.card(f"{BIG} at k = 10") == f"{100 * row['coverage']:.1f} %"
    watched.chart()


def test_the_chart_draws_the_number_that_the_card_shows(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/coverage?run={BIG}&k=200")
    watched.chart()
    card = watched.card(f"{BIG} at k = 200")
    expect(watched.page.locator("[data-testid='stVegaLiteChart'] text", has_text=f"{BIG} {card}")).to_have_count(1)


def test_two_verifiers_are_two_curves(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/coverage?run={BIG}&verifier=reference&verifier=answer@1")
    watched.chart()
    expect(watched.page.locator("[data-testid='stVegaLiteChart'] g.mark-line path")).to_have_count(2)
    expect(watched.page.locator("[data-testid='stVegaLiteChart'] g.mark-area path")).to_have_count(2)


def test_the_card_under_the_pointer_names_every_curve(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/coverage?run={BIG}&run={SMALL}")
    watched.chart()
    box = watched.page.locator("[data-testid='stVegaLiteChart'] svg").first.bounding_box()
    assert box
    watched.page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
    card = watched.page.locator("#vg-tooltip-element")
    expect(card).to_be_visible()
    expect(card).to_contain_text(BIG)
    expect(card).to_contain_text("ends at n = 49")


def test_a_run_opens_from_the_first_page_and_back_returns(watched: Watched, served: Served) -> None:
    watched.go(served.url)
    watched.page.get_by_role("link", name="Coverage").click()
    watched.idle()
    watched.chart()
    watched.page.go_back()
    watched.idle()
    expect(watched.page.get_by_test_id("stHeading").first).to_have_text("Overview")


def test_back_undoes_one_choice_and_no_more(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/coverage?run={BIG}")
    assert "k=" not in watched.page.url
    slider = watched.page.get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    watched.idle()
    expect(watched.page).to_have_url(re.compile(r"[?&]k=\d+"))
    watched.page.go_back()
    watched.idle()
    assert "k=" not in watched.page.url
    assert watched.card(f"{BIG} at k = 100").endswith("%")


def test_a_reader_returns_to_the_choices_of_another_page(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/problems?run={SMALL}&show=never solved")
    watched.page.get_by_role("link", name="SQL").click()
    watched.idle()
    watched.page.get_by_role("link", name="Problems").click()
    watched.idle()
    expect(watched.page.get_by_role("combobox", name="Run")).to_have_value(SMALL)
    expect(watched.page.get_by_role("radio", name="never solved")).to_be_checked()


def test_hostile_text_stays_text(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/samples?run={BIG}&problem=sum-00&sample=0")
    expect(watched.page.get_by_test_id("stCode").first).to_contain_text("<script>document.title='taken'</script>")
    assert watched.page.title() != "taken"
    assert watched.page.locator("[data-testid='stMain'] img").count() == 0
    assert watched.page.locator("[data-testid='stMain'] a[href*='evil']").count() == 0


def test_numbers_stay_until_the_reader_takes_a_new_snapshot(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/")
    before = watched.snapshot()
    watched.page.get_by_role("link", name="Cost").click()
    watched.idle()
    assert watched.snapshot() == before
    watched.page.get_by_role("button", name="Take new snapshot").click()
    expect(watched.page.get_by_text(before)).to_have_count(0, timeout=60_000)
    watched.idle()
    assert watched.snapshot() > before


def test_the_page_may_only_talk_to_its_own_server(served: Served) -> None:
    import urllib.request

    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(served.url, timeout=10) as answer:
        policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'self'" in policy


def test_what_the_first_chart_is_drawn_with_is_named_in_the_page(watched: Watched, served: Served) -> None:
    import urllib.request

    address = f"{served.url}/coverage?run={SMALL}"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=10) as answer:
        named = set(re.findall(r"static/js/([^\"]+)", answer.read().decode()))
    fetched: list[str] = []
    watched.page.on("request", lambda request: fetched.append(request.url))
    watched.go(address)
    watched.chart()
    watched.idle()
    scripts = {url.rsplit("/", 1)[1] for url in fetched if "/static/js/" in url}
    assert scripts
    assert not scripts - named  # nor what a closed table or the text of a query would cost


@pytest.mark.parametrize(("host", "status"), [(None, b"101"), ("rebound.example", b"4")])
def test_a_foreign_host_name_gets_no_connection(served: Served, host: str | None, status: bytes) -> None:
    own = urllib.parse.urlsplit(served.url).netloc
    with socket.create_connection((own.split(":")[0], int(own.split(":")[1])), timeout=10) as wire:
        wire.sendall(
            f"GET /_stcore/stream HTTP/1.1\r\nHost: {host or own}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert wire.recv(64).split()[1].startswith(status)


def test_a_dashboard_is_started_once_and_holds_nobody_up(served: Served, tmp_path: Path) -> None:
    environment = served.environment | {"PASSATK_HOME": str(tmp_path)}
    began = time.monotonic()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        # capture_output waits for the pipes to close: a server that held them would never let this return.
        return subprocess.run(
            [*PASSATK, "dashboard", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    first = run("start", "--port", str(free_port()))
    assert "is up at http://127.0.0.1:" in first.stdout, first.stderr
    again = run("start")
    assert "was already up" in again.stdout
    assert again.stdout.split()[-1] == first.stdout.split()[-1]
    assert "answers" in run("status").stdout
    assert "is stopped" in run("stop").stdout
    assert "No dashboard was running" in run("stop").stdout
    assert run("status").returncode == 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("subprocess")]
    assert time.monotonic() - began < 60


def test_a_taken_port_is_one_line(served: Served, tmp_path: Path) -> None:
    taken = served.url.rsplit(":", 1)[1]
    done = subprocess.run(
        [*PASSATK, "dashboard", "start", "--port", taken],
        env=served.environment | {"PASSATK_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().count("\n") == 0
    assert taken in done.stderr


def test_the_dashboard_loads_nothing_that_could_write_to_the_store() -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, dashboard.navigation, dashboard.cli; "
            "print([name for name in ('sqlalchemy', 'psycopg', 'celery', 'vllm', 'altair') if name in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "[]"
