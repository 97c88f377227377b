"""The key of an endpoint goes to the endpoint and nowhere else: no log line, no row of any table."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from store.connection import transaction
from workers import generation
from workers.generation import Generator
from workers.planning import plan_run
from workers.settings import WorkerSettings

KEY = "sk-nobody-may-see-this"
SETTINGS = WorkerSettings(broker_url=None, lease_seconds=60, patience_seconds=30)


class EchoingServer(ThreadingHTTPServer):
    """A fake endpoint that fails once and then answers; its errors repeat the key it was given, as careless ones do."""

    daemon_threads = True
    asked = 0


class Handler(BaseHTTPRequestHandler):
    server: EchoingServer

    def do_GET(self) -> None:
        self.answer(200, {"data": [{"id": "tiny"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked += 1
        said = self.headers["Authorization"]
        if self.server.asked == 1:
            self.answer(503, {"error": {"message": f"try again, {said}"}}, {"retry-after-ms": "10"})
        elif "2" in body["prompt"]:
            self.answer(400, {"error": {"message": f"not for {said}"}})
        else:
            choices = [{"index": i, "text": "2", "finish_reason": "stop"} for i in range(body["n"])]
            self.answer(200, {"choices": choices, "usage": {"prompt_tokens": 5, "completion_tokens": body["n"]}})

    def answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def endpoint() -> Iterator[EchoingServer]:
    with EchoingServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_no_log_line_and_no_row_holds_the_key(
    workshop: Any, endpoint: EchoingServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PASSATK_OPENAI_API_KEY", KEY)
    monkeypatch.setattr(generation, "enqueue", lambda _: None)
    run = workshop.run(problems=3, samples=4)
    workshop.rows("UPDATE store.models SET backend = 'openai'")
    generator = Generator(SETTINGS, {"base_url": f"http://127.0.0.1:{endpoint.server_address[1]}/v1"})
    with caplog.at_level(logging.DEBUG):
        for batch_id in plan_run(run).draw:
            generator.run(batch_id)
    generator.close()
    assert endpoint.asked > 3
    assert workshop.one("SELECT count(*) FROM store.samples") >= 4
    assert "503" in caplog.text, "what went wrong is logged"
    assert KEY not in caplog.text
    with transaction() as connection:
        tables = (
            connection.exec_driver_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'store'").scalars().all()
        )
        for table in tables:
            held = connection.exec_driver_sql(f"SELECT count(*) FROM store.{table} AS t WHERE t::text LIKE '%%{KEY}%%'")  # noqa: S608
            assert held.scalar_one() == 0, table
