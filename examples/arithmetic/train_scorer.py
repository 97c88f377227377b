"""Train the demo's reward model: the language model's own layers and a head that says how likely a solution is right.

    python examples/arithmetic/train_scorer.py --out examples/arithmetic/scorer

Completions of the demo's language model are drawn through the engine on problems that are in no benchmark and judged by
the chain check. The scorer learns from each problem's worked solution and from different wrong completions of it, so
that how hard a problem is tells nothing. It is asked at every token whether all is right so far: so it learns where
solutions go wrong, and its score after a worked line is that of the steps until there. The idea is that of Cobbe et al.
2021 (arXiv 2110.14168, section 4: a verifier grown from the generator, with a prediction at every token). The result is
a LlamaForSequenceClassification that vLLM's pooling runner loads.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaForSequenceClassification, PreTrainedTokenizerFast
from word_problems import MAX_STEPS, Problem, chain_holds, held_out_questions, make_problem

from workers.engines import GenerationRequest, SamplingParameters, open_engine

HERE = Path(__file__).resolve().parent
SEED = 20_240_901
"""Seed of the problems that the scorer learns from: neither the language model nor a benchmark has them."""
SAMPLES = 8
"""Completions of each problem."""


@dataclass(frozen=True)
class Drawn:
    """A problem and one completion of it by the language model."""

    problem: Problem
    completion: str

    @property
    def right(self) -> bool:
        """Whether the whole solution is right."""
        return chain_holds(self.completion, self.problem.answer)

    @property
    def right_characters(self) -> int:
        """How many characters of the completion are those of the worked solution."""
        pairs = zip(self.completion, self.problem.completion, strict=False)
        return next((i for i, (one, other) in enumerate(pairs) if one != other), len(self.completion))


def problems(seed: int) -> Iterator[Problem]:
    """Endless problems as the benchmark has them, every second one demanding, none of them held out."""
    rng, forbidden = random.Random(seed), held_out_questions()
    number = 0
    while True:
        problem = make_problem(rng, rng.randint(1, MAX_STEPS), demanding=number % 2 == 1)
        number += 1
        if problem.question not in forbidden:
            yield problem


def draw(model: Path, count: int) -> list[Drawn]:
    """SAMPLES completions of `count` problems at temperature 1, through the engine."""
    engine = open_engine(str(model))
    sampling = SamplingParameters(temperature=1.0, max_tokens=160, logprobs=False)
    asked = list(islice(problems(SEED), count))
    futures = [
        engine.submit(GenerationRequest(p.prompt, tuple(range(i * SAMPLES, (i + 1) * SAMPLES)), sampling))
        for i, p in enumerate(asked)
    ]
    drawn = [Drawn(p, one.text) for p, future in zip(asked, futures, strict=True) for one in future.result()]
    engine.close()
    return drawn


def kept(drawn: list[Drawn], path: Path) -> None:
    """Write what was drawn, so that training can be repeated without drawing."""
    with path.open("w", encoding="utf-8") as file:
        for one in drawn:
            problem = one.problem
            row = [problem.question, list(problem.equations), problem.answer, one.completion]
            file.write(json.dumps(row) + "\n")


def read(path: Path) -> list[Drawn]:
    """What `kept` wrote."""
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [Drawn(Problem(question, tuple(steps), answer), text) for question, steps, answer, text in rows]


def make_scorer(model: Path, start: Path | None) -> LlamaForSequenceClassification:
    """The language model's layers under a head of one number that starts at zero, or a scorer to go on from."""
    scorer = LlamaForSequenceClassification.from_pretrained(start or model, num_labels=1, dtype=torch.float32)
    if start is None:
        torch.nn.init.zeros_(scorer.score.weight)
    scorer.set_attn_implementation("eager")
    return scorer


def lessons(drawn: list[Drawn], most_wrong: int = 3) -> list[Drawn]:
    """For each problem its worked solution and at most `most_wrong` different wrong completions."""
    by_problem: dict[Problem, dict[str, Drawn]] = {}
    for one in drawn:
        wrong = by_problem.setdefault(one.problem, {})
        if not one.right and len(wrong) < most_wrong:
            wrong[one.completion] = one
    return [one for p, wrong in by_problem.items() for one in (Drawn(p, p.completion), *wrong.values())]


Example = tuple[list[int], list[tuple[int, float, float]]]
"""Token ids, and (position, what the score should be there, weight) for each token of the completion."""


def example(tokenizer: PreTrainedTokenizerFast, one: Drawn) -> Example:
    """A lesson. Tokens behind the first wrong one teach little more, the last one decides."""
    question = tokenizer.backend_tokenizer.encode(one.problem.prompt).ids
    answer = tokenizer.backend_tokenizer.encode(one.completion)
    targets, gone = [], 0
    for i, (_, end) in enumerate(answer.offsets):
        right = end <= one.right_characters
        gone += not right
        last = i == len(answer.ids) - 1
        target = float(one.right if last else right)
        targets.append((len(question) + i, target, 5.0 if last else 1.0 if gone <= 2 else 0.25))
    return [*question, *answer.ids], targets


