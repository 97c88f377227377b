"""Word problems with worked steps: a story of one to eight calculations, its worked equations and its answer.

Everything is a function of a seed. A problem is a quantity that changes from sentence to sentence; a sentence costs one
calculation (`buys 45 more`) or two (`buys 12 boxes of 34`: first the product, then the sum). Values stay in 1..999,999,
so answers run from one digit to six: the long ones are all but impossible to hit by luck, the short ones are not.

Run as a script it writes the held-out benchmark: `python examples/arithmetic/word_problems.py > problems.jsonl`.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

LARGEST_VALUE = 999_999
MAX_STEPS = 8

BENCHMARK_SEED = 20_240_731
"""Seed of the published problems."""
VALIDATION_SEED = 20_240_801
"""Seed of the problems that training is watched with; neither set is ever trained on."""

STEPS_OF_BENCHMARK = {1: 8, 2: 12, 3: 14, 4: 14, 5: 14, 6: 14, 7: 12, 8: 12}
"""How many of the hundred published problems have how many steps; every second one is demanding."""
STEPS_OF_TRAINING = {1: 10, 2: 18, 3: 20, 4: 18, 5: 14, 6: 12, 7: 5, 8: 3}
"""Relative frequency of problems with so many steps in training."""

NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hugo", "Ida", "Jon", "Kim", "Leo", "Mia", "Noah", "Olga")
THINGS = ("pens", "coins", "beads", "cards", "shells", "apples", "nuts", "stamps", "bricks", "tiles", "books", "eggs")
HOLDERS = ("boxes", "bags", "crates", "jars", "sets")

ADDING = ("{name} buys {n} more.", "{name} finds {n} more.", "A friend brings {n} more.")
TAKING = ("{name} gives away {n}.", "{name} sells {n}.", "{name} loses {n}.")
GROWING = ("The pile grows to {n} times its size.", "Soon there are {n} times as many.")
SHARING = ("{name} keeps one of {n} equal shares.", "They are split into {n} equal parts and one is kept.")
BULK_ADDING = ("{name} buys {m} {holder} of {n}.", "A friend brings {m} {holder} of {n}.")
BULK_TAKING = ("{name} sells {m} {holder} of {n}.", "{name} gives away {m} {holder} of {n}.")
ASKING = ("How many {things} does {name} have?", "How many {things} are left?")

EQUATION = re.compile(r"\s*(\d+)\s*([-+*/])\s*(\d+)\s*=\s*(-?\d+)\s*")
FINAL = re.compile(r"#### (-?\d+)")


@dataclass(frozen=True)
class Problem:
    """A question, the equations that solve it in order (`17*23=391`), and the answer."""

    question: str
    equations: tuple[str, ...]
    answer: int
    demanding: bool = False

    @property
    def prompt(self) -> str:
        """The exact text fed to the model."""
        return self.question + "\n"

    @property
    def completion(self) -> str:
        """The text a perfect model answers with."""
        return "\n".join((*self.equations, f"#### {self.answer}"))


@dataclass(frozen=True)
class Event:
    """One sentence of a story: its text, the equations it costs (one or two), and the value after it."""

    text: str
    equations: tuple[str, ...]
    value: int


def equation_holds(line: str) -> bool:
    """True if `line` is one equation `a op b = c` of whole numbers, and it is true (division must be exact)."""
    parsed = EQUATION.fullmatch(line)
    if parsed is None:
        return False
    left, operation, right, result = int(parsed[1]), parsed[2], int(parsed[3]), int(parsed[4])
    if operation == "/":
        return right != 0 and left == right * result
    return {"+": left + right, "-": left - right, "*": left * right}[operation] == result


def final_answer(completion: str) -> int | None:
    """The number on the first `#### n` line, or None."""
    found = FINAL.search(completion)
    return int(found[1]) if found else None


def chain_holds(completion: str, answer: int) -> bool:
    """True if every worked line is a true equation, the last one ends in the final answer, and that is `answer`."""
    lines = completion.strip().split("\n")
    worked, last = lines[:-1], FINAL.fullmatch(lines[-1].strip())
    if last is None or int(last[1]) != answer or not worked or not all(map(equation_holds, worked)):
        return False
    return int(worked[-1].split("=")[1]) == answer


def make_problem(rng: random.Random, steps: int, demanding: bool = False) -> Problem:
    """A random problem that takes exactly `steps` calculations (1..MAX_STEPS).

    A demanding one has more of what is hard without a calculator: long numbers and products of two-digit factors.
    """
    if not 1 <= steps <= MAX_STEPS:
        raise ValueError(f"a problem has 1 to {MAX_STEPS} steps, not {steps}")
    name, things = rng.choice(NAMES), rng.choice(THINGS)
    value = _log_uniform(rng, 100 if demanding else 3, 999)
    sentences = [f"{name} has {value} {things}."]
    equations: list[str] = []
    while len(equations) < steps:
        event = _next_event(rng, name, value, steps - len(equations), demanding)
        sentences.append(event.text)
        equations.extend(event.equations)
        value = event.value
    sentences.append(rng.choice(ASKING).format(name=name, things=things))
    return Problem(" ".join(sentences), tuple(equations), value, demanding)


def make_benchmark(seed: int) -> list[Problem]:
    """A hundred problems without repeats, from one step to eight, in that order."""
    rng = random.Random(seed)
    problems: dict[str, Problem] = {}
    for steps, count in STEPS_OF_BENCHMARK.items():
        wanted = len(problems) + count
        while len(problems) < wanted:
            problem = make_problem(rng, steps, demanding=len(problems) % 2 == 1)
            problems.setdefault(problem.question, problem)
    return list(problems.values())


def held_out_questions() -> frozenset[str]:
    """Questions that training must never see."""
    return frozenset(p.question for seed in (BENCHMARK_SEED, VALIDATION_SEED) for p in make_benchmark(seed))


def training_problems(seed: int) -> Iterator[Problem]:
    """Problems to train on, without end and without any held-out question."""
    rng, forbidden = random.Random(seed), held_out_questions()
    lengths, weights = list(STEPS_OF_TRAINING), list(STEPS_OF_TRAINING.values())
    while True:
        problem = make_problem(rng, rng.choices(lengths, weights)[0])
        if problem.question not in forbidden:
            yield problem


def benchmark_lines(seed: int = BENCHMARK_SEED) -> list[str]:
    """The benchmark as JSON lines: id, prompt, answer, metadata."""
    return [
        json.dumps(
            {
                "id": f"arith-{number:03d}",
                "prompt": problem.prompt,
                "answer": str(problem.answer),
                "metadata": {"steps": len(problem.equations), "demanding": problem.demanding},
            }
        )
        for number, problem in enumerate(make_benchmark(seed), start=1)
    ]


def _log_uniform(rng: random.Random, low: int, high: int) -> int:
    """A whole number in low..high, every order of magnitude as likely as any other."""
    return min(high, int(low * ((high + 1) / low) ** rng.random()))


def _next_event(rng: random.Random, name: str, value: int, steps_left: int, demanding: bool) -> Event:
    """A random next sentence that the value and the steps left allow."""
    weights = (4, 4, 3, 4, 7) if demanding else (3, 3, 3, 3 if value < 5_000 else 8, 4)
    while True:
        kind = rng.choices(("add", "take", "grow", "share", "bulk"), weights)[0]
        if kind == "bulk" and steps_left >= 2:
            event = _bulk(rng, name, value, 8 if demanding else 3)
        elif kind == "share":
            event = _share(rng, name, value)
        elif kind == "grow":
            event = _grow(rng, name, value, 0.5 if demanding else 0.75)
        elif kind in ("add", "take"):
            event = _change(rng, name, value, kind == "add", 50 if demanding else 2)
        else:
            continue
        if event is not None and 1 <= event.value <= LARGEST_VALUE:
            return event


def _change(rng: random.Random, name: str, value: int, adding: bool, smallest: int) -> Event:
    amount = _log_uniform(rng, smallest, max(smallest, 99, min(9_999, 2 * value)))
    text = rng.choice(ADDING if adding else TAKING).format(name=name, n=amount)
    result = value + amount if adding else value - amount
    return Event(text, (f"{value}{'+' if adding else '-'}{amount}={result}",), result)


def _grow(rng: random.Random, name: str, value: int, one_digit: float) -> Event:
    """Multiply; `one_digit` is the probability of a factor below ten."""
    factor = rng.randint(2, 9) if rng.random() < one_digit else rng.randint(11, 39)
    text = rng.choice(GROWING).format(name=name, n=factor)
    return Event(text, (f"{value}*{factor}={value * factor}",), value * factor)


def _share(rng: random.Random, name: str, value: int) -> Event | None:
    divisors = [d for d in range(2, 40) if value % d == 0 and value > d]
    if not divisors:
        return None
    parts = rng.choice(divisors)
    text = rng.choice(SHARING).format(name=name, n=parts)
    return Event(text, (f"{value}/{parts}={value // parts}",), value // parts)


def _bulk(rng: random.Random, name: str, value: int, smallest: int) -> Event:
    """Two calculations: the size of a lot of at least `smallest` a piece, then the lot added or taken."""
    count, size, adding = rng.randint(2, 39), _log_uniform(rng, smallest, 99), rng.random() < 0.5
    lot = count * size
    result = value + lot if adding else value - lot
    wording = BULK_ADDING if adding else BULK_TAKING
    text = rng.choice(wording).format(name=name, m=count, n=size, holder=rng.choice(HOLDERS))
    return Event(text, (f"{count}*{size}={lot}", f"{value}{'+' if adding else '-'}{lot}={result}"), result)


if __name__ == "__main__":
    sys.stdout.write("\n".join(benchmark_lines()) + "\n")
