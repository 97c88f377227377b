"""Samples a second through the engine's door, beside vLLM's own `LLM.generate` on the same prompts, seeds and settings.

Both engines live in one process and take turns (A B B A ...), so that a noisy machine disturbs both alike. The door is
driven as workers drive it: many threads, each submitting a batch of samples and waiting for it.

    python benchmarks/engine_throughput.py --model examples/arithmetic/model --samples 1,64,1000
"""

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.engines import GenerationRequest, SamplingParameters, open_engine
from workers.engines.door import storable
from workers.engines.vllm_settings import SMALLEST_CPU_STEP, cpu_options

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "arithmetic"


@dataclass(frozen=True)
class Round:
    """One pass over all prompts: wall and CPU seconds of this process, samples, tokens, and the texts."""

    wall: float
    cpu: float
    samples: int
    tokens: int
    texts: tuple[str, ...]


def timed(work: Callable[[], list[tuple[str, int]]]) -> Round:
    wall, cpu = time.perf_counter(), time.process_time()
    answers = work()
    return Round(
        time.perf_counter() - wall,
        time.process_time() - cpu,
        len(answers),
        sum(tokens for _, tokens in answers),
        tuple(text for text, _ in answers),
    )


def raw(llm: Any, prompts: list[str], samples: int, sampling: SamplingParameters) -> list[tuple[str, int]]:
    """vLLM alone: one call, one request a prompt."""
    from vllm import SamplingParams

    wanted = [
        SamplingParams(
            n=samples,
            seed=i << 20,
            temperature=sampling.temperature,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop),
            logprobs=0,
        )
        for i in range(len(prompts))
    ]
    outputs = llm.generate(prompts, wanted, use_tqdm=False)
    return [(storable(sample.text), len(sample.token_ids)) for output in outputs for sample in output.outputs]


def started_threads(count: int) -> ThreadPoolExecutor:
    """Threads that are up, as a worker's are: starting them beside a busy engine would be measured otherwise."""
    pool = ThreadPoolExecutor(count)
    barrier = threading.Barrier(count + 1)
    for _ in range(count):
        pool.submit(barrier.wait)
    barrier.wait()
    return pool


def through_door(
    engine: Any, prompts: list[str], samples: int, sampling: SamplingParameters, batch: int, pool: ThreadPoolExecutor
) -> list[tuple[str, int]]:
    """The door, from threads that each wait for their batch of at most `batch` samples."""
    requests = [
        GenerationRequest(prompt, tuple(range((i << 20) + low, (i << 20) + min(low + batch, samples))), sampling)
        for i, prompt in enumerate(prompts)
        for low in range(0, samples, batch)
    ]
    answers = pool.map(lambda request: engine.submit(request).result(), requests)
    return [(sample.text, sample.completion_tokens) for answer in answers for sample in answer]


def report(name: str, rounds: list[Round]) -> float:
    """Print medians; returns samples a CPU-second."""
    by_cpu = statistics.median(each.samples / each.cpu for each in rounds)
    by_wall = statistics.median(each.samples / each.wall for each in rounds)
    tokens = statistics.median(each.tokens / each.cpu for each in rounds)
    print(f"  {name:<14} {by_cpu:8.1f} samples/CPU-s {by_wall:8.1f} samples/s {tokens:9.0f} tokens/CPU-s", flush=True)
    return by_cpu


def compare(
    llm: Any, engine: Any, prompts: list[str], samples: int, arguments: argparse.Namespace, pool: ThreadPoolExecutor
) -> None:
    sampling = SamplingParameters(max_tokens=arguments.max_tokens, stop=tuple(arguments.stop))
    sides: dict[str, Callable[[], list[tuple[str, int]]]] = {
        "LLM.generate": lambda: raw(llm, prompts, samples, sampling),
        "engine door": lambda: through_door(engine, prompts, samples, sampling, arguments.batch, pool),
    }
    rounds: dict[str, list[Round]] = {name: [] for name in sides}
    for number in range(arguments.rounds):
        for name in list(sides) if number % 2 == 0 else list(sides)[::-1]:
            rounds[name].append(timed(sides[name]))
    print(f"{len(prompts)} prompts x {samples} samples, {arguments.rounds} rounds a side")
    bare, door = (report(name, rounds[name]) for name in sides)
    same = {each.texts for side in rounds.values() for each in side}
    print(f"  ratio {door / bare:.3f} by CPU; texts {'identical' if len(same) == 1 else 'DIFFER'}", flush=True)


def open_raw(model: str, options: dict[str, Any], cpu: bool) -> Any:
    """vLLM's own door with the options that the engine uses."""
    from vllm import LLM

    defaults = dict(cpu_options(model)) if cpu else {}
    if cpu:
        defaults["max_num_batched_tokens"] = SMALLEST_CPU_STEP
    return LLM(model=model, **{**defaults, **options})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(EXAMPLES / "model"))
    parser.add_argument("--problems", default=str(EXAMPLES / "problems.jsonl"), help="JSON lines with a prompt each")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--samples", default="1,64", help="samples a prompt, separated by commas")
    parser.add_argument("--batch", type=int, default=32, help="samples a submitted request")
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument("--stop", action="append", default=[])
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of vLLM's engine options, for both sides")
    arguments = parser.parse_args()
    lines = Path(arguments.problems).read_text().splitlines()[: arguments.prompts]
    prompts = [json.loads(line)["prompt"] for line in lines]
    engine = open_engine(arguments.model, options=arguments.options)
    llm = open_raw(arguments.model, arguments.options, engine.identity.device == "cpu")
    print(engine.identity)
    raw(llm, prompts[:4], 4, SamplingParameters(max_tokens=8))
    pool = started_threads(arguments.threads)
    through_door(engine, prompts[:4], 4, SamplingParameters(max_tokens=8), 4, pool)
    for samples in map(int, arguments.samples.split(",")):
        compare(llm, engine, prompts, samples, arguments, pool)
    pool.shutdown()
    engine.close()


if __name__ == "__main__":
    main()
