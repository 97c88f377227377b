"""What a model is given: examples before the problem, the same ones for everyone who asks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from store.prompting import BadPrompting, Example, Message, examples_for, few_shot, render_prompt


@dataclass(frozen=True)
class Way:
    prompt_template: str = "{prompt}"
    system_prompt: str | None = None
    prompting: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Posed:
    key: str
    prompt: str


POOL = [Example(f"{n} + {n} = ?", f" {2 * n}") for n in range(20)]
PROBLEMS = [Posed(f"p{n}", f"1 + {n} = ?") for n in range(40)]


def _prompting(**settings: Any) -> dict[str, Any]:
    return {"few_shot": few_shot(POOL, PROBLEMS, settings, {"file": "pool.jsonl", "hash": "ab"})}


def _text(way: Way, problem: Posed) -> str:
    return render_prompt(way, problem, examples_for(way.prompting, problem)).text


def test_without_examples_a_prompt_is_its_template() -> None:
    assert _text(Way("Q: {prompt}\nA:"), PROBLEMS[3]) == "Q: 1 + 3 = ?\nA:"


def test_fixed_examples_are_the_first_ones_for_every_problem() -> None:
    way = Way("Q: {prompt}\nA:", prompting=_prompting(shots=2))
    assert _text(way, PROBLEMS[3]) == "Q: 0 + 0 = ?\nA: 0\n\nQ: 1 + 1 = ?\nA: 2\n\nQ: 1 + 3 = ?\nA:"


def test_a_problem_is_never_its_own_example() -> None:
    way = Way(prompting=_prompting(shots=2))
    assert [one.prompt for one in examples_for(way.prompting, PROBLEMS[1])] == ["0 + 0 = ?", "2 + 2 = ?"]


def test_random_examples_follow_from_seed_and_problem_alone() -> None:
    first, again = (_prompting(shots=3, choice="random", seed=1) for _ in range(2))
    assert first == again
    other = _prompting(shots=3, choice="random", seed=2)
    chosen = [tuple(one.prompt for one in examples_for(first, problem)) for problem in PROBLEMS]
    assert all(len(set(prompts)) == 3 for prompts in chosen)
    assert len(set(chosen)) > len(PROBLEMS) // 2, "problems share their examples"
    assert chosen != [tuple(one.prompt for one in examples_for(other, problem)) for problem in PROBLEMS]
    assert len(Counter(prompt for prompts in chosen for prompt in prompts)) > 10, "most of the file is never used"


def test_only_examples_that_are_shown_are_stored() -> None:
    assert set(_prompting(shots=2)["few_shot"]["examples"]) <= {"0", "1", "2"}


def test_templates_and_separators_are_texts_not_formats() -> None:
    pool = [Example("{answer} {x}", "{prompt}")]
    settings = {"shots": 1, "template": "In: {prompt} Out: {answer}", "separator": "\n---\n"}
    stored = few_shot(pool, PROBLEMS[:1], settings, {})
    way = Way("<{prompt}>", prompting={"few_shot": stored})
    assert _text(way, PROBLEMS[0]) == "In: <{answer} {x}> Out: {prompt}\n---\n<1 + 0 = ?>"


def test_a_chat_has_turns() -> None:
    way = Way("Q: {prompt}", "Be brief.", {"chat": True, **_prompting(shots=1, **{"as": "turns"})})
    asked = render_prompt(way, PROBLEMS[0], examples_for(way.prompting, PROBLEMS[0]))
    assert asked.messages == (
        Message("system", "Be brief."),
        Message("user", "Q: 0 + 0 = ?"),
        Message("assistant", " 0"),
        Message("user", "Q: 1 + 0 = ?"),
    )


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"shots": 0}, "0 examples cannot be shown"),
        ({"shots": 21}, "the file has 20"),
        ({"shots": 20}, "Problem p1 has fewer than 20"),
        ({"shots": 1, "choice": "best"}, '"fixed" or "random"'),
        ({"shots": 1, "as": "poems"}, '"text" or as "turns"'),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadPrompting, match=complaint):
        _prompting(**settings)
