"""Take the pictures of every page, light and dark, into this folder: from seeded data, or of a dashboard that runs.

python docs/screenshots/take.py                  # a store of its own, gone afterwards
python docs/screenshots/take.py --url http://127.0.0.1:8501
python docs/screenshots/take.py --only problems  # one page of them
"""

from __future__ import annotations

import argparse
import io
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
CHROMIUM = os.environ.get("PASSATK_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", "--font-render-hinting=none"]
IDLE = "[data-testid='stApp'][data-test-connection-state='CONNECTED'][data-test-script-state='notRunning']"
#: Parts within the window that are made once they are in sight, and are not there yet.
AWAITED = """[...document.querySelectorAll("[class*='st-key-in-sight']")].filter(
  one => one.getBoundingClientRect().top < innerHeight).length"""
WIDTH, HEIGHT, TALLEST = 1440, 900, 2000
#: name -> address; what a newcomer should see on each page.
VIEWS = {
    "workers": "/workers",  # first: soon after its workers were seen
    "overview": "/",
    "coverage": "/coverage?verifier=reference&verifier=answer@1&run=small-t08",
    "coverage_runs": "/coverage?run=small-t08&run=small-t02&run=unpriced&k=10",
    "coverage_small": "/coverage?run=small-t08&run=small-t02&run=unpriced&k=10&view=small",
    "coverage_forecast": "/coverage?run=small-t08&run=small-t02&forecast=on",
    "power_law": "/coverage?run=small-t08&run=small-t02&y=minus-log",
    "precision": "/precision?run=small-t08",
    "cost": "/cost?run=small-t08&run=small-t02&k=10&reference=33",
    "compare": "/compare?run=small-t08&run=small-t02&run=unpriced&baseline=small-t02&k=10",
    "problems": "/problems?run=small-t08&problem=sum-05",
    "samples": "/samples?run=small-t08&problem=sum-05&outcome=incorrect",
    "sql": "/sql",
    "health": "/health",
}


@contextmanager
def seeded() -> Iterator[str]:
    """The address of a dashboard over seeded data."""
    home = Path(tempfile.mkdtemp(prefix="screenshots-"))
    os.environ |= {"PASSATK_HOME": str(home), "PASSATK_LIVE": "0"}
    from dashboard import server
    from store import embedded, schema
    from store.analytics.refresh import refresh
    from store.connection import database_url
    from store.settings import StoreSettings
    from tests.integration.test_dashboard_store import seed

    try:
        schema.upgrade()
        seed(home)
        refresh(database_url(), home / "mirror")
        at_work()
        begun, _ = server.start(StoreSettings.from_environment(), server.Listen())
        yield begun.url
    finally:
        server.stop(home)
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)


def at_work() -> None:
    """An hour of three workers and two queues: two draw, one judges, and for five minutes nobody does."""
    import sqlalchemy as sa

    from store.connection import transaction
    from store.tables import queue_depths, worker_reports, workers
    from store.worker_registry import register_worker

    now = datetime.now(UTC)
    ago = [now - timedelta(seconds=5 * place) for place in range(700) if not 300 <= place < 360]
    crew = (("gpu-a:4121", "generate.sums-8m", "NVIDIA H200"), ("gpu-b:812", "generate.sums-8m", "NVIDIA H200"),
            ("cpu-1:77", "verify", None))  # fmt: skip
    with transaction() as connection:
        for place, (name, queues, device) in enumerate(crew):
            key = register_worker(connection, f"{name}:{now:%Y%m%d}T0900", name.split(":")[0], queues, "0.2.0", device)
            connection.execute(sa.update(workers).values(started_at=ago[-1]).where(workers.c.worker_id == key))
            for at in ago:
                done = round(900 * (1.2 + math.sin(at.timestamp() / 400 + 2 * place)))
                counts = {"samples": 0, "tokens": 0, "verdicts": done} if queues == "verify" else {
                    "samples": done, "tokens": 12 * done, "verdicts": 0}  # fmt: skip
                row = {"worker_id": key, "at": at, "seconds": 5, "failures": 0, "memory_bytes": (9 + place) << 30}
                connection.execute(sa.insert(worker_reports).values(row | counts))
        for at in ago[::3]:
            for turn, queue in enumerate(("generate.sums-8m", "verify")):
                waiting = round(40 * (1 + math.sin(at.timestamp() / 500 + turn)))
                row = {"at": at, "queue": queue, "waiting": waiting, "in_work": 2}
                connection.execute(sa.insert(queue_depths).values(row))


def settle(page: Page) -> None:
    """Until the page is drawn and its height is that of its content."""
    page.locator(IDLE).wait_for(state="attached", timeout=60_000)
    page.wait_for_timeout(1500)
    # The script may be done while the browser still draws: nothing may stand in for a table or a chart any more.
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=60_000)
    content = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": min(TALLEST, max(HEIGHT, content + 20))})
    page.mouse.move(2, 2)
    until = time.monotonic() + 60
    while page.evaluate(AWAITED) and time.monotonic() < until:
        page.wait_for_timeout(200)
    page.wait_for_timeout(700)


def picture(page: Page, to: Path) -> None:
    """One page as a PNG of at most 256 colours: a repository is no place for megabytes of pixels."""
    with Image.open(io.BytesIO(page.screenshot())) as taken:
        taken.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(to, optimize=True)


def take(url: str, folder: Path, views: Mapping[str, str]) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        contexts = {
            mode: browser.new_context(color_scheme=mode, reduced_motion="reduce")  # type: ignore[arg-type]
            for mode in ("light", "dark")
        }
        for name, address in views.items():
            for mode, context in contexts.items():
                page = context.new_page()
                page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
                page.goto(url + address)
                page.get_by_test_id("stHeading").first.wait_for(timeout=60_000)
                page.locator(IDLE).wait_for(state="attached", timeout=60_000)
                if name == "sql":
                    page.get_by_role("button", name="Run", exact=True).click()
                    page.get_by_text("rows in").wait_for()
                    page.mouse.move(2, 2)  # off the button, whose help would stay in the picture
                if name == "workers":
                    page.get_by_role("heading", name="Runs under way").wait_for()
                settle(page)
                picture(page, folder / f"{name}_{mode}.png")
                print(folder / f"{name}_{mode}.png")
                page.close()
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", help="a dashboard that runs already")
    parser.add_argument("--into", type=Path, default=HERE)
    parser.add_argument("--only", choices=[*VIEWS], help="one page instead of all")
    chosen = parser.parse_args()
    views = {chosen.only: VIEWS[chosen.only]} if chosen.only else VIEWS
    if chosen.url:
        take(chosen.url, chosen.into, views)
    else:
        with seeded() as url:
            take(url, chosen.into, views)


if __name__ == "__main__":
    main()
