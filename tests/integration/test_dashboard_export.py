"""`/api/export`: a whole answer as a stream, or one line that says why not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard import exports
from dashboard.login import BROWSER, Holder
from tests.integration.test_dashboard_pages import mirror, seeded

__all__ = ["mirror", "seeded"]


@pytest.fixture
def client(seeded: Path) -> Iterator[TestClient]:
    del seeded
    with TestClient(Starlette(routes=exports.routes())) as made:
        yield made


def test_a_query_comes_whole_as_csv_and_parquet(client: TestClient) -> None:
    asked = {"query": "SELECT run_id, count(*) AS samples FROM samples GROUP BY run_id ORDER BY run_id"}
    csv = client.get("/api/export", params=asked | {"format": "csv"})
    assert csv.status_code == 200
    lines = csv.text.splitlines()
    assert lines[0].replace('"', "") == "run_id,samples"
    parquet = client.get("/api/export", params=asked | {"format": "parquet"})
    table = pq.read_table(io.BytesIO(parquet.content))
    assert [f"{row['run_id']},{row['samples']}" for row in table.to_pylist()] == lines[1:]


def test_more_rows_than_a_page_shows_are_all_there(client: TestClient) -> None:
    answer = client.get("/api/export", params={"query": "SELECT range FROM range(250000)", "format": "csv"})
    assert len(answer.text.splitlines()) == 250_001


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("COPY runs TO '/tmp/x.csv'", "SELECT"),
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv"),
        ("SELECT nothing FROM runs", "nothing"),
        ("", "Give a query"),
    ],
)
def test_what_cannot_be_answered_is_one_line(client: TestClient, query: str, said: str) -> None:
    answer = client.get("/api/export", params={"query": query, "format": "csv"})
    assert answer.status_code == 400
    assert said in answer.text
    assert "Traceback" not in answer.text


def test_a_ticket_is_good_for_its_text_and_another_for_nothing(client: TestClient) -> None:
    address = exports.address(exports.ticket("SELECT 1 AS one", Holder(None, "mine")), "csv")
    client.cookies.set(BROWSER, "mine")
    assert client.get(address).text.split() == ['"one"', "1"]
    assert client.get("/api/export?ticket=guess&format=csv").status_code == 400
    assert client.get(f"{address[:-3]}exe").status_code == 400


@pytest.mark.parametrize(
    ("user", "browser", "status"),
    [("ann", "mine", 200), ("ann", "other", 403), ("ann", None, 403), ("amy", "mine", 403), ("bob", "mine", 403)],
)
def test_a_ticket_is_good_for_its_reader_and_browser(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, browser: str | None, status: int
) -> None:
    rules = tmp_path / "access.toml"
    rules.write_text('by = "proxy"\nuser_header = "X-User"\neveryone = "viewer"\n[roles]\nanalyst = ["ann", "amy"]\n')
    monkeypatch.setenv("PASSATK_ACCESS", str(rules))
    address = exports.address(exports.ticket("SELECT 1 AS one", Holder("ann", "mine")), "csv")
    if browser:
        client.cookies.set(BROWSER, browser)
    answer = client.get(address, headers={"X-User": user})
    assert answer.status_code == status
    assert answer.text.count("\n") == (2 if status == 200 else 1)


def test_a_ticket_of_a_role_that_was_taken_away_is_void(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "access.toml"
    rules.write_text('by = "proxy"\nuser_header = "X-User"\neveryone = "viewer"\n')
    monkeypatch.setenv("PASSATK_ACCESS", str(rules))
    address = exports.address(exports.ticket("SELECT 1 AS one", Holder("ann", None)), "csv")
    assert client.get(address, headers={"X-User": "ann"}).status_code == 403


def test_only_analysts_may_send_a_text(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tmp_path / "access.toml"
    rules.write_text('by = "proxy"\nuser_header = "X-User"\neveryone = "viewer"\n[roles]\nanalyst = ["ann"]\n')
    monkeypatch.setenv("PASSATK_ACCESS", str(rules))
    asked = {"query": "SELECT 1 AS one", "format": "csv"}
    assert client.get("/api/export", params=asked).status_code == 403
    assert client.get("/api/export", params=asked, headers={"X-User": "bob"}).status_code == 403
    assert client.get("/api/export", params=asked, headers={"X-User": "ann"}).status_code == 200
