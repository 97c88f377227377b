"""The dashboard as a reader meets it: the real server, real headless Chromium, the commands beside it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from store import connection, embedded
from store.analytics.refresh import refresh
from tests.integration.test_dashboard_store import RUNS, seed

#: The browser, and how it is started: it may ask nothing of anybody by itself, and draws the same everywhere.
CHROMIUM = os.environ.get("PASSATK_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--force-color-profile=srgb",
    "--disable-lcd-text",
    "--font-render-hinting=none",
]
#: Streamlit asks for these two below a page's own path and lives without them.
HARMLESS = ("/_stcore/health", "/_stcore/host-config")
BIG, SMALL, UNPRICED = (run.name for run in RUNS)
PASSATK = [sys.executable, "-c", "from store.command import main; main()"]
PATHS = ("", "coverage", "precision", "cost", "compare", "problems", "samples", "sql", "health")


@dataclass(frozen=True)
class Served:
    """A running dashboard, its home, and the environment of commands beside it."""

    url: str
    home: Path
    environment: dict[str, str]

    def passatk(self, *arguments: str) -> str:
        done = subprocess.run(
            [*PASSATK, *arguments], env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def log(self) -> str:
        return (self.home / "dashboard.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def served(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The dashboard of a seeded store, started and stopped by its own commands."""
    home = tmp_path_factory.mktemp("served")
    url = embedded.start(server).replace(f"/{embedded.DATABASE}?", "/dashboard_browser?")
    with psycopg.connect(embedded.start(server), autocommit=True) as admin:
        admin.execute("CREATE DATABASE dashboard_browser TEMPLATE template_passatk")
    environment = os.environ | {"PASSATK_DATABASE_URL": url, "PASSATK_HOME": str(home), "PASSATK_LIVE": "0"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSATK_DATABASE_URL", url)
        patch.setenv("PASSATK_HOME", str(home))
        seed(home)
        refresh(url, home / "mirror")
        connection.engine().dispose()
    begun = Served("", home, environment)
    said = begun.passatk("dashboard", "start", "--port", str(free_port()))
    address = re.search(r"http://\S+", said)
    assert address
    yield Served(address.group(), home, environment)
    begun.passatk("dashboard", "stop")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Watched:
    """A browser page, and whatever must not happen on it."""

    page: Page
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def go(self, url: str) -> None:
        self.page.goto(url)
        self.idle()

    def idle(self) -> None:
        """Until the script has run and nothing on the page is stale."""
        self.page.wait_for_timeout(160)  # widgets wait a moment before they report
        self.page.locator(
            "[data-testid='stApp'][data-test-connection-state='CONNECTED'][data-test-script-state='notRunning']"
        ).wait_for(state="attached", timeout=60_000)
        expect(self.page.locator("[data-stale='true']")).to_have_count(0, timeout=30_000)

    def snapshot(self) -> str:
        """Which snapshot the page says it shows."""
        return self.page.get_by_text(re.compile(r"^Snapshot \d")).inner_text().split(" · ")[0]

    def chart(self) -> None:
        expect(self.page.locator("[data-testid='stVegaLiteChart'] g.mark-line path").first).to_be_attached(
            timeout=30_000
        )

    def card(self, label: str) -> str:
        found = self.page.get_by_test_id("stMetric").filter(has_text=label)
        expect(found).to_have_count(1, timeout=30_000)
        return found.get_by_test_id("stMetricValue").inner_text()

    def clean(self) -> None:
        assert self.outside == []
        assert self.errors == []


try:
    from playwright.sync_api import Browser, Page, expect, sync_playwright
except ImportError:  # pragma: no cover - the test extra brings it
    pytest.skip("playwright is not installed: pip install -e '.[test]'", allow_module_level=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: install it, or name one with PASSATK_CHROMIUM")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(params=["light", "dark"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def watched(browser: Browser, served: Served, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A fresh reader; the test fails when the page asked another host for anything or the console had an error."""
    scheme = request.getfixturevalue("mode") if "mode" in request.fixturenames else "light"
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    seen = Watched(page)
    host = urllib.parse.urlsplit(served.url).netloc

    def asked(url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != host:
            seen.outside.append(url)

    page.on("request", lambda request: asked(request.url))
    page.on("websocket", lambda socket: asked(socket.url))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on(
        "console",
        lambda said: (
            seen.errors.append(f"{said.text} {said.location}")
            if said.type == "error" and not said.location.get("url", "").split("?")[0].endswith(HARMLESS)
            else None
        ),
    )
    yield seen
    context.close()
    seen.clean()
    assert "Traceback" not in served.log
    assert "page failed" not in served.log


@pytest.mark.parametrize("path", PATHS)
def test_every_page_opens_clean_in_both_modes(watched: Watched, served: Served, mode: str, path: str) -> None:
    watched.go(f"{served.url}/{path}?run={BIG}" if path not in ("", "sql", "health") else f"{served.url}/{path}")
    expect(watched.page.get_by_test_id("stHeading").first).to_be_visible()
    assert watched.snapshot()
    assert watched.page.get_by_test_id("stException").count() == 0
    if path in ("coverage", "precision", "cost"):
        watched.chart()
    background = watched.page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    )
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) > 380) == (mode == "light")


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


def test_a_query_runs_by_ctrl_enter_and_survives_the_next_click(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/sql")
    editor = watched.page.get_by_role("textbox", name="Query")
    editor.fill("SELECT run, source FROM analytics.runs ORDER BY run")
    editor.press("Control+Enter")
    watched.idle()
    expect(watched.page.get_by_text("4 rows in")).to_be_visible()
    expect(watched.page).to_have_url(re.compile("query=SELECT"))
    watched.page.get_by_role("link", name="Overview").click()
    watched.idle()
    watched.page.get_by_role("link", name="SQL").click()
    watched.idle()
    expect(watched.page.get_by_text("4 rows in")).to_be_visible()


def test_a_long_query_can_be_stopped(watched: Watched, served: Served) -> None:
    watched.go(f"{served.url}/sql")
    editor = watched.page.get_by_role("textbox", name="Query")
    editor.fill("SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b")
    editor.press("Control+Enter")
    stop = watched.page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible(timeout=15_000)
    stop.click()
    watched.idle()
    expect(stop).to_have_count(0, timeout=15_000)


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


@pytest.mark.parametrize("width", [390, 1280, 2560])
def test_no_page_is_wider_than_its_window(browser: Browser, served: Served, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    seen = Watched(page)
    for path in PATHS:
        seen.go(f"{served.url}/{path}")
        page.wait_for_timeout(300)
        over = page.evaluate("(m => m.scrollWidth - m.clientWidth)(document.querySelector('[data-testid=stMain]'))")
        assert over <= 1, path
    page.close()


def test_the_page_may_only_talk_to_its_own_server(served: Served) -> None:
    import urllib.request

    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(served.url, timeout=10) as answer:
        policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'self'" in policy


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
