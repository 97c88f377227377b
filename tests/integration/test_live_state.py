"""What is going on just now: counted from batches and reports, heard by the dashboard from a process of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest

from dashboard import live
from store.analytics.refresh import refresh
from store.connection import database_url, transaction
from store.live import live_state
from store.live_cli import live as live_command
from store.queue_history import forget_old_depths, measure_queues
from store.runs import find_run
from store.settings import StoreSettings
from store.worker_registry import Report, register_worker, write_report
from tests.integration.conftest import Workshop


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No feed outlives its test."""
    yield
    feed = live._feed()
    if feed.process is not None:
        feed.process.kill()
        feed.process.wait()
    st.cache_resource.clear()


@pytest.fixture
def busy(workshop: Workshop) -> Workshop:
    """A run of 2 x 8 samples: 3 drawn, one batch waits, one was set aside; one worker has just reported."""
    run = workshop.run()
    first, second = workshop.problems(run)
    workshop.draw(run, first, range(3))
    workshop.batch(run, first, 3, 8)
    workshop.batch(run, second, 0, 8, state="failed", error="out of memory")
    with transaction() as connection:
        worker = register_worker(connection, "host:1:x", "host", "generate.tiny", "0.1", "cpu")
        write_report(connection, worker, Report(5.0, 30, 600, 0, 0, batch_id=1))
    return workshop


def test_runs_queues_and_workers_are_counted(busy: Workshop) -> None:
    with transaction() as connection:
        state = live_state(connection)
    (run,) = state["runs"]
    assert (run["samples"], run["wanted"], run["open_batches"], run["failed_batches"]) == (3, 16, 1, 1)
    assert run["error"] == "out of memory"
    assert not run["stalled"]
    (queue,) = state["queues"]
    assert (queue["queue"], queue["ready"], queue["leased"]) == ("generate.tiny", 1, 0)
    (worker,) = state["workers"]
    assert worker["state"] == "running"
    assert worker["samples_per_second"] == pytest.approx(6.0)
    assert len(state["minutes"]) == 60
    assert sum(one["samples"] or 0 for one in state["minutes"]) == 30
    assert state["minutes"][0]["samples"] is None, "a minute without a report is a gap, not a zero"


def test_what_waited_is_kept_by_the_minute_and_an_empty_queue_is_no_gap(busy: Workshop) -> None:
    def measured() -> int:
        with transaction() as connection:
            return measure_queues(connection)

    assert measured() == 1
    assert measured() == 0, "not so soon again"
    busy.rows("UPDATE store.queue_depths SET at = at - interval '10 minutes'")
    busy.rows("UPDATE store.batches SET state = 'cancelled' WHERE state = 'ready'")
    assert measured() == 1, "it had work within the hour, so it is known to be empty"
    with transaction() as connection:
        depths = live_state(connection)["depths"]
    assert {one["queue"] for one in depths} == {"generate.tiny"}
    assert len(depths) == 60
    known = [(one["waiting"], one["in_work"]) for one in depths if one["waiting"] is not None]
    assert known == [(1, 0), (0, 0)], "a minute in which nobody counted is a gap"
    busy.rows("UPDATE store.queue_depths SET at = at - interval '2 hours'")
    assert measured() == 0, "what was empty for an hour is not counted any more"
    busy.rows("UPDATE store.queue_depths SET at = at - interval '1 day'")
    with transaction() as connection:
        assert forget_old_depths(connection) == 2


def test_a_worker_has_its_rates_by_the_minute_and_its_memory(busy: Workshop) -> None:
    with transaction() as connection:
        worker = register_worker(connection, "host:2:x", "host", "verify", "0.1")
        write_report(connection, worker, Report(5.0, 0, 0, 10, 0, memory_bytes=3 << 30))
    busy.rows("UPDATE store.workers SET started_at = now() - interval '3 minutes' WHERE name = 'host:2:x'")
    with transaction() as connection:
        state = live_state(connection)
    rates = {one["worker"]: one["per_second"] for one in state["rates"]}
    assert rates["host:2:x"][:2] == [None, None]
    assert max(rate or 0 for rate in rates["host:2:x"]) == pytest.approx(2.0)
    assert {one["name"]: one["memory_bytes"] for one in state["workers"]} == {"host:1:x": None, "host:2:x": 3 << 30}


def test_a_run_that_waits_and_writes_nothing_is_stalled(busy: Workshop) -> None:
    busy.rows(
        "UPDATE store.batches SET done_at = now() - interval '10 minutes', created_at = now() - interval '1 hour'"
    )
    with transaction() as connection:
        assert live_state(connection)["runs"][0]["stalled"]


def test_the_command_prints_one_line_of_json(busy: Workshop) -> None:
    printed = CliRunner().invoke(live_command, [], catch_exceptions=False).output
    assert json.loads(printed)["runs"][0]["run"] == "small"


