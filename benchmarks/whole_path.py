"""Samples a second of the whole path - plan, queue, Celery worker, vLLM, COPY into Postgres - over the bare engine.

The bare side is `vllm.LLM.generate` in a process of its own, with the same engine options, on the same prompts with the
same seeds and sampling parameters; one call, everything queued at once. Both processes stay up and take turns
(A B B A ...), so that a noisy machine disturbs both alike, and the texts of both sides are compared.

Wall time of the whole path runs from the moment the planned run is handed to the queue to the commit of its last row.
CPU time is that of the drawing worker's process, whatever it does: Celery, leases, vLLM, writing.

    python benchmarks/whole_path.py                                   # 1, 64 and 1,000 samples per problem
    python benchmarks/whole_path.py --shape 10000x1 --memory          # memory at 10,000 samples of one problem
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "arithmetic"
SAMPLING = {"max_tokens": 200}


@dataclass(frozen=True)
class Round:
    """One pass: wall and CPU seconds, samples, and a hash over the texts in order."""

    wall: float
    cpu: float
    samples: int
    texts: str


# -- the bare side, in a process of its own ------------------------------------------------------------------------


def bare_side(model: str, options: dict[str, Any]) -> None:
    """Answers each line of JSON (prompts, seeds, samples) with one: wall, CPU, samples, hash."""
    from workers.engines.vllm_settings import SMALLEST_CPU_STEP, cpu_options, installed_for_cpu, prepare_environment

    cpu = installed_for_cpu()
    prepare_environment(cpu)
    from vllm import LLM, SamplingParams

    defaults = {**cpu_options(model), "max_num_batched_tokens": SMALLEST_CPU_STEP} if cpu else {}
    llm = LLM(model=model, **{**defaults, **options})
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        wanted = [SamplingParams(n=asked["samples"], seed=seed, logprobs=0, **SAMPLING) for seed in asked["seeds"]]
        wall, used = time.perf_counter(), time.process_time()
        outputs = llm.generate(asked["prompts"], wanted, use_tqdm=False)
        texts = [sample.text for output in outputs for sample in output.outputs]
        wall, used = time.perf_counter() - wall, time.process_time() - used
        print(json.dumps([wall, used, len(texts), text_hash(texts)]), flush=True)


def text_hash(texts: list[str]) -> str:
    from workers.engines.door import storable

    return hashlib.sha256("\0\0".join(storable(text) for text in texts).encode()).hexdigest()


class Bare:
    """The process of the bare side."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        command = [sys.executable, __file__, "--bare-side", "--model", arguments.model]
        command += ["--options", json.dumps(arguments.options)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._line("ready")

    def _line(self, wanted: str = "") -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(wanted or "["):
                return line
        raise SystemExit("the bare side ended")

    def draw(self, prompts: list[str], seeds: list[int], samples: int) -> Round:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"prompts": prompts, "seeds": seeds, "samples": samples}) + "\n")
        self.process.stdin.flush()
        return Round(*json.loads(self._line()))


# -- the whole path ------------------------------------------------------------------------------------------------


class House:
    """A store, a drawing worker, and runs over benchmarks of so many problems."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="passatk-path-"))
        self.home.chmod(0o755)
        os.environ["PASSATK_HOME"] = str(self.home)
        for name in ("PASSATK_DATABASE_URL", "PASSATK_MIRROR"):
            os.environ.pop(name, None)
        self.model = f"arithmetic={arguments.model}"
        self.passatk("store", "up")
        options = [f"--engine-option={name}={json.dumps(value)}" for name, value in arguments.options.items()]
        command = [self.program, "worker", "generate", "--model", self.model, *options]
        with (self.home / "worker.log").open("wb") as log:
            self.worker = subprocess.Popen(command, stdout=log, stderr=log)
        self.watched = psutil.Process(self.worker.pid)
        self.runs = 0

    program = str(Path(sys.executable).with_name("passatk"))

    def passatk(self, *words: str) -> None:
        done = subprocess.run([self.program, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"passatk {' '.join(words)}: {done.stderr}")

    def benchmark(self, problems: int, prompts: list[str]) -> str:
        name = f"problems-{problems}"
        path = self.home / f"{name}.jsonl"
        rows = ({"id": f"p{n}", "prompt": prompt, "answer": "1"} for n, prompt in enumerate(prompts))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.passatk("benchmark", "import", str(path), "--name", name, "--format", "jsonl")
        return name

    def planned(self, benchmark: str, samples: int) -> tuple[Any, list[int]]:
        """A new run, and the seed of each of its problems' first sample."""
        from store.connection import transaction
        from store.fingerprint import base_seed
        from store.runs import find_run

        self.runs += 1
        name = f"run-{self.runs}"
        words = ["--name", name, "--benchmark", benchmark, "--model", self.model, "--samples", str(samples)]
        self.passatk("run", "create", *words, "--max-tokens", str(SAMPLING["max_tokens"]), "--seed", str(self.runs))
        with transaction() as connection:
            run = find_run(connection, name)
        count = self.one("SELECT problem_count FROM store.benchmarks WHERE benchmark_id = %s", run.benchmark_id)
        return run, [base_seed(run.fingerprint, f"p{n}", self.runs) for n in range(count)]

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        from store.connection import driver, transaction

        with transaction() as connection:
            return driver(connection).execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        return self.rows(query, *values)[0][0]

    def draw(self, run: Any, total: int) -> Round:
        """From the hand-over to the queue to the commit of the last row."""
        from workers.enqueue import enqueue
        from workers.planning import plan_run

        used = self.cpu()
        started = time.time()
        enqueue(plan_run(run).batch_ids)
        drawing = "FROM store.batches WHERE run_id = %s AND verifier_id IS NULL"
        while self.one(f"SELECT count(*) {drawing} AND state IN ('ready', 'leased')", run.run_id):
            if self.worker.poll() is not None:
                raise SystemExit(f"the worker ended: {(self.home / 'worker.log').read_text()[-2000:]}")
            time.sleep(0.1)
        used = self.cpu() - used
        ended = self.one(f"SELECT max(done_at) {drawing}", run.run_id).timestamp()
        return Round(ended - started, used, total, text_hash(self.texts(run.run_id)))

    def cpu(self) -> float:
        times = self.watched.cpu_times()
        return float(times.user + times.system)

    def texts(self, run_id: int) -> list[str]:
        query = """
            SELECT completion FROM store.completions JOIN store.problems USING (problem_id)
            WHERE run_id = %s ORDER BY position, sample_index
        """
        return [row[0] for row in self.rows(query, run_id)]

    def close(self) -> None:
        self.worker.terminate()
        self.worker.wait(60)
        self.passatk("store", "down")
        shutil.rmtree(self.home, ignore_errors=True)


