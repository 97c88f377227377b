"""Make the demo's reward model: the language model, wired so that it looks back at what it wrote, and a fitted head.

    python examples/arithmetic/train_scorer.py --out examples/arithmetic/scorer

The layers are those of `scorer_wiring.py`: at every token they say how much the language model expected something else
there, and what the largest such doubts were so far. The head is fitted: completions of the language model are drawn
through the engine on problems that are in no benchmark, judged by the chain check, and five numbers are learnt that
tell right from wrong, above all among completions of one problem. A head is fitted for each soft maximum of the doubts
and one for all together; the one that ranks best on the validation problems is kept. The idea to grow a verifier from
the generator is that of Cobbe et al. 2021 (arXiv 2110.14168, section 4).

Nothing else is learnt. Training the layers above too, on 1,700 such problems, ranked the problems apart worse
than the wiring it began with: to know better than the language model it would have to calculate better. The result is a
LlamaForSequenceClassification that vLLM's pooling runner loads; its score at the end of a line is that of the steps
until there.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from scorer_wiring import SHARPNESS, Places, wired_scorer
from scores import pair_share
from transformers import AutoTokenizer, LlamaForSequenceClassification, PreTrainedTokenizerFast
from word_problems import (
    MAX_STEPS,
    VALIDATION_SEED,
    Problem,
    chain_holds,
    held_out_questions,
    make_benchmark,
    make_problem,
)

from workers.engines import GenerationRequest, SamplingParameters, open_engine

HERE = Path(__file__).resolve().parent
SEED = 20_240_901
"""Seed of the problems that the scorer learns from: neither the language model nor a benchmark has them."""
SAMPLES, SAMPLES_APART = 8, 40
"""Completions of each problem that is learnt from, and of each of the hundred that only choose between heads."""


@dataclass(frozen=True)
class Drawn:
    """A problem and one completion of it by the language model."""

    problem: Problem
    completion: str

    @property
    def right(self) -> bool:
        """Whether the whole solution is right."""
        return chain_holds(self.completion, self.problem.answer)


def problems(seed: int) -> Iterator[Problem]:
    """Endless problems as the benchmark has them, every second one demanding, none of them held out."""
    rng, forbidden = random.Random(seed), held_out_questions()
    number = 0
    while True:
        problem = make_problem(rng, rng.randint(1, MAX_STEPS), demanding=number % 2 == 1)
        number += 1
        if problem.question not in forbidden:
            yield problem


def draw(model: Path, learning: int) -> list[Drawn]:
    """Completions at temperature 1, through the engine: of `learning` problems and of those that choose the head."""
    engine = open_engine(str(model))
    sampling = SamplingParameters(temperature=1.0, max_tokens=160, logprobs=False)
    asked = [(problem, SAMPLES) for problem in islice(problems(SEED), learning)]
    asked += [(problem, SAMPLES_APART) for problem in make_benchmark(VALIDATION_SEED)]
    requests, first = [], 0
    for problem, samples in asked:
        requests.append(GenerationRequest(problem.prompt, tuple(range(first, first + samples)), sampling))
        first += samples
    futures = [engine.submit(request) for request in requests]
    drawn = [Drawn(p, one.text) for (p, _), future in zip(asked, futures, strict=True) for one in future.result()]
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


@dataclass(frozen=True, eq=False)
class Doubted:
    """Distinct completions of one problem: what the wired layers say of each, whether it is right, how often drawn."""

    doubts: torch.Tensor  # [completions, soft maxima]
    right: torch.Tensor  # [completions], bool
    times: torch.Tensor  # [completions]

    @property
    def mixed(self) -> bool:
        """Whether some are right and some are not."""
        return bool(self.right.any()) and not bool(self.right.all())


@torch.no_grad()
def doubted(
    scorer: LlamaForSequenceClassification, places: Places, tokenizer: PreTrainedTokenizerFast, drawn: Sequence[Drawn]
) -> list[Doubted]:
    """What the wired layers say of completions at their last token, problem by problem; empty ones are left out."""
    by_problem: dict[Problem, Counter[Drawn]] = {}
    for one in drawn:
        if one.completion:
            by_problem.setdefault(one.problem, Counter())[one] += 1
    read = slice(places.worst, places.worst + len(SHARPNESS))
    found = []
    for counted in by_problem.values():
        texts = [tokenizer.encode(one.problem.prompt + one.completion) for one in counted]
        ids = torch.full((len(texts), max(map(len, texts))), int(tokenizer.eos_token_id))
        for row, text in enumerate(texts):
            ids[row, : len(text)] = torch.tensor(text)
        hidden = scorer.model(input_ids=ids, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(texts)), [len(text) - 1 for text in texts], read]
        right = torch.tensor([one.right for one in counted])
        found.append(Doubted(last, right, torch.tensor(list(counted.values())).float()))
    return found


def fitted(groups: Sequence[Doubted], heads: list[int]) -> torch.Tensor:
    """The head's weights [soft maxima + 1], the last one constant; those of maxima not in `heads` are 0.

    Minimises the cross entropy of right and wrong, each completion as often as it was drawn, and that of each problem's
    pairs of a right and a wrong one, which alone does not say where the middle is.
    """
    free = torch.zeros(len(heads) + 1, requires_grad=True)

    def against() -> torch.Tensor:
        return -torch.nn.functional.softplus(free[:-1])  # a doubt never speaks for a solution

    stepper = torch.optim.LBFGS([free], max_iter=200, line_search_fn="strong_wolfe")
    doubts = torch.cat([group.doubts for group in groups])[:, heads]
    right = torch.cat([group.right for group in groups]).float()
    times = torch.cat([group.times for group in groups])
    between, weights = _pairs([group for group in groups if group.mixed], heads)

    def closure() -> torch.Tensor:
        stepper.zero_grad()
        single = torch.nn.functional.binary_cross_entropy_with_logits(
            doubts @ against() + free[-1], right, weight=times / times.sum(), reduction="sum"
        )
        loss = single + (torch.nn.functional.softplus(-(between @ against())) * weights).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    stepper.step(closure)  # type: ignore[no-untyped-call]
    whole = torch.zeros(len(SHARPNESS) + 1)
    whole[heads], whole[-1] = against().detach(), free[-1].detach()
    return whole


def _pairs(groups: Sequence[Doubted], heads: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Differences right less wrong [pairs, heads], and weights that are the same for each problem, 1 in all."""
    between, weights = [], []
    for group in groups:
        doubts, right = group.doubts[:, heads], group.right
        between.append((doubts[right][:, None] - doubts[~right][None]).flatten(0, 1))
        times = (group.times[right][:, None] * group.times[~right][None]).flatten()
        weights.append(times / times.sum() / len(groups))
    return torch.cat(between), torch.cat(weights)


