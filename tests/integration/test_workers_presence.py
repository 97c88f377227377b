"""Workers in the store: they say that they are here, what they did, and that they stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from store.batches import claim, hand_back
from store.connection import transaction
from store.worker_registry import forget_old_reports, list_workers
from workers import presence as presence_module
from workers.engines.door import EngineLoad
from workers.heartbeat import Heartbeat
from workers.presence import announce, worker_id, worker_name
from workers.tally import TALLY, Tally


@pytest.fixture
def alone_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No worker was announced in this process, and the test leaves none."""
    monkeypatch.setattr(presence_module, "_current", [None])
    monkeypatch.setattr(TALLY, "_cells", Tally()._cells)
    presence_module._name_of.cache_clear()
    yield
    presence_module._name_of.cache_clear()


@pytest.mark.usefixtures("alone_here")
def test_a_worker_registers_reports_and_signs_off(workshop: Any) -> None:
    assert worker_id() is None
    presence = announce("generate.tiny", "cpu", lambda: EngineLoad(3, 5, 0.25))
    assert worker_id() == presence.worker_id
    assert worker_name() == presence.name
    with transaction() as connection:
        (state,) = list_workers(connection)
    assert (state.name, state.queues, state.device, state.state) == (presence.name, "generate.tiny", "cpu", "running")
    TALLY.add(samples=7, tokens=70, failures=1)
    with Heartbeat(60).holding(4711):
        presence._report()
    TALLY.add(samples=2)
    presence.stop()
    rows = workshop.rows(
        "SELECT samples, tokens, failures, running, waiting, kv_cache_share, batch_id FROM store."
        "worker_reports ORDER BY at"
    )
    assert rows == [(7, 70, 1, 3, 5, 0.25, 4711), (2, 0, 0, 3, 5, 0.25, None)]
    assert workshop.one("SELECT min(memory_bytes) FROM analytics.worker_reports") > 1 << 20
    assert workshop.one("SELECT stopped_at IS NOT NULL FROM analytics.workers")
    with transaction() as connection:
        assert [one.state for one in list_workers(connection)] == ["stopped"]


@pytest.mark.usefixtures("alone_here")
def test_a_silent_worker_is_said_to_be_silent_and_old_reports_go(workshop: Any) -> None:
    presence = announce("verify", None)
    presence._report()
    workshop.rows("UPDATE store.workers SET seen_at = now() - interval '5 minutes'")
    with transaction() as connection:
        assert [one.state for one in list_workers(connection)] == ["silent"]
        assert forget_old_reports(connection) == 0
    workshop.rows("UPDATE store.worker_reports SET at = at - interval '2 days'")
    with transaction() as connection:
        assert forget_old_reports(connection) == 1
    workshop.rows("UPDATE store.workers SET seen_at = now() - interval '5 hours'")
    with transaction() as connection:
        assert list_workers(connection) == []
        assert len(list_workers(connection, all_of_them=True)) == 1


@pytest.mark.usefixtures("alone_here")
def test_what_goes_wrong_is_kept_with_the_worker(workshop: Any) -> None:
    presence = announce("generate.tiny", "cpu")
    run = workshop.run(problems=1)
    batch_id = workshop.batch(run, workshop.problems(run)[0], 0, 4)
    with transaction() as connection:
        batch = claim(connection, batch_id, presence.name, 60)
        assert batch is not None
        hand_back(connection, batch, "the engine sneezed")
    assert workshop.one("SELECT error FROM store.workers") == "the engine sneezed"
    assert workshop.rows("SELECT state, error, leased_by FROM store.batches") == [("ready", "the engine sneezed", None)]


def test_forked_processes_count_together() -> None:
    tally = Tally()
    tally.add(samples=1)
    for slot in range(3):
        process = os.fork()
        if process == 0:
            tally.use_slot(slot)
            tally.hold(40 + slot)
            tally.add(samples=10, verdicts=2)
            os._exit(0)
        os.waitpid(process, 0)
    counts = tally.counts()
    assert (counts.samples, counts.verdicts, counts.tokens) == (31, 6, 0)
    assert tally.held() == 40
