"""Train the demo's reward model: the language model's own layers and a head that says how likely a solution is right.

    python examples/arithmetic/train_scorer.py --out examples/arithmetic/scorer

Completions of the demo's language model are drawn through the engine on problems that are in no benchmark, judged by
the chain check, and learnt from: the score after each worked line is the probability that every line so far is right,
the score at the end that the whole solution is. The recipe is that of Cobbe et al. 2021 (arXiv 2110.14168, section 4:
a verifier grown from the generator). The result is a LlamaForSequenceClassification that vLLM's pooling runner loads.
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

    def steps_right(self) -> list[bool]:
        """For each line that is worked and ended: whether it and all before it are the problem's own equations."""
        lines = self.completion.split("\n")[:-1]
        wanted = self.problem.equations
        return [tuple(lines[: i + 1]) == wanted[: i + 1] for i in range(len(lines))]


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


def make_scorer(model: Path) -> LlamaForSequenceClassification:
    """The language model's layers under a head of one number that starts at zero."""
    scorer = LlamaForSequenceClassification.from_pretrained(model, num_labels=1, dtype=torch.float32)
    torch.nn.init.zeros_(scorer.score.weight)
    scorer.set_attn_implementation("eager")
    return scorer


Example = tuple[list[int], list[tuple[int, float]]]


def example(tokenizer: PreTrainedTokenizerFast, one: Drawn) -> Example:
    """Token ids of question and completion, and what the score should be at which of them."""
    question = tokenizer.backend_tokenizer.encode(one.problem.prompt).ids
    ids, targets = list(question), []
    lines = one.completion.split("\n")
    for right, line in zip(one.steps_right(), lines[:-1], strict=True):
        ids += tokenizer.backend_tokenizer.encode(line + "\n").ids
        targets.append((len(ids) - 1, float(right)))
    ids += tokenizer.backend_tokenizer.encode(lines[-1]).ids
    return ids, [*targets, (len(ids) - 1, float(one.right))]


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
            for position, target in targets:
                wanted[row, position] = target
                counts[row, position] = 1.0 if position == len(tokens) - 1 else 0.5
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
        torch.optim.Muon(inner, lr=1.5e-3, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
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
            if step % 100 == 0:
                print(
                    f"step {step:5d} of {steps}  loss {total / 100:.4f}  {time.monotonic() - began:5.0f} s", flush=True
                )
                total = 0.0


@torch.no_grad()
def report(scorer: LlamaForSequenceClassification, tokenizer: PreTrainedTokenizerFast, drawn: list[Drawn]) -> float:
    """Print and return the area under the ROC curve of the last score against the chain check, on problems apart."""
    right, wrong = [], []
    for one in drawn:
        ids, _ = example(tokenizer, one)
        score = scorer.score(scorer.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]).item()
        (right if one.right else wrong).append(score)
    ordered = torch.tensor(sorted(wrong))
    below = torch.searchsorted(ordered, torch.tensor(right)).float().mean().item() / max(1, len(wrong))
    print(f"held-out AUC {below:.3f} over {len(right)} right and {len(wrong)} wrong completions", flush=True)
    return below


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
    apart = 100 * SAMPLES
    scorer = make_scorer(arguments.model)
    train(scorer, [example(tokenizer, one) for one in drawn[apart:]], arguments.epochs, tokenizer.eos_token_id)
    report(scorer, tokenizer, drawn[:apart])
    save(scorer, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
