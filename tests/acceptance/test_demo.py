"""The demo as a newcomer runs it: stopped with Ctrl-C, run again, run a third time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Of 100 problems: more in all than the 2,048 that a worker may hold, and finishes when it is told to stop.
SAMPLES = 30


def _demo(house, log: Path) -> subprocess.Popen[bytes]:
    # A shell in the background ignores Ctrl-C for all it starts; this must heed it, however the tests were started.
    heeding = ["env", "--default-signal=INT"]
    command = [*heeding, sys.executable, str(ROOT / "examples" / "arithmetic" / "demo.py"), "--samples", str(SAMPLES)]
    with log.open("wb") as stream:
        return subprocess.Popen(
            command, env=house.environment, stdout=stream, stderr=stream, cwd=ROOT, start_new_session=True
        )


@pytest.mark.timeout(1500)
def test_stopped_and_run_again(house) -> None:
    log = house.home / "demo.log"
    try:
        _stopped_half_way(house, log)
        drawn = house.status("demo")["samples"]
        first = house.texts("demo")
        assert _demo(house, log).wait(600) == 0, log.read_text()
        house.assert_whole("demo", 100, SAMPLES, verifiers=3)  # chain, answer and the reward model
        after = house.texts("demo")
        assert len(first) == drawn
        assert {key: after[key] for key in first} == first
        _the_dashboard_answers(log)
        _both_scores_are_compared(house)
        newest = house.rows("SELECT max(batch_id), count(*) FROM store.batches")
        assert _demo(house, log).wait(300) == 0, log.read_text()
        assert house.rows("SELECT max(batch_id), count(*) FROM store.batches") == newest
    finally:
        house.passatk("dashboard", "stop")


def _stopped_half_way(house, log: Path) -> None:
    process = _demo(house, log)
    house.wait_for(lambda: house.passatk("run", "list").stdout.startswith("demo"))
    house.wait_for(lambda: bool(house.rows("SELECT 1 FROM store.samples LIMIT 1")))
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does: every process of the terminal's group
    assert process.wait(300) != 0
    assert "run the demo again to go on" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert house.status("demo")["samples"] < 100 * SAMPLES
    assert house.status("demo")["batches"].get("leased") is None


def _both_scores_are_compared(house) -> None:
    command = [sys.executable, str(ROOT / "examples" / "arithmetic" / "scores.py")]
    done = subprocess.run(command, env=house.environment, cwd=ROOT, capture_output=True, text=True, check=True)
    _, reward, likelihood = (re.findall(r"[\d.]+%", line) for line in done.stdout.splitlines())
    assert reward[1] == likelihood[1]  # the best of one is whichever there is
    for shown in (reward, likelihood):
        pairs, one, of_ten = (float(number.rstrip("%")) for number in shown[:3])
        assert pairs > 60  # both tell right from wrong,
        assert of_ten > one  # and choosing by them helps


def _the_dashboard_answers(log: Path) -> None:
    shown = log.read_text()
    assert "coverage (chain)" in shown
    address = re.search(r"http://127\.0\.0\.1:\d+", shown)
    assert address is not None, shown
    with urllib.request.urlopen(address.group(), timeout=30) as response:
        assert response.status == 200
