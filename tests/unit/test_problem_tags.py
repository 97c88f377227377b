"""Tags are read from what well-known benchmarks say beside a question."""

from __future__ import annotations

from typing import Any

import pytest

from store.problem_tags import tags_of


@pytest.mark.parametrize(
    ("metadata", "tags"),
    [
        ({}, []),
        ({"subject": "Algebra", "level": 5}, ["Algebra", "level 5"]),  # MATH-500
        ({"type": "Geometry", "level": "Level 2", "solution": "long"}, ["Geometry", "Level 2"]),  # MATH
        ({"cf_tags": ["dp", "", "graphs", "dp"], "difficulty": 7}, ["difficulty 7", "dp", "graphs"]),  # CodeContests
        ({"platform": "leetcode", "difficulty": "easy"}, ["easy", "leetcode"]),  # LiveCodeBench
        ({"repo": "django/django", "difficulty": "15 min - 1 hour"}, ["15 min - 1 hour", "django/django"]),  # SWE-bench
        ({"tags": "one  word\n of two"}, ["one word of two"]),
        ({"tags": ["x" * 65, None, True, 1.5, {"a": 1}, ["b"]], "category": None}, []),
    ],
)
def test_tags_of_published_benchmarks(metadata: dict[str, Any], tags: list[str]) -> None:
    assert tags_of(metadata) == tags