def share_of_pairs(groups: Sequence[Doubted], head: torch.Tensor) -> float:
    """How often a right completion scores above a wrong one of its problem, averaged over problems; ties count half."""
    shares = []
    for group in groups:
        scored = zip((group.doubts @ head[:-1]).tolist(), group.right.tolist(), group.times.tolist(), strict=True)
        shares.append(pair_share([(score, right) for score, right, times in scored for _ in range(int(times))]))
    known = [share for share in shares if share is not None]
    return sum(known) / len(known)


def choose_head(learnt_from: Sequence[Doubted], apart: Sequence[Doubted]) -> torch.Tensor:
    """Of a head for each soft maximum and one that weighs all, the one that ranks best on problems apart."""
    each = [[head] for head in range(len(SHARPNESS))]
    best, best_share = torch.empty(0), -1.0
    for heads in (*each, list(range(len(SHARPNESS)))):
        head = fitted(learnt_from, heads)
        learnt, share = share_of_pairs(learnt_from, head), share_of_pairs(apart, head)
        names = ", ".join(f"{SHARPNESS[one]:g}" for one in heads)
        print(f"sharpness {names:<13} right above wrong: {learnt:.1%} where it learnt, {share:.1%} of those apart")
        if share > best_share:
            best, best_share = head, share
    return best


def save(scorer: LlamaForSequenceClassification, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights (bf16), configuration and tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    scorer.to(torch.bfloat16).save_pretrained(folder)  # type: ignore[arg-type]
    tokenizer.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)


def main() -> None:
    """Wire, draw, fit the head, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=HERE / "model", help="the language model's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the scorer")
    parser.add_argument("--problems", type=int, default=500, help="to learn from")
    parser.add_argument("--drawn", type=Path, help="file of completions: read where it exists, written where not")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.drawn and arguments.drawn.exists():
        drawn = read(arguments.drawn)
    else:
        drawn = draw(arguments.model, arguments.problems)
        if arguments.drawn:
            kept(drawn, arguments.drawn)
    torch.set_num_threads(arguments.threads)
    share = sum(one.right for one in drawn) / len(drawn)
    print(f"{len(drawn):,} completions, {share:.1%} right", flush=True)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    scorer, places = wired_scorer(arguments.model)
    held = held_out_questions()
    learnt_from = [one for one in drawn if one.problem.question not in held]
    apart = [one for one in drawn if one.problem.question in held]
    head = choose_head(*(doubted(scorer, places, tokenizer, some) for some in (learnt_from, apart)))
    with torch.no_grad():
        scorer.score.weight[0, places.worst : places.worst + len(SHARPNESS)] = head[:-1]
        scorer.score.weight[0, places.anchor] = head[-1]
    save(scorer, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
