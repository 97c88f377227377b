"""The schema: migrations go up and down, match the tables, comment everything; the reader reads and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import migrations
from store import schema
from store.benchmarks import import_benchmark
from store.connection import database_url, reader_url, transaction
from store.problem_tags import tags_of
from store.settings import StoreSettings


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def test_migrations_match_the_tables(store: StoreSettings) -> None:
    command.check(_alembic())


def test_migrations_go_down_and_up_again(store: StoreSettings) -> None:
    command.downgrade(_alembic(), "base")
    with transaction() as connection:
        left = connection.scalars(
            sa.text("SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ('store', 'analytics')")
        ).all()
    assert left == []
    assert schema.upgrade() == schema.head_revision()
    command.check(_alembic())


def test_autovacuum_notes_where_new_batches_lie(store: StoreSettings) -> None:
    """Else a refresh reads every row that came since the table was vacuumed, to find those of the last batches."""
    with transaction() as connection:
        options = connection.execute(
            sa.text(
                "SELECT c.relname, c.reloptions FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam "
                "WHERE a.amname = 'brin' AND c.relnamespace = 'store'::regnamespace"
            )
        ).all()
    assert len(options) == 10
    assert {name: kept for name, kept in options if kept != ["autosummarize=on"]} == {}


def test_stored_problems_get_the_tags_that_an_import_gives(store: StoreSettings, tmp_path: Path) -> None:
    """The migration reads the metadata of problems that are there as the import reads that of new ones."""
    records = [
        {"subject": "Algebra", "level": 5},
        {"cf_tags": ["dp", "", "graphs", "Zahl", "dp"], "difficulty": 7},
        {"tags": "one  word\n of two", "type": "t", "repo": "django/django"},
        {"tags": ["x" * 65, None, True, 1.5, {"a": 1}, ["b"], -3, "\u00e9t\u00e9"], "category": None},
        {},
    ]
    lines = [json.dumps({"id": str(n), "prompt": "?"} | record) for n, record in enumerate(records)]
    file = tmp_path / "tagged.jsonl"
    file.write_text("\n".join(lines))
    import_benchmark(file, "tagged", "jsonl")
    query = sa.text("SELECT tags FROM store.problems ORDER BY position")
    with transaction() as connection:
        imported = connection.scalars(query).all()
    assert imported == [tags_of(record) for record in records]
    assert imported[0] == ["Algebra", "level 5"]
    command.downgrade(_alembic(), "0006")
    schema.upgrade()
    with transaction() as connection:
        assert connection.scalars(query).all() == imported
        assert connection.scalar(sa.text("SELECT tags FROM analytics.problems WHERE position = 0")) == str(
            imported[0]
        ).replace("'", '"')
    command.check(_alembic())


@pytest.mark.parametrize("name", ["store", "analytics"])
def test_every_table_and_column_has_a_comment(store: StoreSettings, name: str) -> None:
    query = """
        SELECT c.relname || coalesce('.' || a.attname, '')
        FROM pg_class AS c
        JOIN pg_namespace AS s ON s.oid = c.relnamespace
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE s.nspname = :schema AND c.relkind IN ('r', 'v')
          AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)
    """
    with transaction() as connection:
        assert connection.scalars(sa.text(query), {"schema": name}).all() == []


def test_every_constraint_is_named_by_the_convention(store: StoreSettings) -> None:
    query = """
        SELECT k.conname FROM pg_constraint AS k JOIN pg_namespace AS s ON s.oid = k.connamespace
        WHERE s.nspname = 'store' AND k.contype <> 'n' AND k.conname !~ '^(pk|fk|uq|ck)_'
    """
    with transaction() as connection:
        assert connection.scalars(sa.text(query)).all() == []


class TestReader:
    """The role analysts get."""

    @pytest.fixture
    def reader(self, store: StoreSettings) -> psycopg.Connection[tuple[object, ...]]:
        command.downgrade(_alembic(), "base")  # grants on a database are not copied from a template: make them anew
        schema.upgrade()
        return psycopg.connect(reader_url(), autocommit=True)

    def test_reads_every_view(self, reader: psycopg.Connection[tuple[object, ...]]) -> None:
        views = reader.execute("SELECT viewname FROM pg_views WHERE schemaname = 'analytics'").fetchall()
        assert len(views) >= 13
        for (view,) in views:
            reader.execute(f"SELECT * FROM {view} LIMIT 1".encode())  # noqa: S608
        assert reader.execute("SELECT pass_at_k(5, 2, 3), pass_at_k(5, 2, 6)").fetchone() == (0.9, None)
        reader.close()

    def test_is_limited_in_what_it_may_use(self, reader: psycopg.Connection[tuple[object, ...]]) -> None:
        limits = {
            "statement_timeout": "1min",
            "lock_timeout": "5s",
            "idle_in_transaction_session_timeout": "1min",
            "idle_session_timeout": "15min",
            "temp_file_limit": "2GB",
            "work_mem": "64MB",
            "max_parallel_workers_per_gather": "0",
            "default_transaction_read_only": "on",
        }
        for name, value in limits.items():
            assert reader.execute(f"SHOW {name}".encode()).fetchone() == (value,)
        assert reader.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user").fetchone() == (20,)
        reader.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT * FROM store.samples",
            "SELECT * FROM store.problems",
            "INSERT INTO analytics.benchmarks (benchmark) VALUES ('x')",
            "UPDATE analytics.runs SET run = 'x'",
            "DELETE FROM analytics.verdicts",
            "SET default_transaction_read_only = off; DELETE FROM analytics.verdicts",
            "SET default_transaction_read_only = off; CREATE TABLE analytics.x (i int)",
            "SET default_transaction_read_only = off; CREATE TABLE public.x (i int)",
            "SET default_transaction_read_only = off; CREATE TEMPORARY TABLE x (i int)",
            "SELECT pg_advisory_lock(1)",
            "SELECT set_config('statement_timeout', '0', false)",
            "SELECT pg_sleep(1)",
            "SELECT pg_terminate_backend(pg_backend_pid())",
            "SELECT pg_cancel_backend(pg_backend_pid())",
            "SELECT pg_current_xact_id()",
            "SELECT txid_current()",
            "SELECT pg_export_snapshot()",
            "SELECT lo_create(0)",
            "SELECT pg_notify('a', 'b')",
            "SELECT pg_logical_emit_message(false, 'a', 'b')",
            "SELECT query_to_xml('select 1', true, true, '')",
            "SELECT pg_read_file('/etc/passwd')",
            "COPY (SELECT 1) TO '/tmp/x'",
            "COPY (SELECT 1) TO PROGRAM 'cat'",
            "DO $$ BEGIN END $$",
            "CREATE ROLE other",
            "SET ROLE postgres",
        ],
    )
    def test_can_do_nothing_else(self, reader: psycopg.Connection[tuple[object, ...]], statement: str) -> None:
        with reader, pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
            reader.execute(statement.encode())

    def test_reaches_nothing_of_the_server(self, reader: psycopg.Connection[tuple[object, ...]]) -> None:
        allowed = []
        for statement in (
            "SELECT pg_read_binary_file('/etc/passwd')",
            "SELECT pg_ls_dir('/')",
            "SELECT pg_stat_file('/etc/passwd')",
            "SELECT pg_current_logfile()",
            "SELECT lo_import('/etc/passwd')",
            "SELECT lo_export(1, '/tmp/x')",
            "SELECT lo_from_bytea(0, 'x')",
            "SELECT lo_get(1)",
            "SELECT pg_sleep_for('1 s')",
            "SELECT pg_try_advisory_lock(1)",
            "SELECT pg_advisory_xact_lock_shared(1)",
            "SELECT set_config('work_mem', '10GB', true)",
            "SELECT table_to_xml('store.samples', true, true, '')",
            "SELECT database_to_xml(true, true, '')",
            "SELECT * FROM ts_stat('SELECT to_tsvector(prompt) FROM store.problems')",
            "SELECT ts_rewrite('a'::tsquery, 'SELECT pg_sleep(1)')",
            "SELECT setval('store.batches_batch_id_seq', 1)",
            "SELECT pg_create_physical_replication_slot('a')",
            "SELECT pg_reload_conf()",
            "SELECT pg_stat_reset()",
            "SELECT * FROM pg_authid",
            "SHOW data_directory",
            "SET ROLE postgres",
            "SET SESSION AUTHORIZATION postgres",
            "SET temp_file_limit = -1",
            "ALTER ROLE passatk_reader SUPERUSER",
            "ALTER SYSTEM SET log_statement = 'all'",
            "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE EXTENSION dblink",
            "LOAD '/tmp/x.so'",
            "EXPLAIN ANALYZE DELETE FROM analytics.runs",
            "CREATE SUBSCRIPTION s CONNECTION 'host=localhost' PUBLICATION p",
        ):
            try:
                reader.execute(statement.encode())
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
                continue
            allowed.append(statement)
        reader.close()
        assert allowed == []


def test_the_url_needs_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSATK_DATABASE_URL", "mysql://here")
    with pytest.raises(Exception, match="must start with postgresql://"):
        database_url()
