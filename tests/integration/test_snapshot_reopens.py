"""A fault in DuckDB itself costs a question at most: its instance is dead then, and the snapshot takes another one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest

from store.analytics import open_snapshot
from store.analytics.errors import MirrorDamaged
from store.analytics.refresh import refresh
from store.analytics.snapshot import Snapshot
from store.analytics.store_address import store_address
from store.connection import transaction
from store.settings import StoreSettings
from tests.integration.own_store import own_store

_MODEL = "INSERT INTO store.models (name, location, backend) VALUES ('m', 'm', 'none')"


class DeadInstance:
    """Stands for an instance of DuckDB that an internal error has invalidated: it says so to everybody."""

    def cursor(self) -> Any:
        raise duckdb.FatalException("FATAL Error: Failed: database has been invalidated because of a fatal error")

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with own_store(tmp_path_factory.mktemp("passatk")) as settings:
        with transaction() as connection:
            connection.exec_driver_sql(_MODEL)
        refresh(store_address(settings), settings.mirror)
        yield settings.mirror


def broken(snapshot: Snapshot) -> Snapshot:
    snapshot._connection.close()
    vars(snapshot)["_connection"] = DeadInstance()
    return snapshot


def test_the_next_question_is_answered(mirror: Path) -> None:
    with broken(open_snapshot(mirror)) as snapshot:
        assert snapshot.rows("SELECT model FROM models") == [{"model": "m"}]
        assert snapshot.rows("SELECT 1 AS one") == [{"one": 1}]


def test_so_are_those_of_threads_that_share_it(mirror: Path) -> None:
    with broken(open_snapshot(mirror)) as snapshot, ThreadPoolExecutor(4) as threads:
        asked = threads.map(snapshot.rows, ["SELECT count(*) AS n FROM models"] * 12)
        assert [rows[0]["n"] for rows in asked] == [1] * 12


def test_a_fault_of_duckdb_itself_is_met_so(mirror: Path) -> None:
    """A window over all of very few rows, asked until DuckDB fails, as 1.5 does; a question may fail twice running."""
    few = """
        WITH one AS (SELECT i FROM range(1) AS t (i)),
        few AS (SELECT i FROM one WHERE i > 5 UNION ALL SELECT i FROM one WHERE NOT EXISTS (FROM one WHERE i > 5))
        SELECT i, count(*) OVER () AS n FROM few ORDER BY i LIMIT 5
    """
    with open_snapshot(mirror) as snapshot:
        for _ in range(1500):
            with suppress(duckdb.InternalException):
                assert snapshot.rows(few) == [{"i": 0, "n": 1}]
        assert snapshot.rows("SELECT 1 AS one") == [{"one": 1}]


def test_what_fails_every_time_is_an_error(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with broken(open_snapshot(mirror)) as snapshot:
        monkeypatch.setattr(Snapshot, "_reopen", lambda self, dead: None)
        with pytest.raises(duckdb.FatalException, match="invalidated"):
            snapshot.rows("SELECT 1 AS one")


def test_a_later_state_is_not_taken_for_this_one(mirror: Path) -> None:
    with open_snapshot(mirror) as snapshot:
        with transaction() as connection:
            connection.exec_driver_sql(_MODEL.replace("'m'", "'other'"))
        refresh(store_address(StoreSettings.from_environment()), mirror)
        with pytest.raises(MirrorDamaged, match="has been refreshed since"):
            broken(snapshot).rows("SELECT 1 AS one")
