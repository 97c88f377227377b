"""Whole flows with real processes: an embedded store of its own, real workers, the demo's model."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.browsing import browser, machines, mode, served, watched

__all__ = ["browser", "machines", "mode", "served", "watched"]  # the fixtures of the dashboard's tests

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "arithmetic"
PASSATK = Path(sys.executable).with_name("passatk")
STANDIN = Path(__file__).with_name("standin_worker.py")


@dataclass
class House:
    """A home with an embedded store, commands to run against it, and workers that end with the test."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    address: str | None = None
    model_folder: Path = EXAMPLE / "model"

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PASSATK_")}
        self.environment = (
            kept
            | {
                "PASSATK_HOME": str(self.home),
                # Short, so that what a killed worker held comes back within a test's patience.
                "PASSATK_LEASE_SECONDS": "4",
                "PASSATK_PATIENCE_SECONDS": "4",
            }
            | self.environment
        )

    def passatk(self, *arguments: str, status: int = 0, timeout: float = 420) -> subprocess.CompletedProcess[str]:
        """Run a command and check its exit status."""
        command = [str(PASSATK), *arguments]
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, timeout=timeout, cwd=ROOT, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.fail(f"{arguments} did not end within {timeout} s\n{self.logs()}")
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def error(self, *arguments: str) -> str:
        """Run a command that must fail with one clear line; returns the line."""
        done = self.passatk(*arguments, status=1)
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        assert "Traceback" not in done.stderr
        assert lines[-1].startswith("Error: ")
        return lines[-1]

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker with a log of its own."""
        log = self.home / f"worker-{len(self.workers)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                env=self.environment | environment,
                stdout=stream,
                stderr=stream,
                cwd=ROOT,
                start_new_session=True,
            )
        self.workers.append(process)
        return process

    def draw_worker(self, model: str = "arithmetic") -> subprocess.Popen[bytes]:
        return self.start(str(PASSATK), "worker", "generate", "--model", model)

    def standin_worker(
        self, *options: str, model: str = "arithmetic", seconds: float = 0.2, **environment: str
    ) -> subprocess.Popen[bytes]:
        """A drawing worker whose engine is a stand-in for vLLM that takes `seconds` for each batch."""
        words = ["worker", "generate", "--model", model, *options]
        return self.start(sys.executable, str(STANDIN), *words, STANDIN_SECONDS=str(seconds), **environment)

    def judge_worker(self, jobs: int = 1) -> subprocess.Popen[bytes]:
        return self.start(str(PASSATK), "worker", "verify", "--concurrency", str(jobs))

    def url(self) -> str:
        if self.address is None:
            self.address = self.passatk("store", "url").stdout.strip()
        return self.address

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url()) as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    def benchmark(self, problems: int, name: str = "arithmetic") -> None:
        """Import the first problems of the demo's benchmark."""
        lines = (EXAMPLE / "problems.jsonl").read_text().splitlines()[:problems]
        path = self.home / f"{name}.jsonl"
        path.write_text("\n".join(lines))
        self.passatk("benchmark", "import", str(path), "--name", name, "--format", "jsonl")

    def run(self, name: str, samples: int, benchmark: str = "arithmetic") -> None:
        """Create a run of the demo's model, judged by the chain check and by the answer."""
        model = f"arithmetic={EXAMPLE / 'model'}"
        options = ["--samples", str(samples), "--max-tokens", "120", "--verifier", "chain", "--verifier", "answer"]
        self.passatk("run", "create", "--name", name, "--benchmark", benchmark, "--model", model, *options)

    def status(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.passatk("run", "status", name, "--format", "json").stdout))

    def wait_until_leased(self) -> None:
        """Until a worker holds batches that draw."""
        query = "SELECT 1 FROM store.batches WHERE state = 'leased' AND verifier_id IS NULL LIMIT 1"
        self.wait_for(lambda: bool(self.rows(query)))

    def wait_for(self, met: Callable[[], bool], seconds: float = 300, state: Callable[[], str] = str) -> None:
        """Poll until a condition holds; where it does not, fail with the state of things and the ends of all logs."""
        deadline = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < deadline, f"nothing after {seconds} s\n{state()}\n{self.logs()}"
            time.sleep(0.1)

    def logs(self) -> str:
        return "\n".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.home.glob("worker-*.log")))

    def assert_whole(self, name: str, problems: int, samples: int, verifiers: int = 2) -> None:
        """Every (problem, index) has exactly one sample, and every sample one verdict of each of so many verifiers."""
        counted = self.rows(
            "SELECT count(*), count(DISTINCT (problem_id, sample_index)), min(sample_index), max(sample_index) "
            "FROM store.samples JOIN store.runs USING (run_id) WHERE name = %s",
            name,
        )
        assert counted == [(problems * samples, problems * samples, 0, samples - 1)], self.logs()
        verdicts = self.rows(
            "SELECT verifier_id, count(*), count(DISTINCT (problem_id, sample_index)) FROM store.verdicts "
            "JOIN store.runs USING (run_id) WHERE name = %s GROUP BY verifier_id",
            name,
        )
        assert [row[1:] for row in verdicts] == [(problems * samples, problems * samples)] * verifiers, self.logs()

    def texts(self, name: str) -> dict[tuple[str, int], str]:
        """Every completion of a run, by problem and index."""
        rows = self.rows(
            "SELECT p.key, c.sample_index, c.completion FROM store.completions AS c "
            "JOIN store.runs AS r USING (run_id) JOIN store.problems AS p USING (problem_id) WHERE r.name = %s",
            name,
        )
        return {(key, index): text for key, index, text in rows}

    def close(self) -> None:
        for process in self.workers:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        subprocess.run([str(PASSATK), "store", "down"], env=self.environment, capture_output=True, check=False)


@pytest.fixture
def house() -> Iterator[House]:
    """A fresh home with a running, empty embedded store."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed: pip install -e '.[cpu]' (or '.[gpu]')")
    # Not pytest's own folder: it closes that one to the unprivileged user which the server runs as.
    home = Path(tempfile.mkdtemp(prefix="passatk-house-"))
    home.chmod(0o755)
    opened = House(home)
    opened.passatk("store", "up")
    yield opened
    opened.close()
    shutil.rmtree(home, ignore_errors=True)
