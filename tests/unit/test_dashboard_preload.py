"""What a page will draw with is named in the page that Streamlit sends."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import own_address, preload, security
from dashboard.wording import clock

PAGE = "<html><head><title>Streamlit</title></head><body></head></body></html>"


async def answer(request: Request) -> Response:
    if request.url.path == "/sql":
        return PlainTextResponse("</head>")
    return HTMLResponse(PAGE, 503 if request.url.path == "/cost" else 200)


@pytest.fixture(scope="module")
def browser() -> TestClient:
    routes = [Route("/{path:path}", answer, methods=["GET", "POST"])]
    return TestClient(Starlette(routes=routes, middleware=[preload.preloading()]))


@pytest.mark.parametrize("part", sorted({part for parts in preload.PARTS.values() for part in parts}))
def test_streamlit_has_one_file_of_each_part(part: str) -> None:
    assert len(preload._files(part)) == 1


def test_the_pages_are_those_of_the_navigation() -> None:
    from dashboard import navigation

    assert {"/" if path == "overview" else f"/{path}" for path in navigation._PAGES} == {*preload.PARTS}


def test_what_a_part_imports_is_named_too_and_nothing_twice() -> None:
    named = preload.scripts("/coverage")
    assert len(named) == len(set(named)) > len(preload.PARTS["/coverage"]) + 10
    (chart,) = preload._files("embed")
    text = (preload._folder() / chart).read_text(encoding="utf-8")
    own = (preload._folder().parents[1] / "index.html").read_text(encoding="utf-8")
    imported = preload._IMPORTED.findall(text)
    assert imported
    assert all(one in named or one in own for one in imported)
    assert not [one for one in named if one in own]


def test_a_page_names_them_in_its_head_once(browser: TestClient) -> None:
    text = browser.get("/coverage").text
    head, body = text.split("<body>")
    assert head.count("modulepreload") == len(preload.scripts("/coverage"))
    assert "modulepreload" not in body
    assert head.index("modulepreload") < head.index("</head>")


def test_a_page_is_told_first_where_its_server_is(browser: TestClient) -> None:
    (script,) = re.findall("<script>(.*?)</script>", browser.get("/coverage").text)
    assert script == own_address.SCRIPT.decode()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in security.content_security_policy()


def test_a_page_that_draws_no_chart_names_none(browser: TestClient) -> None:
    assert "ArrowVegaLiteChart" in browser.get("/compare").text
    assert "ArrowVegaLiteChart" not in browser.get("/").text


@pytest.mark.parametrize("path", ["/elsewhere", "/cost", "/sql"])
def test_what_is_no_page_is_sent_as_it_is(browser: TestClient, path: str) -> None:
    text = browser.get(path).text
    assert "modulepreload" not in text
    assert "script" not in text


def test_the_time_of_a_day_is_no_emoji() -> None:
    assert clock(datetime(2026, 11, 3, 4, 5, 6)) == r"04\:05\:06"
