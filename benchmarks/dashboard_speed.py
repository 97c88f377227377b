"""How long readers of the dashboard wait, over synthetic verdicts in a store of its own.

Prints medians: script time of every page (first and again), cold and warm server to the first chart in headless
Chromium, with no file kept and with those of a reader who returns, beside Streamlit's own floor; toggle to idle, and 25
readers who change something at once.

    python benchmarks/dashboard_speed.py --samples 1000        # 9 runs x 128 problems x 1,000 = 1.2 M verdicts
    python benchmarks/dashboard_speed.py --samples 10000       # 11.5 M
    python benchmarks/curves_at_scale.py --keep FOLDER && python benchmarks/dashboard_speed.py --home FOLDER    # 100 M
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard_seed import seed

READERS = 25
PAGES = ("overview", "coverage", "precision", "cost", "compare", "problems", "samples", "sql", "health")
CHROMIUM = os.environ.get("PASSATK_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
IDLE = "[data-testid='stApp'][data-test-connection-state='CONNECTED'][data-test-script-state='notRunning']"
BAND = "[data-testid='stVegaLiteChart'] g.mark-area path"
CURVE = "[data-testid='stVegaLiteChart'] g.mark-line path"


def say(what: str, value: str) -> None:
    print(f"{what:<52} {value}", flush=True)


def milliseconds(work: Callable[[], Any], times: int = 1) -> float:
    """The median time of a piece of work."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def stored_verdicts() -> int:
    """How many the snapshot has that is shown."""
    from store.analytics import open_snapshot

    with open_snapshot() as snapshot:
        return int(snapshot.rows("SELECT CAST(sum(n) AS BIGINT) AS verdicts FROM problem_counts")[0]["verdicts"])


def measure_scripts() -> None:
    """Time of each page's script alone: first in a process that has imported it, then again."""
    from streamlit.testing.v1 import AppTest

    for name in PAGES:
        script = (
            f"import time\nimport streamlit as st\nfrom dashboard.views import {name}\nbegan = time.perf_counter()\n"
            f"{name}.page()\nst.session_state['ms'] = 1000 * (time.perf_counter() - began)"
        )
        test = AppTest.from_string(script, default_timeout=120).run()
        first = test.session_state["ms"]
        again = []
        for _ in range(9):
            test.run()
            again.append(test.session_state["ms"])
        say(f"script of {name}: first / again", f"{first:7.0f} / {statistics.median(again):5.1f} ms")


#: The least that Streamlit can show: a page of one chart that is always the same.
EMPTY = """import streamlit as st
st.vega_lite_chart({"data": {"values": [{"x": 1, "y": 1}, {"x": 9, "y": 4}]}, "mark": "line", "height": 460,
                    "encoding": {"x": {"field": "x", "type": "quantitative"},
                                 "y": {"field": "y", "type": "quantitative"}}}, width="stretch")
"""


class Server:
    """A dashboard, or another Streamlit script with the dashboard's settings, in a process of its own."""

    def __init__(self, script: Path | None = None) -> None:
        from dashboard import server

        self.listen = server.Listen(port=server.free_port(server.LOOPBACK, None))
        line = server.command(self.listen, int(self.listen.port or 0))
        if script is not None:
            line = [str(script) if part.endswith("app.py") else part for part in line]
        self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://{self.listen.address}:{self.listen.port}"

    def wait(self) -> None:
        from dashboard import server

        while not server.answers(self.url):
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class Reader:
    """A session that speaks the server's own protocol, without a browser that would cost more than the server."""

    def __init__(self, url: str, page: str) -> None:
        from websockets.sync.client import connect

        self.wire = connect(
            f"{url.replace('http', 'ws')}/_stcore/stream", subprotocols=["streamlit"], max_size=None, proxy=None
        )
        self.page, self.known = page, ""
        self.rerun()

    def rerun(self) -> float:
        """Have the page run again; milliseconds until its last message is here."""
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        asked = BackMsg()
        asked.rerun_script.page_name, asked.rerun_script.page_script_hash = "" if self.known else self.page, self.known
        began = time.perf_counter()
        self.wire.send(asked.SerializeToString())
        while True:
            heard = ForwardMsg()
            heard.ParseFromString(self.wire.recv(timeout=120))
            if heard.WhichOneof("type") == "navigation":
                self.known = heard.navigation.page_script_hash
            if heard.WhichOneof("type") == "script_finished":
                return 1000 * (time.perf_counter() - began)


def empty_page(folder: Path) -> Server:
    """The server of a page of one static chart, with the dashboard's own settings, once it answers."""
    import dashboard

    settings = Path(str(dashboard.__file__)).parent / ".streamlit" / "config.toml"
    (folder / ".streamlit").mkdir()
    shutil.copy(settings, folder / ".streamlit")
    script = folder / "empty.py"
    script.write_text(EMPTY, encoding="utf-8")
    server = Server(script)
    server.wait()
    return server


