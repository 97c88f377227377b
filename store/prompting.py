"""What a model is given for a problem: template, examples, system message. Pure functions of what a run stores.

The stored form (`runs.prompting`) is one JSON object, every part of it optional:

    {"chat": true,                    the text goes through the model's chat template as a user's message
     "few_shot": {
       "shots": 5,                    examples before each problem
       "choice": "fixed" | "random",  the first ones of the file, or drawn anew for each problem
       "seed": 0,                     decides which, and in which order, where they are random
       "template": "{prompt}{answer}",  how one example is written; {prompt} is its prompt in the run's template
       "separator": "\\n\\n",           what stands after each example
       "as": "text" | "turns",        in one text, or as earlier turns of the chat
       "pool": 7473,                  examples in the file
       "file": "train.jsonl", "hash": "sha256 of the file",
       "examples": {"17": {"prompt": ..., "answer": ...}}   those that are used, by their place in the file
     },
     "preset": "name"}                what set these settings, where anything did
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from store.errors import PassatkError


class BadPrompting(PassatkError):
    """A way to make prompts that cannot be."""


@dataclass(frozen=True)
class Example:
    """A solved problem that is shown before the one that is asked."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Message:
    """One turn of a chat: its role is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Rendered:
    """What a model is given: a text, or the turns of a chat that its template makes a text of."""

    text: str
    messages: tuple[Message, ...] = ()


class Asked(Protocol):
    """The part of a run that decides its prompts (`store.runs.Run` and `NewRun` have it)."""

    @property
    def prompt_template(self) -> str:
        """Text around the problem's prompt, with a place {prompt} for it."""

    @property
    def system_prompt(self) -> str | None:
        """System message of a chat."""

    @property
    def prompting(self) -> Mapping[str, Any]:
        """How prompts are made."""


class Posed(Protocol):
    """The part of a problem that is asked."""

    @property
    def key(self) -> str:
        """The benchmark's own name for it."""

    @property
    def prompt(self) -> str:
        """Its text."""


def rendered(template: str, prompt: str) -> str:
    """A prompt in its template. A plain replacement: braces elsewhere in the template are text."""
    return template.replace("{prompt}", prompt)


def render_prompt(run: Asked, problem: Posed, examples: Sequence[Example]) -> Rendered:
    """What the model is given for a problem, after these examples (those of `examples_for`, in their order)."""
    few = run.prompting.get("few_shot") or {}
    asked = rendered(run.prompt_template, problem.prompt)
    turns: list[Message] = []
    if few.get("as", "text") == "turns":
        for one in examples:
            turns += [Message("user", rendered(run.prompt_template, one.prompt)), Message("assistant", one.answer)]
    else:
        asked = "".join(_shown(run, few, one) for one in examples) + asked
    if not run.prompting.get("chat"):
        return Rendered(asked)
    system = [Message("system", run.system_prompt)] if run.system_prompt else []
    return Rendered(asked, (*system, *turns, Message("user", asked)))


def _shown(run: Asked, few: Mapping[str, Any], one: Example) -> str:
    template = str(few.get("template", "{prompt}{answer}"))
    # One after the other, so that an answer that holds the word {prompt} stays as it is.
    head, found, tail = template.partition("{prompt}")
    prompt = rendered(run.prompt_template, one.prompt) if found else ""
    parts = (head.replace("{answer}", one.answer), prompt, tail.replace("{answer}", one.answer))
    return "".join(parts) + str(few.get("separator", "\n\n"))


def examples_for(prompting: Mapping[str, Any], problem: Posed) -> list[Example]:
    """The examples that a run shows before a problem, from what it stores."""
    few = prompting.get("few_shot")
    if not few:
        return []
    stored = few["examples"]

    def example(place: int) -> Example | None:
        found = stored.get(str(place))
        return None if found is None else Example(found["prompt"], found["answer"])

    return _chosen(few, problem, example)


def _chosen(few: Mapping[str, Any], problem: Posed, example: Callable[[int], Example | None]) -> list[Example]:
    """The first `shots` examples in the problem's order that are not the problem itself."""
    chosen: list[Example] = []
    for place in places(int(few["pool"]), str(few.get("choice", "fixed")), int(few.get("seed", 0)), problem.key):
        one = example(place)
        if one is not None and one.prompt.strip() != problem.prompt.strip():
            chosen.append(one)
        if len(chosen) == int(few["shots"]):
            break
    return chosen


def places(pool: int, choice: str, seed: int, problem_key: str) -> Sequence[int]:
    """The order in which the examples of a file are tried for a problem."""
    if choice == "fixed":
        return range(pool)
    digest = hashlib.sha256(f"{seed}\0{problem_key}".encode()).digest()
    return random.Random(int.from_bytes(digest, "big")).sample(range(pool), pool)


def few_shot(
    pool: Sequence[Example], problems: Sequence[Posed], settings: Mapping[str, Any], source: Mapping[str, str]
) -> dict[str, Any]:
    """The stored form of few-shot settings (shots, choice, seed, template, separator, as) over a file's examples.

    Only the examples that some problem is shown are kept: a run needs no file after this.
    """
    shots, choice = int(settings["shots"]), str(settings.get("choice", "fixed"))
    if choice not in ("fixed", "random"):
        raise BadPrompting(f'Examples are chosen "fixed" or "random", not "{choice}".')
    if settings.get("as", "text") not in ("text", "turns"):
        raise BadPrompting('Examples are written as "text" or as "turns" of a chat.')
    if not 1 <= shots <= len(pool):
        raise BadPrompting(f"{shots} examples cannot be shown: the file has {len(pool)}; give --shots 1 to that.")
    stored: dict[str, Any] = {**settings, "pool": len(pool), **source}
    used: dict[str, dict[str, str]] = {}

    def use(place: int) -> Example:
        used[str(place)] = {"prompt": pool[place].prompt, "answer": pool[place].answer}
        return pool[place]

    for problem in problems:
        if len(_chosen(stored, problem, use)) < shots:
            raise BadPrompting(
                f"Problem {problem.key} has fewer than {shots} examples beside itself: give a larger file or fewer."
            )
    return stored | {"examples": used}
