"""The demo: draw, verify, mirror, ask, look. Run again, it continues from what is stored.

    python examples/arithmetic/demo.py [--samples 200]

Every step is a `passatk` command, printed before it runs, so that each can be repeated by hand.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RUN = "demo"
MODEL = "arithmetic-1.9m"
LESSON = """\
Judged by the final answer alone, more looks solved than is: some right answers stand under wrong equations. The chain
check re-evaluates every worked equation and is the reference here; the gap between both is the answer check's false
positives, wider among many samples than at one."""
PASSATK = str(Path(sys.executable).with_name("passatk"))
#: Longest wait for a worker to load its model and for the last batch to finish, in seconds.
WORKER_START_SECONDS, WORKER_STOP_SECONDS = 120, 60


def passatk(*arguments: str) -> None:
    """Run one command; its one-line error ends the demo."""
    print(f"\n$ passatk {shlex.join(arguments)}", flush=True)
    if subprocess.run([PASSATK, *arguments], check=False).returncode:
        sys.exit(f"The demo stopped at: passatk {shlex.join(arguments)}. Run it again to go on.")


@contextlib.contextmanager
def workers(log_folder: Path) -> Iterator[None]:
    """A drawing and a verifying worker for as long as the block runs, each with a log of its own."""
    log_folder.mkdir(parents=True, exist_ok=True)
    commands = {"generate": ["worker", "generate", "--model", MODEL], "verify": ["worker", "verify"]}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name, command in commands.items():
            log = log_folder / f"worker-{name}.log"
            print(f"$ passatk {shlex.join(command)}   # log: {log}", flush=True)
            with log.open("wb") as stream:
                # A session of its own: Ctrl-C reaches this process first, which then stops the workers in order.
                started.append(
                    subprocess.Popen([PASSATK, *command], stdout=stream, stderr=stream, start_new_session=True)
                )
        _wait_until_drawing(started[0], log_folder / "worker-generate.log")
        yield
    finally:
        stop(started)


def _wait_until_drawing(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + WORKER_START_SECONDS
    while "Drawing with" not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
            sys.exit("The drawing worker did not start: " + (lines[-1] if lines else f"see {log}"))
        time.sleep(0.2)


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask workers to finish the batches in work; end what does not within a minute."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave a worker behind
    print("Stopping the workers; batches in work are finished first ...", flush=True)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(WORKER_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def prepare(samples: int) -> None:
    """The benchmark, the model's price and the run."""
    passatk("store", "up")
    passatk("benchmark", "import", str(HERE / "problems.jsonl"), "--name", "arithmetic", "--format", "jsonl")
    sampling = ["--samples", str(samples), "--temperature", "1.0", "--max-tokens", "160"]
    verifiers = ["--verifier", "chain", "--verifier", "answer"]
    model = f"{MODEL}={HERE / 'model'}"
    passatk("run", "create", "--name", RUN, "--benchmark", "arithmetic", "--model", model, *sampling, *verifiers)
    price = ["--input", "0.02", "--output", "0.10", "--from", "2026-01-01"]
    passatk("price", "set", "--model", MODEL, *price)


def score() -> None:
    """What is stored is scored by the demo's reward model: no sample is drawn again."""
    # One process: the model is loaded once, and batches 64 solutions at a time.
    # In 32-bit numbers on every machine: 16-bit ones do not tell small doubts apart.
    options = json.dumps({"model": str(HERE / "scorer"), "engine": {"dtype": "float32"}})
    passatk("verify", "--run", RUN, "--verifier", f"reward:{options}", "--jobs", "1")


def answers(query: str, samples: int, *options: str) -> list[dict[str, Any]]:
    """The rows of one of passatk's queries."""
    ks = ",".join(str(k) for k in (1, 10, 100, 1000) if k < samples) + f",{samples}"
    command = ["query", query, "--run", RUN, "--k", ks, *options]
    print(f"$ passatk {shlex.join(command)}", flush=True)
    done = subprocess.run([PASSATK, *command, "--format", "json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit("The demo stopped there. Run it again to go on.")
    return list(json.loads(done.stdout))


def table(samples: int) -> str:
    """Coverage by both verifiers, three ways to pick one of k samples, and cost, a row for each k."""
    chain, answer = (answers("coverage", samples, "--verifier", verifier) for verifier in ("chain", "answer"))
    voted, cost = (answers(query, samples, "--verifier", "chain") for query in ("selection", "cost"))
    scorer = next(one["verifier"] for one in reversed(_status()["verifiers"]) if one["verifier"].startswith("reward@"))
    scored = ["--verifier", "chain", "--scores-from", scorer]
    weighted, best = (answers(query, samples, *scored) for query in ("weighted_vote", "best_of_k"))
    lines = [
        "    k | coverage (chain), 95 % interval | coverage (answer) | majority vote | weighted vote | best of k "
        "| US$/1,000 problems | /1,000 solved",
        "-----:|--------------------------------:|------------------:|--------------:|--------------:|----------:"
        "|-------------------:|-------------:",
    ]
    for row, lucky, vote, weight, top, price in zip(chain, answer, voted, weighted, best, cost, strict=True):
        interval = f"{row['coverage']:.1%} ({row['low']:.1%} - {row['high']:.1%})"
        lines.append(
            f"{row['k']:>5} | {interval:>31} | {lucky['coverage']:>17.1%} | {vote['selection_accuracy']:>13.1%} "
            f"| {weight['selection_accuracy']:>13.1%} | {top['selection_accuracy']:>9.1%} "
            f"| {1000 * price['usd_per_problem']:>18.4f} | {1000 * price['usd_per_solved']:>13.4f}"
        )
    return "\n".join(lines)


def show_dashboard() -> None:
    """Start the dashboard and name the page that shows both curves."""
    print("\n$ passatk dashboard start", flush=True)
    done = subprocess.run([PASSATK, "dashboard", "start"], stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout.strip())
    address = re.search(r"http://\S+", done.stdout)
    if done.returncode or address is None:
        sys.exit("The dashboard did not start; everything else is done and stored.")
    print(f"Both curves: {address.group()}/coverage?run={RUN}&verifier=reference&verifier=answer@1")


def run(samples: int, home: Path) -> None:
    """Every step in order; what is stored already is not done again."""
    started = time.monotonic()
    prepare(samples)
    if not _complete(samples):
        with workers(home / "logs"):
            passatk("run", "topup", RUN, "--samples", str(samples))
    score()
    passatk("run", "status", RUN)
    passatk("mirror", "refresh")
    print()
    shown = table(_status()["samples_per_problem"])
    print(f"\n{shown}\n\n{LESSON}")
    show_dashboard()
    print(f"\nDone in {time.monotonic() - started:.0f} s. Stop the dashboard and the store with `make stop`.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200, help="samples for each problem")
    options = parser.parse_args()
    home = Path(os.environ.get("PASSATK_HOME") or ".passatk").resolve()
    was_up = _succeeds("store", "status")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave through `finally`, which stops the workers
    try:
        run(options.samples, home)
    except KeyboardInterrupt:
        if not was_up:
            _succeeds("store", "down")
        sys.exit("\nStopped. What was drawn and judged is stored; run the demo again to go on.")


def _succeeds(*arguments: str) -> bool:
    return subprocess.run([PASSATK, *arguments], capture_output=True, check=False).returncode == 0


def _status() -> dict[str, Any]:
    command = [PASSATK, "run", "status", RUN, "--format", "json"]
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def _complete(samples: int) -> bool:
    status = _status()
    return bool(status["state"] == "complete" and status["samples_per_problem"] >= samples)


if __name__ == "__main__":
    main()
