"""A real PostgreSQL for the tests: one embedded server for all, a database of its own for each test."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from store import connection, embedded, schema
from store.settings import StoreSettings

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("PASSATK_SHARED_DATA") or ROOT.parent / "shared" / "data")
_TEMPLATE = "template_passatk"

# The same examples on every run, and no limit of time a busy machine could break.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")

for _name in [name for name in os.environ if name.startswith("PASSATK_") and name != "PASSATK_SHARED_DATA"]:
    if _name not in ("PASSATK_VECTORS", "PASSATK_CHROMIUM"):
        del os.environ[_name]  # a developer's own store must never be written to by a test
#: What is asked for outside a test's own store is found here: importing the Celery app asks for its broker.
_HOME = Path(tempfile.mkdtemp(prefix="passatk-home-"))
_HOME.chmod(0o755)
os.environ["PASSATK_HOME"] = str(_HOME)


def pytest_sessionfinish() -> None:
    """Stop what was started there."""
    embedded.stop(_HOME)
    shutil.rmtree(_HOME, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the chaos test goes on, and which faults it draws."""
    parser.addoption("--chaos-rounds", type=int, default=20, help="rounds of the chaos test over the embedded broker")
    parser.addoption("--chaos-seed", type=int, default=20_240_721, help="seed of the chaos test's faults")


@pytest.fixture(autouse=True)
def _own_main_module() -> Iterator[None]:
    """Streamlit's tests put their page in the place of `__main__`, which processes spawned later would run first."""
    own = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = own


@pytest.fixture(scope="session")
def server() -> Iterator[Path]:
    """The home of a running embedded server, with an up-to-date template database in it."""
    home = Path(tempfile.mkdtemp(prefix="passatk-tests-", dir=_in_memory()))
    home.chmod(0o755)
    url = embedded.start(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSATK_HOME", str(home))
        patch.setenv("PASSATK_DATABASE_URL", _admin(url, f"CREATE DATABASE {_TEMPLATE}", _TEMPLATE))
        schema.upgrade()
        connection.engine().dispose()
    yield home
    embedded.stop(home)
    shutil.rmtree(home, ignore_errors=True)


def _in_memory() -> str | None:
    """A folder in memory with room for the databases of the tests, each a copy of some 300 files; None where there is
    none, as in a container with its small default."""
    try:
        roomy = shutil.disk_usage("/dev/shm").free > 4 << 30
    except OSError:
        return None
    return "/dev/shm" if roomy and os.access("/dev/shm", os.W_OK) else None


def _admin(url: str, statement: str, database: str) -> str:
    """Run a statement on the server; returns the URL of the database it was about."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(statement.encode())
    return url.replace(f"/{embedded.DATABASE}?", f"/{database}?")


@pytest.fixture
def store(server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreSettings]:
    """An empty store with all tables, and an empty home and mirror; the environment points at them."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = embedded.start(server)
    monkeypatch.setenv("PASSATK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PASSATK_DATABASE_URL", _admin(url, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}", name))
    engine = connection.engine()  # held here: a test may point the environment at another store meanwhile
    yield StoreSettings.from_environment()
    engine.dispose()
    _admin(url, f"DROP DATABASE {name} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that use it skip where it is not there."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real data in {SHARED_DATA}; name its folder with PASSATK_SHARED_DATA")
    return SHARED_DATA
