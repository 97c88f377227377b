"""Prometheus metrics: what one worker does, and how full the store's queues are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from store.connection import driver, transaction
from store.errors import PassatkError
from workers.presence import resident_bytes, the_presence
from workers.tally import TALLY

_COUNTERS = {
    "samples": "Samples written.",
    "tokens": "Completion tokens written.",
    "verdicts": "Verdicts written.",
    "batches": "Batches finished.",
    "failures": "Batches that failed or were given back.",
}


class MetricsPortTaken(PassatkError):
    """The metrics' port cannot be listened on."""


class WorkerMetrics(Collector):
    """This worker's counts since it started, and how busy its engine is."""

    def collect(self) -> Iterable[Metric]:
        """Read when Prometheus asks."""
        counts = TALLY.counts()
        for name, help_text in _COUNTERS.items():
            yield CounterMetricFamily(f"passatk_worker_{name}", help_text, value=getattr(counts, name))
        yield GaugeMetricFamily("passatk_worker_memory_bytes", "Resident, its processes included.", resident_bytes())
        presence = the_presence()
        if presence is None:
            return
        info = InfoMetricFamily("passatk_worker", "Who this is.")
        info.add_metric([], {"worker": presence.name, "queues": presence.queues, "device": presence.device or ""})
        yield info
        load = presence.engine_load()
        if load is not None:
            yield GaugeMetricFamily("passatk_engine_running_samples", "Samples in the engine's batch.", load.running)
            yield GaugeMetricFamily("passatk_engine_waiting_samples", "Samples queued in the engine.", load.waiting)
            if load.kv_cache_share is not None:
                help_text = "Share of the key-value cache in use, 0 to 1."
                yield GaugeMetricFamily("passatk_engine_kv_cache_share", help_text, load.kv_cache_share)


class StoreMetrics(Collector):
    """What the store says of queues, runs and workers; read anew each time."""

    def collect(self) -> Iterable[Metric]:
        """Read when Prometheus asks; only `passatk_store_up` is 0 when the store does not answer."""
        try:
            with transaction() as connection:
                families = [read(driver(connection)) for read in (_batches, _oldest, _runs, _workers)]
        except PassatkError:
            families = []
        yield GaugeMetricFamily("passatk_store_up", "Whether the store answers.", float(bool(families)))
        yield from families


def _family(name: str, help_text: str, labels: list[str], rows: Iterable[tuple[Any, ...]]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for *values, number in rows:
        family.add_metric([str(value) for value in values], float(number))
    return family


_QUEUED = """
    FROM store.batches AS b
    JOIN store.runs AS r ON r.run_id = b.run_id
    JOIN store.models AS m ON m.model_id = r.model_id
    WHERE r.state = 'open' AND b.state IN ('ready', 'leased', 'failed')
"""


def _batches(raw: Any) -> Metric:
    query = f"""
        SELECT CASE WHEN b.verifier_id IS NULL THEN 'generate ' || m.name ELSE 'verify' END, b.state, count(*)
        {_QUEUED} GROUP BY 1, 2
    """
    return _family(
        "passatk_batches", "Batches of open runs, by queue and state.", ["queue", "state"], raw.execute(query)
    )


def _oldest(raw: Any) -> Metric:
    query = f"""
        SELECT CASE WHEN b.verifier_id IS NULL THEN 'generate ' || m.name ELSE 'verify' END,
               extract(epoch FROM now() - min(b.created_at))
        {_QUEUED} AND b.state = 'ready' GROUP BY 1
    """  # noqa: S608 - constants
    return _family(
        "passatk_oldest_ready_batch_seconds", "Age of the oldest batch that waits.", ["queue"], raw.execute(query)
    )


def _runs(raw: Any) -> Metric:
    query = """
        SELECT r.name, b.state, sum(b.end_index - b.first_index)
        FROM store.batches AS b JOIN store.runs AS r ON r.run_id = b.run_id
        WHERE b.verifier_id IS NULL AND r.state <> 'cancelled' AND b.state <> 'cancelled' AND EXISTS (
            SELECT 1 FROM store.batches AS o WHERE o.run_id = r.run_id AND o.state IN ('ready', 'leased')
        )
        GROUP BY 1, 2
    """
    return _family(
        "passatk_run_samples", "Samples of runs in work, by their batch's state.", ["run", "state"], raw.execute(query)
    )


def _workers(raw: Any) -> Metric:
    query = """
        SELECT queues, count(*) FROM store.workers
        WHERE stopped_at IS NULL AND seen_at > now() - interval '30 seconds' GROUP BY 1
    """
    return _family(
        "passatk_workers", "Workers that were heard of in the last 30 seconds.", ["queues"], raw.execute(query)
    )


def serve(collector: Collector, port: int, address: str = "127.0.0.1") -> Any:
    """Answer Prometheus on a port from a thread; returns what stops it (`shutdown`)."""
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, _ = start_http_server(port, address, registry)
    except OSError as error:
        raise MetricsPortTaken(f"Port {port} of {address} cannot be listened on: {error.strerror}.") from error
    return server
