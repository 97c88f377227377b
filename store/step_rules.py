"""Which problem gets how many samples next: pure functions of how far the problems are. No database, no clock.

The index of most solves per dollar and the shares of a known tail are those of `store.allocation`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from store.allocation import neyman_shares, prior_of, solve_index
from store.stopping import Stopping

#: Samples of a run that are planned ahead at most where each step looks at verdicts or at money.
WIDTH = 1024


class Afford(Protocol):
    """How many of the samples asked for the budget can pay for (`whole`: all or none); they are then taken from it."""

    def __call__(self, problem_id: int, wanted: int, whole: bool = False) -> int:
        """At most `wanted`."""


@dataclass(frozen=True)
class ProblemState:
    """How far a problem is: samples drawn, with any verdict, decided, correct; on their way; what stands in its way."""

    problem_id: int
    drawn: int
    spoken: int
    n: int
    c: int
    waiting: int
    end_index: int
    judging: bool
    failed: bool
    completion_tokens: float

    @property
    def placed(self) -> int:
        """Samples it has or will have by what is planned."""
        return self.drawn + self.waiting

    @property
    def settled(self) -> bool:
        """Whether everything drawn was judged, and nothing is on its way."""
        return self.waiting == 0 and not self.judging and self.spoken >= self.drawn


def next_step(rule: Stopping, problems: Sequence[ProblemState], afford: Afford, width: int = WIDTH) -> dict[int, int]:
    """Samples to plan now, by problem. What failed waits until its run is started again."""
    open_problems = [one for one in problems if not one.failed]
    if rule.until_success:
        return _until_success(rule, open_problems, afford)
    room = width - sum(one.waiting + max(0, one.drawn - one.spoken) for one in problems)
    if not rule.adaptive:
        return _level(open_problems, rule.cap or 0, room, afford)
    pilot = _level(open_problems, rule.pilot, room, afford)
    room -= sum(pilot.values())
    searched = [one for one in open_problems if one.problem_id not in pilot and one.spoken >= rule.pilot]
    spend = _spend_on_solves if rule.goal == "solve" else _spend_on_the_tail
    return pilot | spend(rule, searched, problems, afford, room)


def _until_success(rule: Stopping, problems: Sequence[ProblemState], afford: Afford) -> dict[int, int]:
    """The next samples of each problem that has not stopped and has nothing on its way.

    Of a rule without batches that is as many as are wanted still: the last of them may be the one that stops it, an
    earlier one cannot. With batches it is what is left of the batch, so that looks fall on its multiples.
    """
    steps = {}
    for one in problems:
        if not one.settled or one.c >= rule.successes or one.drawn >= (rule.cap or 0):
            continue
        wanted = rule.successes - one.c if rule.rule == "first-correct" else rule.batch - one.drawn % rule.batch
        wanted = min(wanted, (rule.cap or 0) - one.drawn)
        # All or nothing: a batch that the budget cuts short would be a look where the rule has none.
        if afford(one.problem_id, wanted, whole=True):
            steps[one.problem_id] = wanted
    return steps


def _level(problems: Sequence[ProblemState], target: int, room: int, afford: Afford) -> dict[int, int]:
    """Bring all problems to `target` samples, the lowest first, as far as room and budget go."""
    steps: dict[int, int] = {}
    heap = [(one.placed, i) for i, one in enumerate(problems) if one.placed < target]
    heapq.heapify(heap)
    while heap and room > 0:
        placed, i = heapq.heappop(heap)
        problem_id = problems[i].problem_id
        if not afford(problem_id, 1):
            continue
        steps[problem_id] = steps.get(problem_id, 0) + 1
        room -= 1
        if placed + 1 < target:
            heapq.heappush(heap, (placed + 1, i))
    return steps


def _spend_on_solves(
    rule: Stopping, searched: Sequence[ProblemState], known: Sequence[ProblemState], afford: Afford, room: int
) -> dict[int, int]:
    """Greedy on the chance that the next sample solves its problem, over its cost; solved problems drop out.

    Samples on their way count as failures, so that no problem gets more of them than its index is worth.
    """
    alpha, beta = prior_of([(one.n, one.c) for one in known])
    costs = _costs(searched, known)
    heap: list[tuple[float, int, int]] = []

    def offer(i: int, placed: int) -> None:
        if placed < (rule.cap or 0):
            heapq.heappush(heap, (-solve_index(alpha, beta, placed, costs[i]), i, placed))

    for i, one in enumerate(searched):
        if one.c == 0:
            offer(i, one.placed)
    return _take(rule, searched, heap, offer, afford, room)


def _spend_on_the_tail(
    rule: Stopping, searched: Sequence[ProblemState], known: Sequence[ProblemState], afford: Afford, room: int
) -> dict[int, int]:
    """Towards shares that estimate coverage at `tail_k` best: whoever is furthest behind its share is next."""
    alpha, beta = prior_of([(one.n, one.c) for one in known])
    chances = [(one.c + alpha) / (one.n + alpha + beta) for one in searched]
    shares = neyman_shares(chances, rule.tail_k, _costs(searched, known))
    if shares is None:
        return {}
    total = sum(one.placed for one in searched) + max(room, 0)
    heap: list[tuple[float, int, int]] = []

    def offer(i: int, placed: int) -> None:
        if placed < (rule.cap or 0):
            heapq.heappush(heap, (placed - shares[i] * total, i, placed))

    for i, one in enumerate(searched):
        offer(i, one.placed)
    return _take(rule, searched, heap, offer, afford, room)


def _take(
    rule: Stopping,
    searched: Sequence[ProblemState],
    heap: list[tuple[float, int, int]],
    offer: Callable[[int, int], None],
    afford: Afford,
    room: int,
) -> dict[int, int]:
    """Give a batch to the first of the heap, offer the problem again, and so on."""
    steps: dict[int, int] = {}
    while heap and room > 0:
        _, i, placed = heapq.heappop(heap)
        problem_id = searched[i].problem_id
        given = afford(problem_id, min(rule.batch, (rule.cap or 0) - placed, room))
        if given:
            steps[problem_id] = steps.get(problem_id, 0) + given
            room -= given
            offer(i, placed + given)
    return steps


def _costs(searched: Sequence[ProblemState], known: Sequence[ProblemState]) -> list[float]:
    """Relative cost of a sample of each problem: its mean completion tokens, and the run's where it has none yet."""
    drawn = [one for one in known if one.drawn and one.completion_tokens > 0]
    usual = sum(one.completion_tokens for one in drawn) / len(drawn) if drawn else 1.0
    return [one.completion_tokens if one.completion_tokens > 0 else usual for one in searched]
