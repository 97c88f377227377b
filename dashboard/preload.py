"""What a page will draw with is fetched while its script still runs.

Streamlit's own page names the files it starts with; those of a chart or a table are asked for only once the first of
them is to be drawn, file after file. Here they are named in the page from the start, so that they come beside the rest.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware

from dashboard import own_address

_CHART = ("ArrowVegaLiteChart", "loadVegaEmbed", "embed", "vega-interpreter")
_TABLE = ("DataFrame",)
_ALWAYS = ("Button", "Html", "Selectbox")
#: path of a page -> the parts of Streamlit's front end that its first view is drawn with, by the names of their files.
PARTS: dict[str, tuple[str, ...]] = {
    "/": (*_TABLE, "Metric", "TextInput"),
    "/coverage": (*_CHART, "BidiComponent", "Multiselect", "ButtonGroup", "Checkbox", "Slider", "MenuButton", "Metric"),
    "/precision": (*_CHART, "BidiComponent", "Slider", "Metric"),
    "/cost": (*_CHART, "BidiComponent", "Multiselect", "ButtonGroup", "Slider", "NumberInput"),
    "/compare": (*_CHART, "BidiComponent", "Multiselect", "Slider"),
    "/problems": (*_CHART, *_TABLE, "ButtonGroup", "Checkbox", "MenuButton"),
    "/samples": ("StreamlitSyntaxHighlighter", "ButtonGroup", "Pagination", "Radio", "TextInput"),
    "/sql": ("BidiComponent", "TextInput"),
    "/workers": ("Checkbox",),
    "/health": (*_CHART, *_TABLE, "Checkbox"),
}
_IMPORTED = re.compile(r'(?:from|import)\s*"\./([^"]+\.js)"')
_HEAD = b"</head>"


def _folder() -> Path:
    return Path(str(files("streamlit").joinpath("static", "static", "js")))


@cache
def scripts(path: str) -> tuple[str, ...]:
    """Names of the files that the first view at a path needs beyond those Streamlit's page names itself.

    Empty for a path that is no page. A part that this Streamlit has not is left out: the page asks for it as ever.
    """
    own = set(re.findall(r"/static/js/([^\"]+\.js)", (_folder().parents[1] / "index.html").read_text(encoding="utf-8")))
    found: dict[str, None] = {}
    waiting = [part for name in (*PARTS[path], *_ALWAYS) for part in _files(name)] if path in PARTS else []
    while waiting:
        name = waiting.pop()
        if name not in own and name not in found:
            found[name] = None
            waiting += _IMPORTED.findall((_folder() / name).read_text(encoding="utf-8"))
    return tuple(sorted(found))


def _files(part: str) -> list[str]:
    """The file of a part, whose name ends in a hash of its content."""
    return [one.name for one in _folder().glob(f"{part}.*.js") if one.name.count(".") == 2]


@cache
def links(path: str) -> bytes:
    """The lines that go into the head of a page: where its server is, and what it will draw with."""
    lines = (f'<link rel="modulepreload" crossorigin href="./static/js/{name}">\n' for name in scripts(path))
    return b"<script>" + own_address.SCRIPT + b"</script>\n" + "".join(lines).encode()


def preloading() -> Middleware:
    """The middleware that puts them into every page on its way out."""
    return Middleware(_Preload)


class _Preload:
    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in PARTS:
            await self._app(scope, receive, send)
            return
        # The page has to be read: it is asked for as it is, and only five kilobytes long.
        plain = [(name, value) for name, value in scope["headers"] if name not in (b"accept-encoding", b"range")]
        await self._app(scope | {"headers": plain}, receive, _Rewritten(send, links(scope["path"])))


class _Rewritten:
    """Sends an answer on; lines are put at the end of its head where it is a page."""

    def __init__(self, send: Any, lines: bytes) -> None:
        self._send, self._lines = send, lines
        self._start: Any = None
        self._body = b""

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
            return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = self._body.replace(_HEAD, self._lines + _HEAD, 1)
        length = (b"content-length", str(len(body)).encode())
        kept = [header for header in self._start["headers"] if header[0] != length[0]]
        await self._send(self._start | {"headers": [*kept, length]})
        await self._send({"type": "http.response.body", "body": body})


def _is_page(message: Any) -> bool:
    kind = next((value for name, value in message["headers"] if name == b"content-type"), b"")
    return bool(message["status"] == 200 and kind.startswith(b"text/html"))
