"""A reader of the dashboard: one real server over a seeded store, one headless Chromium, and what must not happen."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect, sync_playwright

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
#: Below an address that is no page Streamlit looks for its server by these two, and lives without an answer.
LOOKED_FOR = ("/_stcore/health", "/_stcore/host-config")
BIG, SMALL, UNPRICED = (run.name for run in RUNS)
PASSATK = [sys.executable, "-c", "from store.command import main; main()"]
PATHS = ("", "coverage", "precision", "cost", "compare", "problems", "samples", "sql", "workers", "health")

#: What each page is asked for when every page is looked at, so that it has something to show.
ASKED = {
    "coverage": f"run={BIG}&run={SMALL}",
    "precision": f"run={BIG}",
    "cost": f"run={BIG}&run={SMALL}",
    "compare": f"run={BIG}&run={SMALL}",
    "problems": f"run={BIG}&problem=sum-05",
    "samples": f"run={BIG}&problem=sum-05&sample=0",
}


def _looks_for_its_server(url: str) -> bool:
    below, found, what = urllib.parse.urlsplit(url).path.partition("/_stcore/")
    return f"{found}{what}" in LOOKED_FOR and below.strip("/") not in PATHS


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


@pytest.fixture(scope="session")
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

    def listen(self, host: str) -> None:
        """From now on note whatever must not happen."""

        def asked(url: str) -> None:
            parts = urllib.parse.urlsplit(url)
            if parts.scheme not in ("data", "blob") and parts.netloc != host:
                self.outside.append(url)

        def said(message: ConsoleMessage) -> None:
            if message.type == "error" and not _looks_for_its_server(message.location.get("url", "")):
                self.errors.append(f"{message.text} {message.location}")

        self.page.on("request", lambda request: asked(request.url))
        self.page.on("websocket", lambda socket: asked(socket.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", said)

    def go(self, url: str) -> None:
        """Open an address and wait for its page: before the first run of its script nothing is stale either."""
        self.page.goto(url)
        expect(self.page.get_by_test_id("stHeading").first).to_be_visible(timeout=30_000)
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

    def scroll(self) -> None:
        """Down to the end of the page, until everything that waits to be scrolled to is drawn."""
        until = time.monotonic() + 60
        while self.page.evaluate(
            """() => {
                const waiting = document.querySelector("[class*='st-key-in-sight']")
                waiting?.scrollIntoView()
                return waiting !== null
            }"""
        ):
            assert time.monotonic() < until, "a part of the page that is in sight is not drawn"
            self.page.wait_for_timeout(50)
        self.idle()

    def drawn(self, path: str) -> None:
        """Until the page of this path shows what it is for, a curve or what the store says now, to its end."""
        if path in ("coverage", "precision", "cost", "compare"):
            self.chart()
        if path == "workers":
            expect(self.page.get_by_role("heading", name="Runs under way")).to_be_visible(timeout=30_000)
        self.idle()
        self.scroll()

    def card(self, label: str) -> str:
        found = self.page.get_by_test_id("stMetric").filter(has_text=label)
        expect(found).to_have_count(1, timeout=30_000)
        return found.get_by_test_id("stMetricValue").inner_text()

    def follow(self, page: str) -> None:
        """Go to another page by the navigation."""
        self.page.get_by_test_id("stSidebar").get_by_role("link", name=page, exact=True).click()
        expect(self.page.get_by_test_id("stHeading").first).to_have_text(page, timeout=30_000)
        self.idle()

    def in_view(self, box: Locator) -> None:
        """Until an element is on screen and rests there: a menu closes when its page scrolls, and the event of a scroll
        comes with the next frame, after a click that follows at once."""
        box.scroll_into_view_if_needed()
        box.evaluate(
            """async (element) => {
                const frame = () => new Promise(requestAnimationFrame);
                const place = () => element.getBoundingClientRect().top;
                for (let rested = 0, last = place(); rested < 3; last = place()) {
                    await frame();
                    rested = place() === last ? rested + 1 : 0;
                }
            }"""
        )

    def choose(self, label: str, value: str) -> None:
        """Choose a value of a select box."""
        box = self.page.get_by_role("combobox", name=label, exact=True)
        expect(box).to_be_visible(timeout=30_000)
        self.in_view(box)
        box.click()
        self.page.get_by_role("option", name=value, exact=True).click()
        expect(box).to_have_value(value)
        self.idle()

    def permalink(self) -> str:
        """The address behind Link."""
        self.page.get_by_role("button", name="Link", exact=True).click()
        link = self.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode")
        expect(link).to_contain_text("snapshot=", timeout=30_000)
        text = link.inner_text().strip()
        self.page.keyboard.press("Escape")
        return text

    def seen(self) -> list[str]:
        """The words and numbers of the charts and cards on the page."""
        self.chart()
        found = self.page.locator("[data-testid='stVegaLiteChart'] text, [data-testid='stMetric']")
        return [text for text in found.all_text_contents() if text.strip()]

    def clean(self) -> None:
        assert self.outside == []
        assert self.errors == []


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: install it, or name one with PASSATK_CHROMIUM")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(params=["light", "dark"])
def mode(request: pytest.FixtureRequest) -> str:
    """The colours a reader's machine asks for."""
    return str(request.param)


@pytest.fixture(scope="session")
def machines(browser: Browser) -> Iterator[Callable[[str], BrowserContext]]:
    """A reader's machine of each mode; it keeps what it loaded, as a browser does, so that later pages come fast."""
    kept: dict[str, BrowserContext] = {}

    def machine(scheme: str) -> BrowserContext:
        if scheme not in kept:
            kept[scheme] = browser.new_context(
                viewport={"width": 1440, "height": 900},
                color_scheme=scheme,  # type: ignore[arg-type]
                reduced_motion="reduce",
            )
        return kept[scheme]

    yield machine
    for context in kept.values():
        context.close()


@pytest.fixture
def watched(
    machines: Callable[[str], BrowserContext], served: Served, request: pytest.FixtureRequest
) -> Iterator[Watched]:
    """A reader's new tab; the test fails when it asked another host for anything or its console had an error."""
    scheme = request.getfixturevalue("mode") if "mode" in request.fixturenames else "light"
    page = machines(scheme).new_page()
    logged = len(served.log)
    seen = Watched(page)
    seen.listen(urllib.parse.urlsplit(served.url).netloc)
    yield seen
    page.close()
    seen.clean()
    said = served.log[logged:]
    assert "Traceback" not in said
    assert "page failed" not in said
