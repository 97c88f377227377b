"""Stopping rules: when a problem has had enough samples, and what that means for every estimate.

The rule is stored with its run (`runs.stopping`, `runs.design`, `runs.pilot_samples`): a run that stopped because of
what its samples were is estimated with the estimator of its rule, or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from store.errors import PassatkError

#: Rules, with the sampling design each of them makes.
DESIGNS = {
    "fixed": "fixed_n",
    "first-correct": "until_success",
    "batch-first-correct": "batch_until_success",
    "budget-usd": "adaptive",
    "adaptive": "adaptive",
}
RULES = tuple(DESIGNS)
#: Samples each problem gets, whatever the verdicts say, where an adaptive run names no pilot.
USUAL_PILOT = 8
#: What the rest of an adaptive run is spent on: problems solved per dollar, or coverage at a large k known well.
GOALS = ("solve", "tail")


class BadStoppingRule(PassatkError):
    """A stopping rule that cannot be."""


@dataclass(frozen=True)
class Budget:
    """Most that a run may take: samples in all, US$, GPU hours. None is no limit."""

    samples: int | None = None
    usd: Decimal | None = None
    gpu_hours: Decimal | None = None

    def __post_init__(self) -> None:
        for name, amount in (("samples", self.samples), ("usd", self.usd), ("gpu-hours", self.gpu_hours)):
            if amount is not None and not (math.isfinite(amount) and 0 < amount < 10**12):
                raise BadStoppingRule(f"A budget of {amount} cannot be: give --budget-{name} more than 0.")

    def __bool__(self) -> bool:
        return any(amount is not None for amount in (self.samples, self.usd, self.gpu_hours))


@dataclass(frozen=True)
class Stopping:
    """A rule with its parameters; `cap` is the most samples of one problem, whatever the rule.

    `batch` samples of a problem are drawn between two looks at its verdicts. `goal` and `tail_k` are for adaptive
    rules: what is bought with the samples after the pilot.
    """

    rule: str = "fixed"
    cap: int | None = None
    successes: int = 1
    batch: int = 1
    pilot: int = 0
    goal: str = "solve"
    tail_k: int = 100

    def __post_init__(self) -> None:
        for wrong, reason in self._complaints():
            if wrong:
                raise BadStoppingRule(f"Stopping rule {self.rule}: {reason}.")

    def _complaints(self) -> list[tuple[bool, str]]:
        first = self.rule in ("first-correct", "batch-first-correct")
        return [
            (self.rule not in DESIGNS, f"there is no such rule; there are {', '.join(RULES)}"),
            (self.goal not in GOALS, f"there is no goal {self.goal}; there are {', '.join(GOALS)}"),
            (self.cap is None and self.rule != "fixed", "it needs a cap; give --cap N or --samples N"),
            (self.successes < 1, "give --successes 1 or more"),
            (self.successes > 1 and not first, "--successes is for first-correct and batch-first-correct"),
            (self.batch < 1, "give --stop-batch 1 or more"),
            (self.rule == "first-correct" and self.batch != 1, "to stop after batches use batch-first-correct"),
            (self.batch > (self.cap or self.batch), "a batch larger than the cap would never be drawn"),
            (self.tail_k < 1, "give --tail-k 1 or more"),
            (self.pilot < 0, "give --pilot 0 or more"),
            (first and self.pilot > 0, "it has an unbiased estimator without a pilot; leave --pilot out"),
            (self.adaptive and self.pilot < 1, "a pilot is kept for unbiased curves; give --pilot 1 or more"),
            (self.pilot > (self.cap or self.pilot), "the pilot is larger than the cap"),
        ]

    @property
    def adaptive(self) -> bool:
        """Whether problems get unequal numbers of samples by an index over what is known of them."""
        return DESIGNS.get(self.rule) == "adaptive"

    @property
    def until_success(self) -> bool:
        """Whether each problem stops by itself, whatever the others do."""
        return self.rule in ("first-correct", "batch-first-correct")

    @property
    def design(self) -> str:
        """The sampling design, as `runs.design` names it."""
        return DESIGNS[self.rule]

    def record(self) -> dict[str, Any]:
        """The stored form (`runs.stopping`); docs/statistics/designs-of-runs.md describes every field."""
        if self.rule == "fixed":
            return {"rule": "fixed"}
        record: dict[str, Any] = {"rule": self.rule, "cap": self.cap, "batch": self.batch}
        if self.until_success:
            kind = {"kind": "until_success", "successes": self.successes, "cap": self.cap, "batch": self.batch}
            return record | {"successes": self.successes, "design": kind}
        kind = {"kind": "adaptive", "rule": self.rule}
        return record | {"pilot": self.pilot, "goal": self.goal, "tail_k": self.tail_k, "design": kind}


def stopping_of(record: Mapping[str, Any]) -> Stopping:
    """The rule from its stored form."""
    names = Stopping.__dataclass_fields__
    return Stopping(**{name: value for name, value in record.items() if name in names})