def batches(examples: list[Example], size: int, pad: int, rng: random.Random) -> Iterator[tuple[torch.Tensor, ...]]:
    """One pass over the examples: (ids [batch, longest], wanted [batch, longest], which positions count)."""
    order = sorted(range(len(examples)), key=lambda i: (len(examples[i][0]), rng.random()))
    starts = list(range(0, len(order), size))
    rng.shuffle(starts)
    for start in starts:
        rows = [examples[i] for i in order[start : start + size]]
        longest = max(len(ids) for ids, _ in rows)
        ids = torch.full((len(rows), longest), pad)
        wanted, counts = torch.zeros(len(rows), longest), torch.zeros(len(rows), longest)
        for row, (tokens, targets) in enumerate(rows):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            for position, target, weight in targets:
                wanted[row, position], counts[row, position] = target, weight
        yield ids, wanted, counts


def loss_of(scorer: LlamaForSequenceClassification, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Weighted mean binary cross entropy at the ends of the lines."""
    ids, wanted, counts = batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = scorer.model(input_ids=ids, use_cache=False).last_hidden_state
    logits = scorer.score(hidden.float()).squeeze(-1)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, weight=counts, reduction="sum")
    return losses / counts.sum()


def train(scorer: LlamaForSequenceClassification, examples: list[Example], epochs: int, pad: int) -> None:
    """Train in place; rates warm up, then fall to nothing."""
    rng, size = random.Random(SEED), 32
    steps = epochs * -(-len(examples) // size)
    inner = [p for name, p in scorer.named_parameters() if p.ndim == 2 and "layers" in name]
    outer = [p for name, p in scorer.named_parameters() if not (p.ndim == 2 and "layers" in name)]
    steppers = [
        torch.optim.Muon(inner, lr=2e-3, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    full = [stepper.param_groups[0]["lr"] for stepper in steppers]
    began, step, total = time.monotonic(), 0, 0.0
    for _ in range(epochs):
        for batch in batches(examples, size, pad, rng):
            for stepper, rate in zip(steppers, full, strict=True):
                stepper.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 50, (steps - step) / (0.8 * steps))
            loss = loss_of(scorer, batch)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(scorer.parameters(), 1.0)
            for stepper in steppers:
                stepper.step()
                stepper.zero_grad(set_to_none=True)
            total, step = total + loss.item(), step + 1
            if step % 50 == 0:
                print(
                    f"step {step:5d} of {steps}  loss {total / 50:.4f}  {time.monotonic() - began:5.0f} s", flush=True
                )
                total = 0.0


@torch.no_grad()
def report(scorer: LlamaForSequenceClassification, tokenizer: PreTrainedTokenizerFast, drawn: list[Drawn]) -> float:
    """Print and return how often a right completion scores above a wrong one of the same problem, on problems apart."""
    scores: dict[Problem, dict[str, tuple[bool, float]]] = {}
    for one in drawn:
        if one.completion not in scores.setdefault(one.problem, {}):
            ids, _ = example(tokenizer, one)
            score = scorer.score(scorer.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]).item()
            scores[one.problem][one.completion] = one.right, score
    pairs = [
        (a > b) + 0.5 * (a == b)
        for found in scores.values()
        for right, a in found.values()
        for other, b in found.values()
        if right and not other
    ]
    share = sum(pairs) / max(1, len(pairs))
    print(f"held out: the right one of two completions of a problem scores higher in {share:.1%} of {len(pairs)} pairs")
    return share


def save(scorer: LlamaForSequenceClassification, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights (bf16), configuration and tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    scorer.to(torch.bfloat16).save_pretrained(folder)  # type: ignore[arg-type]
    tokenizer.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)


def main() -> None:
    """Draw, train, score on problems apart, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=HERE / "model", help="the language model's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the scorer")
    parser.add_argument("--problems", type=int, default=4_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--drawn", type=Path, help="file of completions: read where it exists, written where not")
    parser.add_argument("--start", type=Path, help="a scorer to go on from, instead of the language model's layers")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.drawn and arguments.drawn.exists():
        drawn = read(arguments.drawn)[: arguments.problems * SAMPLES]
    else:
        drawn = draw(arguments.model, arguments.problems)
        if arguments.drawn:
            kept(drawn, arguments.drawn)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(SEED)
    share = sum(one.right for one in drawn) / len(drawn)
    print(f"{len(drawn):,} completions, {share:.1%} right", flush=True)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    apart = 60 * SAMPLES
    scorer = make_scorer(arguments.model, arguments.start)
    examples = [example(tokenizer, one) for one in lessons(drawn[apart:])]
    print(f"{len(examples):,} lessons", flush=True)
    train(scorer, examples, arguments.epochs, tokenizer.eos_token_id)
    report(scorer, tokenizer, drawn[:apart])
    save(scorer, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
