"""How a run's samples were drawn, and which estimator follows from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from store.analytics.naming import Judged, Run
from store.analytics.statistics.arguments import NoUnbiasedEstimator
from store.analytics.statistics.designs import (
    AdaptiveDesign,
    FixedDesign,
    SamplingDesign,
    UntilSuccess,
    design_from_record,
)


def design_of(run: Run) -> SamplingDesign:
    """The sampling design stored with a run; `unknown`, of samples drawn elsewhere, is taken as a fixed n."""
    stopping = json.loads(run.stopping or "{}")
    record: dict[str, Any] = stopping if isinstance(stopping, dict) else {}
    given = record.get("design")
    if isinstance(given, dict):
        found = design_from_record(given)
    elif run.design in ("fixed_n", "unknown"):
        return FixedDesign()
    elif run.design in ("until_success", "batch_until_success"):
        named = {name: record[name] for name in ("successes", "cap", "batch") if record.get(name) is not None}
        found = design_from_record({"kind": "until_success", **named})
    else:
        found = AdaptiveDesign(str(record.get("rule", run.design)))
    if isinstance(found, UntilSuccess) and found.cap is None and run.samples_per_problem:
        return UntilSuccess(found.successes, run.samples_per_problem, found.batch)
    return found


def pilot_of(run: Run) -> int:
    """Samples of every problem that an adaptive run drew whatever the verdicts said; 0 for none."""
    if run.pilot_samples:
        return run.pilot_samples
    record = json.loads(run.stopping or "{}")
    return int(record.get("pilot") or 0) if isinstance(record, dict) else 0


def refuse_designs(judged: Sequence[Judged]) -> None:
    """Raise for a run whose stopping rule looks at outcomes: the estimator for a fixed n would be wrong for it."""
    for one in judged:
        if not isinstance(design_of(one.run), FixedDesign):
            raise NoUnbiasedEstimator(
                f'Run "{one.run.name}" was sampled with the design {one.run.design}: an estimator for a fixed n does '
                "not hold for it. Queries coverage, coverage_by_tag, coverage_difference and forecast know its design."
            )