def measure_readers(url: str) -> None:
    """Sessions on the coverage page, one alone and 25 at once, each having its page run again."""
    readers = [Reader(url, "coverage") for _ in range(READERS)]
    one = statistics.median([readers[0].rerun() for _ in range(15)])
    say("one reader's rerun of coverage, over the wire", f"{one:7.0f} ms")
    taken: list[float] = []
    threads = [threading.Thread(target=lambda r=reader: taken.append(r.rerun())) for reader in readers]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - began
    say(f"{READERS} readers at once: median / last", f"{statistics.median(taken):7.0f} / {max(taken):.0f} ms")
    say("reruns a second of one process", f"{READERS / wall:7.1f}")


def measure_browser() -> None:
    """What a person sees: server start to first chart, warm server to first chart, toggle to idle."""
    from playwright.sync_api import sync_playwright

    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-sync",
        "--no-first-run",
    ]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        server = Server()
        began = time.perf_counter()
        server.wait()
        say("server start to first answer", f"{1000 * (time.perf_counter() - began):7.0f} ms")
        page = chromium.new_page(viewport={"width": 1440, "height": 900})

        def first_chart(page: Any, url: str = f"{server.url}/coverage") -> None:
            page.goto(url)
            page.locator(CURVE).first.wait_for(state="attached", timeout=120_000)

        first_chart(page)
        say("cold server and browser to first chart", f"{1000 * (time.perf_counter() - began):7.0f} ms")
        # A profile on disk, as a reader has one: it keeps files and what the browser made of their scripts.
        with tempfile.TemporaryDirectory(prefix="reader-") as profile:
            own = playwright.chromium.launch_persistent_context(profile, executable_path=CHROMIUM, args=flags)
            floor = empty_page(Path(profile))
            addresses = (f"{server.url}/coverage", floor.url)

            def compared(what: str, turns: int, unmeasured: int, page: Callable[[], Any]) -> None:
                """Ours and the least of Streamlit in turns, so that whatever else the machine does falls on both."""
                taken: dict[str, list[float]] = {url: [] for url in addresses}
                for turn in range(turns):
                    for url, times in taken.items():
                        tab = page()
                        spent = milliseconds(lambda tab=tab, url=url: first_chart(tab, url))
                        if turn >= unmeasured:
                            times.append(spent)
                ours, least = (statistics.median(times) for times in taken.values())
                say(f"{what} to first chart", f"{ours:7.0f} ms")
                say("the same of a Streamlit page of one static chart", f"{least:7.0f} ms")

            compared("warm server, browser without any file", 5, 0, lambda: chromium.new_context().new_page())
            compared("warm server, browser of a reader who returns", 12, 3, lambda: own.pages[0])
            floor.stop()
            own.close()
        page.locator(IDLE).wait_for(state="attached")

        def toggle() -> None:
            before = page.locator(BAND).count()
            page.get_by_text("95 % interval", exact=True).first.click()
            page.wait_for_function(
                "n => document.querySelectorAll(\"[data-testid='stVegaLiteChart'] g.mark-area path\").length != n",
                arg=before,
            )
            page.locator(IDLE).wait_for(state="attached")

        say("toggle to the redrawn chart", f"{milliseconds(toggle, 9):7.0f} ms")
        measure_readers(server.url)
        server.stop()
        chromium.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=1000, help="samples per problem and run")
    parser.add_argument("--home", type=Path, help="keep the store here and use it again")
    chosen = parser.parse_args()
    home = chosen.home or Path(tempfile.mkdtemp(prefix="dashboard-speed-"))
    os.environ |= {"PASSATK_HOME": str(home), "PASSATK_LIVE": "0"}
    from store import embedded, schema

    try:
        if not (home / "mirror" / "catalogue.duckdb").exists():
            schema.upgrade()
            say("seeding", f"{milliseconds(lambda: seed(chosen.samples)):7.0f} ms")
            # As `passatk mirror refresh` does it: the curves that take seconds are kept for the first reader.
            line = [sys.executable, "-c", "from store.command import main; main()", "mirror", "refresh", "--curves"]
            say("mirror refresh, curves kept", f"{milliseconds(lambda: subprocess.run(line, check=True)):7.0f} ms")
        say("verdicts", f"{stored_verdicts():,}")
        measure_scripts()
        if Path(CHROMIUM).exists():
            measure_browser()
        else:
            print(f"No Chromium at {CHROMIUM}: nothing measured in a browser.", file=sys.stderr)
    finally:
        embedded.stop(home)
        if chosen.home is None:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
