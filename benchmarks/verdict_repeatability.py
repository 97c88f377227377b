"""Real samples judged three times, once while every core is kept busy by something else: verdicts that differ.

    python benchmarks/verdict_repeatability.py PROBLEMS SAMPLES [--every 1]

PROBLEMS is a HumanEval file, SAMPLES has lines {"task_id", "samples": [text, ...]} (`.gz` too). Ends with status 1 if
two runs differ in a single outcome or reason.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

from workers.verifiers.protocol import Problem
from workers.verifiers.unit_tests import UnitTests

STOP_WORDS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


def main() -> None:
    """Judge thrice and compare."""
    parser = argparse.ArgumentParser(description="verdicts of three runs, one of them on a busy machine")
    parser.add_argument("problems", type=Path)
    parser.add_argument("samples", type=Path)
    parser.add_argument("--every", type=int, default=1, help="judge every n-th problem only")
    arguments = parser.parse_args()
    samples = {row["task_id"]: row["samples"] for row in _rows(arguments.samples)}
    problems = [row for row in _rows(arguments.problems) if row["task_id"] in samples][:: arguments.every]
    runs = [_judged(problems, samples, busy) for busy in (False, False, True)]
    differing = [key for key in runs[0] if len({run[key] for run in runs}) > 1]
    print(
        f"{len(runs[0]):,} different programs of {len(problems)} problems, three runs: {len(differing)} verdicts differ"
    )
    for key in differing[:10]:
        print(key[0], *(run[key] for run in runs))
    sys.exit(1 if differing else 0)


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        return [json.loads(line) for line in lines]


def _judged(
    problems: list[dict[str, Any]], samples: dict[str, list[str]], busy: bool
) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(problem, completion) -> (outcome, reason)."""
    others = [
        multiprocessing.Process(target=_compute, daemon=True) for _ in range((os.cpu_count() or 1) if busy else 0)
    ]
    for other in others:
        other.start()
    begun, verifier = time.monotonic(), UnitTests()
    found: dict[tuple[str, str], tuple[str, str | None]] = {}
    try:
        for row in problems:
            problem = Problem(row["task_id"], row["prompt"], tests=row["test"], entry_point=row["entry_point"])
            completions = list(dict.fromkeys(map(_cut, samples[row["task_id"]])))
            for completion, judgement in zip(completions, verifier.judge(problem, completions), strict=True):
                reason = None if judgement.reason is None else judgement.reason.value
                found[row["task_id"], completion] = judgement.outcome.value, reason
    finally:
        verifier.close()
        for other in others:
            other.kill()
            other.join()
    print(
        f"{'busy machine' if busy else 'as it is':14} {time.monotonic() - begun:6.0f} s, load {os.getloadavg()[0]:.1f}"
    )
    return found


def _cut(sample: str) -> str:
    ends = [at for word in STOP_WORDS if (at := sample.find(word)) >= 0]
    return sample[: min(ends, default=len(sample))]


def _compute() -> None:
    while True:
        pass


if __name__ == "__main__":
    main()