def page() -> AppTest:
    script = (
        "from dashboard.controls import Controls\nfrom dashboard.views import workers\n"
        "workers._now()\nworkers._actions(Controls('Workers', 'none'))"
    )
    return AppTest.from_string(script, default_timeout=120).run()


def test_the_page_shows_it_and_acts_only_after_a_second_yes(busy: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSATK_LIVE", "0")
    with transaction() as connection:
        measure_queues(connection)
    test = page()
    assert not test.exception
    assert {one.label: one.value for one in test.metric}["Workers up"] == "1"
    assert max(test.dataframe[0].value["last 30 min"][0]) == pytest.approx(6.0)
    assert list(test.dataframe[1].value["run"]) == ["small"]
    assert "Batches waiting" in [one.value for one in test.caption]
    assert test.code[-1].value == "passatk run pause small"
    test.button(key="act").click().run()
    assert busy.one("SELECT state FROM store.runs") == "open"


def test_the_first_page_tells_of_runs_under_way_without_waiting(busy: Workshop) -> None:
    script = "from dashboard import under_way\nunder_way._strip()"
    assert live.latest()[0] is not None
    test = AppTest.from_string(script, default_timeout=60).run()
    assert [one.value for one in test.header] == ["Under way now"]
    (row,) = test.dataframe[0].value.to_dict("records")
    assert (row["run"], row["status"], row["samples"], row["batches open"]) == ("small", "running", 3, 1)
    busy.rows("UPDATE store.batches SET state = 'cancelled' WHERE state = 'ready'")
    until = time.monotonic() + 60
    while (live.heard()[0] or {})["runs"][0]["open_batches"] and time.monotonic() < until:
        time.sleep(0.2)
    assert not AppTest.from_string(script, default_timeout=60).run().header


def test_workers_are_seen_before_there_is_a_snapshot(busy: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSATK_LIVE", "0")
    test = AppTest.from_string("from dashboard.views import workers\nworkers.page()", default_timeout=120).run()
    assert not test.exception
    assert "passatk mirror refresh" in test.code[0].value
    assert {one.label: one.value for one in test.metric}["Workers up"] == "1"


def test_a_store_that_is_gone_is_said_and_the_last_state_stays(busy: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert live.latest()[0] is not None
    monkeypatch.setenv("PASSATK_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    feed = live._feed()
    assert feed.process is not None
    feed.process.terminate()
    feed.process.wait()
    until = time.monotonic() + 60
    state, error = live.latest()
    while error is None and time.monotonic() < until:
        time.sleep(0.2)
        state, error = live.latest()
    assert error
    assert state is not None


def test_a_command_runs_in_a_process_of_its_own(busy: Workshop) -> None:
    done, said = live.command("run", "pause", "small")
    assert done, said
    assert busy.one("SELECT state FROM store.runs") == "paused"
    done, said = live.command("run", "pause", "nobody")
    assert not done
    assert said.startswith('No run "nobody"')


def test_the_freshness_line_counts_what_the_snapshot_lacks(
    busy: Workshop, store: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(database_url(), store.mirror)
    monkeypatch.delenv("PASSATK_LIVE", raising=False)
    assert live.stored(patience=60).samples == 3
    line = "from dashboard import freshness, snapshots\nfreshness._line(snapshots.current())"
    test = AppTest.from_string(line, default_timeout=60).run()
    assert "newer" not in test.caption[0].value
    with transaction() as connection:
        run = find_run(connection, "small")
    busy.draw(run, busy.problems(run)[1], range(5))
    until = time.monotonic() + 60
    while live.stored().samples != 8 and time.monotonic() < until:
        time.sleep(0.2)
    assert "5 newer samples in the store" in test.run().caption[0].value.replace("\N{NO-BREAK SPACE}", " ")
    assert "Take new snapshot" in [button.label for button in test.button]


def test_a_store_that_does_not_answer_is_said_beside_the_snapshot(
    busy: Workshop, store: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(database_url(), store.mirror)
    monkeypatch.delenv("PASSATK_LIVE", raising=False)
    monkeypatch.setenv("PASSATK_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    assert live.stored(patience=60).error
    line = "from dashboard import freshness, snapshots\nfreshness._line(snapshots.current())"
    test = AppTest.from_string(line, default_timeout=60).run()
    assert not test.exception
    assert any("Store not reachable since" in one.value for one in test.markdown)
    assert "Snapshot" in test.caption[0].value


def test_looking_starts_no_server(tmp_path: Path) -> None:
    asked = CliRunner().invoke(
        live_command, ["--if-running"], env={"PASSATK_HOME": str(tmp_path), "PASSATK_DATABASE_URL": None}
    )
    assert "does not run" in str(asked.exception)
    assert list(tmp_path.iterdir()) == []
