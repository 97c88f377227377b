"""Which problems two runs share, and what a reader is told of the others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from store.analytics.queries.comparison import paired
from store.analytics.queries.counts import ProblemCounts

NAMES = {1: "a", 2: "b", 3: "c", 4: "d", 11: "a", 12: "b"}


def counts(name: str, *problem_ids: int) -> ProblemCounts:
    run: Any = SimpleNamespace(run=SimpleNamespace(name=name))
    return ProblemCounts(run, *(np.array(problem_ids, dtype=np.int64) for _ in range(4)))


@pytest.mark.parametrize(
    ("ours", "theirs", "shared", "note"),
    [
        ((1, 2), (1, 2), 2, None),
        ((1, 2), (11, 12), 2, None),  # another version of the benchmark: the same names under other keys
        ((1, 2, 3), (2, 3, 4), 2, "x and y: only 2 of 4 problems are shared; compared on these."),
        ((1, 2), (3, 4), 0, "x and y share none of 4 problems: they cannot be compared."),
    ],
)
def test_runs_are_compared_on_what_they_share_and_the_rest_is_said(
    ours: tuple[int, ...], theirs: tuple[int, ...], shared: int, note: str | None
) -> None:
    run, baseline = counts("x", *ours), counts("y", *theirs)
    pair = paired(run, baseline, NAMES)
    assert (pair.shared, pair.note) == (shared, note)
    assert (pair.only_run, pair.only_baseline) == (len(ours) - shared, len(theirs) - shared)
    names = [
        [NAMES[cast(int, key)] for key in side]
        for side in (run.problem_ids[pair.run], baseline.problem_ids[pair.baseline])
    ]
    assert names[0] == names[1]
