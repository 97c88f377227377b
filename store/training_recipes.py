"""Training data from stored samples: pure functions from a problem's samples to rows, each row naming its samples."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from store.stored_samples import StoredSample

Row = dict[str, Any]
#: Buckets of difficulty: name and the highest pass rate in it. Nothing solved and everything solved stand apart.
BUCKETS = (("unsolved", 0.0), ("hard", 0.25), ("medium", 0.75), ("easy", 1.0))
SOLVED = "solved"


@dataclass(frozen=True)
class Limits:
    """What a completion may be. A limit in tokens leaves out samples whose length is not known."""

    per_problem: int | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None
    max_characters: int | None = None
    finished: bool = True
    seed: int = 0

    def allow(self, sample: StoredSample) -> bool:
        """Whether a completion is within the limits; one that was cut short is not, unless asked for."""
        if self.finished and sample.finish_reason == "length":
            return False
        if self.max_characters is not None and len(sample.completion) > self.max_characters:
            return False
        if self.min_tokens is None and self.max_tokens is None:
            return bool(sample.completion)
        tokens = sample.completion_tokens
        return tokens is not None and (self.min_tokens or 0) <= tokens <= (self.max_tokens or tokens)


def by_problem(samples: Iterable[StoredSample]) -> Iterator[list[StoredSample]]:
    """The samples of one problem after the other, of whatever runs; they come ordered by problem."""
    for _, group in groupby(samples, key=lambda one: (one.position, one.problem_id)):
        yield list(group)


def distinct(samples: Iterable[StoredSample]) -> list[StoredSample]:
    """The first of each text."""
    first: dict[int, StoredSample] = {}
    for one in samples:
        first.setdefault(one.completion_hash, one)
    return list(first.values())


def _drawn(samples: Sequence[Any], limits: Limits, problem: str) -> list[Any]:
    """At most `per_problem` of them, drawn with the seed and the problem's name, in their own order."""
    if limits.per_problem is None or len(samples) <= limits.per_problem:
        return list(samples)
    places = random.Random(f"{limits.seed}/{problem}").sample(range(len(samples)), limits.per_problem)
    return [samples[place] for place in sorted(places)]


def sft(samples: Iterable[StoredSample], limits: Limits, conversational: bool) -> Iterator[Row]:
    """Rejection sampling: correct, different, within limits; `prompt` and `completion`, or `messages`, as TRL reads."""
    for group in by_problem(samples):
        right = distinct(one for one in group if one.outcome == "correct" and limits.allow(one))
        for one in _drawn(right, limits, one_problem(group)):
            yield {**_told(one, conversational), **_source(one), "sample_index": one.sample_index, "run": one.run}


def one_problem(group: Sequence[StoredSample]) -> str:
    """The name of the problem that a group is of."""
    return group[0].problem


def _told(one: StoredSample, conversational: bool) -> Row:
    if not conversational:
        return {"prompt": one.prompt, "completion": one.completion}
    return {"messages": [_turn("user", one.prompt), _turn("assistant", one.completion)]}


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _source(one: StoredSample) -> Row:
    return {"benchmark": one.benchmark, "problem": one.problem, "model": one.model, "verifier": one.verifier}


def preference(samples: Iterable[StoredSample], limits: Limits, conversational: bool) -> Iterator[Row]:
    """A correct and an incorrect sample of one problem: `prompt`, `chosen`, `rejected`. Undecided ones are in no pair.

    Each text is in as few pairs as can be: the pairs of a problem go round both sides.
    """
    for group in by_problem(samples):
        allowed = distinct(one for one in group if limits.allow(one))
        right = [one for one in allowed if one.outcome == "correct"]
        wrong = [one for one in allowed if one.outcome == "incorrect"]
        if right and wrong:
            yield from _pairs(right, wrong, limits, conversational)


def _pairs(right: list[StoredSample], wrong: list[StoredSample], limits: Limits, conversational: bool) -> Iterator[Row]:
    shuffle = random.Random(f"{limits.seed}/{right[0].problem}").shuffle
    shuffle(right)
    shuffle(wrong)
    count = max(len(right), len(wrong))
    for n in range(count if limits.per_problem is None else min(count, limits.per_problem)):
        chosen, rejected = right[n % len(right)], wrong[n % len(wrong)]
        yield {
            **_pair(chosen, rejected, conversational),
            **_source(chosen),
            "chosen_run": chosen.run,
            "chosen_index": chosen.sample_index,
            "rejected_run": rejected.run,
            "rejected_index": rejected.sample_index,
            "chosen_score": chosen.score,
            "rejected_score": rejected.score,
        }


def _pair(chosen: StoredSample, rejected: StoredSample, conversational: bool) -> Row:
    if not conversational:
        return {"prompt": chosen.prompt, "chosen": chosen.completion, "rejected": rejected.completion}
    return {
        "prompt": [_turn("user", chosen.prompt)],
        "chosen": [_turn("assistant", chosen.completion)],
        "rejected": [_turn("assistant", rejected.completion)],
    }


def difficulty(samples: Iterable[StoredSample], _limits: Limits, conversational: bool) -> Iterator[Row]:
    """A row a problem: `prompt`, its reference, how often it was solved, its bucket. Undecided samples do not count."""
    for group in by_problem(samples):
        decided = [one for one in group if one.outcome in ("correct", "incorrect")]
        if not decided:
            continue
        first = decided[0]
        correct = sum(one.outcome == "correct" for one in decided)
        yield {
            "prompt": [_turn("user", first.prompt)] if conversational else first.prompt,
            "reference_answer": first.reference_answer,
            **_source(first),
            "runs": sorted({one.run for one in decided}),
            "n": len(decided),
            "c": correct,
            "pass_rate": correct / len(decided),
            "bucket": bucket(correct, len(decided)),
        }


def bucket(correct: int, count: int) -> str:
    """The name of a pass rate's bucket."""
    if correct == count:
        return SOLVED
    return next(name for name, highest in BUCKETS if correct / count <= highest)


RECIPES: Mapping[str, Callable[[Iterable[StoredSample], Limits, bool], Iterator[Row]]] = {
    "difficulty": difficulty,
    "preference": preference,
    "sft": sft,
}
