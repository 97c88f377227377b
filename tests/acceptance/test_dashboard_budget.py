"""What a reader's browser is given until the first chart of a page: counted, so that more of it is noticed in a test.

Seconds would be what a reader feels, but on a machine that others use at the same time they say more of the others: the
same page took from 1.3 to 8 s on one day. Runs of a script, messages, bytes and files are the same on every machine,
and whatever makes a first chart late here shows in one of them. `benchmarks/dashboard_speed.py` has the seconds.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocket
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.acceptance.browsing import ASKED, Served, Watched


@dataclass(frozen=True)
class Budget:
    """The most that may come: script runs; messages and kB before the chart, and of its whole run; scripts, their kB.

    About a tenth above what came when this was written: whoever needs more raises it here and says what for.
    """

    runs: int
    before: int
    before_kb: float
    messages: int
    kb: float
    scripts: int
    scripts_kb: float


BUDGETS = {
    "coverage": Budget(runs=1, before=45, before_kb=12.5, messages=67, kb=48, scripts=135, scripts_kb=3700),
    "problems": Budget(runs=1, before=29, before_kb=8.5, messages=84, kb=65, scripts=148, scripts_kb=6800),
}


@dataclass
class Given:
    """What a tab was given since it was opened."""

    frames: list[bytes] = field(default_factory=list)
    scripts: dict[str, int] = field(default_factory=dict)

    def listen(self, page: Page) -> None:
        def heard(frame: str | bytes) -> None:
            if isinstance(frame, bytes):
                self.frames.append(frame)

        def opened(socket: WebSocket) -> None:
            socket.on("framereceived", heard)

        page.on("websocket", opened)
        page.on("response", lambda answer: self._fetched(answer.url, answer.headers))

    def _fetched(self, url: str, headers: dict[str, str]) -> None:
        path = urllib.parse.urlsplit(url).path
        if path.endswith(".js"):
            self.scripts[path] = int(headers.get("content-length", 0))

    def spent(self) -> Budget:
        """The same figures of what came; messages are counted by their order, not by when they were drawn."""
        said = [ForwardMsg.FromString(frame) for frame in self.frames]
        kinds = [one.WhichOneof("type") for one in said]
        first = next(place for place, one in enumerate(said) if _is_chart(one))
        end = kinds.index("script_finished")
        assert first < end
        sizes = [len(frame) / 1000 for frame in self.frames]
        runs = kinds.count("script_finished")
        scripts_kb = sum(self.scripts.values()) / 1000
        return Budget(runs, first, sum(sizes[:first]), end, sum(sizes[:end]), len(self.scripts), scripts_kb)


def _is_chart(message: ForwardMsg) -> bool:
    element = message.delta.new_element if message.WhichOneof("type") == "delta" else None
    return element is not None and element.WhichOneof("type") == "vega_lite_chart"


@pytest.fixture
def new_reader(browser: Browser, served: Served) -> Iterator[Watched]:
    """A reader whose browser has nothing of this dashboard yet."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    seen = Watched(context.new_page())
    seen.listen(urllib.parse.urlsplit(served.url).netloc)
    yield seen
    context.close()
    seen.clean()


@pytest.mark.parametrize("path", BUDGETS)
def test_no_more_comes_until_the_first_chart_than_did(new_reader: Watched, served: Served, path: str) -> None:
    given = Given()
    given.listen(new_reader.page)
    new_reader.go(f"{served.url}/{path}?{ASKED.get(path, '')}")
    new_reader.chart() if path != "problems" else new_reader.idle()
    came, most = given.spent(), BUDGETS[path]
    over = {name: (spent, limit) for name, limit in vars(most).items() if (spent := vars(came)[name]) > limit}
    assert over == {}, f"{path}: more than the budget (came, most); all that came: {came}"


def test_a_page_opens_its_websocket_without_looking_for_its_server(new_reader: Watched, served: Served) -> None:
    page, asked = new_reader.page, "**/_stcore/health"
    questions: list[str] = []
    page.on("request", lambda request: questions.append(request.url) if "/_stcore/health" in request.url else None)
    new_reader.go(f"{served.url}/coverage")
    assert questions == [f"{served.url}/_stcore/health"]
    # That answer brought the cookie without which a login is not seen: from now on no answer is waited for.
    held: list[Route] = []
    page.route(asked, lambda route: held.append(route))
    with page.expect_websocket(timeout=30_000):
        page.goto(f"{served.url}/coverage")
    new_reader.chart()
    assert len(held) == 1
    held[0].continue_()
    new_reader.idle()
