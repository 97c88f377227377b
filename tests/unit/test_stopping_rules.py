"""Stopping rules: what can be, how it is stored, and that analytics reads the stored form."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from store.analytics.statistics.designs import AdaptiveDesign, UntilSuccess, design_from_record
from store.stopping import BadStoppingRule, Budget, Stopping, stopping_of

RULES = [
    Stopping(),
    Stopping("first-correct", cap=100, successes=3),
    Stopping("batch-first-correct", cap=100, batch=10),
    Stopping("budget-usd", cap=100, batch=4, pilot=8),
    Stopping("adaptive", cap=100, batch=4, pilot=8, goal="tail", tail_k=50),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
def test_a_rule_comes_back_from_its_stored_form(rule: Stopping) -> None:
    assert stopping_of(rule.record()) == rule


def test_analytics_reads_the_stored_design() -> None:
    assert design_from_record(RULES[1].record()["design"]) == UntilSuccess(3, 100, 1)
    assert design_from_record(RULES[2].record()["design"]) == UntilSuccess(1, 100, 10)
    assert design_from_record(RULES[4].record()["design"]) == AdaptiveDesign("adaptive")
    assert [rule.design for rule in RULES] == [
        "fixed_n",
        "until_success",
        "batch_until_success",
        "adaptive",
        "adaptive",
    ]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"rule": "sometimes"}, "no such rule"),
        ({"rule": "first-correct"}, "needs a cap"),
        ({"rule": "first-correct", "cap": 8, "successes": 0}, "--successes 1"),
        ({"rule": "first-correct", "cap": 8, "batch": 2}, "use batch-first-correct"),
        ({"rule": "first-correct", "cap": 8, "pilot": 2}, "leave --pilot out"),
        ({"rule": "batch-first-correct", "cap": 8, "batch": 9}, "larger than the cap"),
        ({"rule": "adaptive", "cap": 8}, "--pilot 1 or more"),
        ({"rule": "adaptive", "cap": 8, "pilot": 9}, "pilot is larger"),
        ({"rule": "adaptive", "cap": 8, "pilot": 2, "successes": 2}, "--successes is for"),
        ({"rule": "adaptive", "cap": 8, "pilot": 2, "goal": "fame"}, "no goal fame"),
    ],
)
def test_rules_that_cannot_be(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadStoppingRule, match=complaint):
        Stopping(**values)


@pytest.mark.parametrize("amounts", [{"samples": 0}, {"usd": Decimal("-1")}, {"gpu_hours": Decimal("NaN")}])
def test_budgets_that_cannot_be(amounts: dict[str, Any]) -> None:
    with pytest.raises(BadStoppingRule, match="more than 0"):
        Budget(**amounts)