# -- comparing -----------------------------------------------------------------------------------------------------


def prompts_of(path: str, count: int) -> list[str]:
    """So many prompts; where the file has fewer, the same again under another number, so that no two are equal."""
    lines = [json.loads(line)["prompt"] for line in Path(path).read_text().splitlines() if line.strip()]
    return [lines[n % len(lines)] if n < len(lines) else f"({n}) {lines[n % len(lines)]}" for n in range(count)]


def report(name: str, rounds: list[Round]) -> None:
    wall = statistics.median(one.samples / one.wall for one in rounds)
    cpu = statistics.median(one.samples / one.cpu for one in rounds)
    print(f"  {name:<12} {wall:8.1f} samples/s   {cpu:8.1f} samples/CPU-s", flush=True)


def compare(house: House, bare: Bare, samples: int, problems: int, arguments: argparse.Namespace) -> None:
    prompts = prompts_of(arguments.problems, problems)
    benchmark = house.benchmark(problems, prompts)
    sides: dict[str, list[Round]] = {"bare engine": [], "whole path": []}
    print(f"{samples:,} samples x {problems:,} problems, {arguments.rounds} rounds a side", flush=True)
    same = True
    for number in range(arguments.rounds):
        run, seeds = house.planned(benchmark, samples)
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in order:
            if name == "bare engine":
                sides[name].append(bare.draw(prompts, seeds, samples))
            else:
                sides[name].append(house.draw(run, samples * problems))
        same &= sides["bare engine"][-1].texts == sides["whole path"][-1].texts
    for name, rounds in sides.items():
        report(name, rounds)
    paired = [b.wall / p.wall for b, p in zip(sides["bare engine"], sides["whole path"], strict=True)]
    paired_cpu = [b.cpu / p.cpu for b, p in zip(sides["bare engine"], sides["whole path"], strict=True)]
    print(
        f"  whole path / bare engine: {statistics.median(paired):.3f} by the clock, "
        f"{statistics.median(paired_cpu):.3f} by CPU (medians of pairs; texts {'identical' if same else 'DIFFER'})",
        flush=True,
    )


def watch_memory(house: House, samples: int, problems: int, arguments: argparse.Namespace) -> None:
    """Resident memory of the worker while one problem after the other is drawn so often."""
    benchmark = house.benchmark(problems, prompts_of(arguments.problems, problems))
    for number in range(arguments.rounds):
        run, _ = house.planned(benchmark, samples)
        house.draw(run, samples * problems)
        memory = house.watched.memory_info().rss / (1 << 20)
        print(f"  after {(number + 1) * samples * problems:,} samples: {memory:,.0f} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(EXAMPLE / "model"))
    parser.add_argument("--problems", default=str(EXAMPLE / "problems.jsonl"), help="JSON lines with a prompt each")
    parser.add_argument(
        "--shape", action="append", help="SAMPLESxPROBLEMS; default: 1x4000, 64x64, 1000x4. Repeatable."
    )
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--memory", action="store_true", help="resident memory of the worker instead")
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of vLLM's engine options, for both sides")
    parser.add_argument("--bare-side", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare_side:
        bare_side(arguments.model, arguments.options)
        return
    shapes = [tuple(map(int, shape.split("x"))) for shape in arguments.shape or ["1x4000", "64x64", "1000x4"]]
    house = House(arguments)
    try:
        warm, _ = house.planned(house.benchmark(2, prompts_of(arguments.problems, 2)), 8)
        house.draw(warm, 16)
        if arguments.memory:
            for samples, problems in shapes:
                watch_memory(house, samples, problems, arguments)
            return
        bare = Bare(arguments)
        bare.draw(["1 + 1 = ?"], [1], 8)
        for samples, problems in shapes:
            compare(house, bare, samples, problems, arguments)
        bare.process.kill()
    finally:
        house.close()


if __name__ == "__main__":
    main()
