"""Worked equations found in running text and evaluated exactly: no eval, rational numbers, bounded sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

#: Beyond these sizes an equation is not evaluated (and so not true): nobody works with such numbers by hand.
MAX_DIGITS = 40
MAX_TOKENS = 64
MAX_LINES = 5_000

_TOKEN = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?|\.\d+)|(?P<op>[-+*/()=])|(?P<other>\S)", re.ASCII
)
_SPELLINGS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "$": " ", "€": " ", "£": " "})
_TIMES = re.compile(r"(?<=[\d\s)])\s*[xX]\s*(?=[\d\s(.])")
_CALCULATOR = re.compile(r"<<([^<>\n]*)>>")
_BULLET = re.compile(r"^\s*[-*•]\s+")


@dataclass(frozen=True)
class Equation:
    """One worked equation as written, whether it holds exactly, and the value on its right (None: too large)."""

    text: str
    holds: bool
    result: Fraction | None


class _NotArithmetic(ValueError):
    """These tokens are no expression."""


class _TooLarge(ValueError):
    """A number or an expression is beyond what is evaluated."""


def equations(text: str) -> Iterator[Equation]:
    """Every `expression = expression` of `text` with at least one operation in it, line by line, in order.

    Calculator notes of GSM8K (`<<3*4=12>>`) count as equations of their own and vanish from the sentence around them.
    """
    for line in text.splitlines()[:MAX_LINES]:
        for note in _CALCULATOR.findall(line):
            yield from _equations_of_line(note)
        yield from _equations_of_line(_BULLET.sub("", _CALCULATOR.sub("", line)))


def _equations_of_line(line: str) -> Iterator[Equation]:
    for run in _runs(_TIMES.sub("*", line.translate(_SPELLINGS))):
        sides = _split_sides(run)
        for left, right in pairwise(sides):
            equation = _equation(left, right)
            if equation is not None:
                yield equation


def _runs(line: str) -> Iterator[list[str]]:
    """Stretches of arithmetic tokens without a word between them."""
    run: list[str] = []
    for match in _TOKEN.finditer(line):
        if match.lastgroup == "other":
            yield run
            run = []
        else:
            run.append(match.group())
    yield run


def _split_sides(run: list[str]) -> list[list[str]]:
    sides: list[list[str]] = [[]]
    for token in run:
        if token == "=":
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


def _equation(left: list[str], right: list[str]) -> Equation | None:
    """The equation of two neighbouring sides: the longest expression that ends, and the longest that begins, at `=`."""
    if len(left) > MAX_TOKENS or len(right) > MAX_TOKENS:
        return Equation(" ".join(left)[:60] + " ...", False, None)
    before = next((left[start:] for start in range(len(left)) if _parses(left[start:])), None)
    after = next((right[:end] for end in range(len(right), 0, -1) if _parses(right[:end])), None)
    if before is None or after is None or (_is_number(before) and _is_number(after)):
        return None
    text = f"{' '.join(before)} = {' '.join(after)}"
    try:
        value, result = _evaluate(before), _evaluate(after)
    except (_TooLarge, ZeroDivisionError):
        return Equation(text[:200], False, None)
    return Equation(text, value == result, result)


def _is_number(tokens: list[str]) -> bool:
    return len(tokens) == 1 or (len(tokens) == 2 and tokens[0] == "-")


def _parses(tokens: list[str]) -> bool:
    try:
        _evaluate(tokens)
    except _NotArithmetic:
        return False
    except (_TooLarge, ZeroDivisionError):
        return True
    return True


def _evaluate(tokens: list[str]) -> Fraction:
    value, rest = _sum(tokens, 0)
    if rest != len(tokens):
        raise _NotArithmetic
    return value


def _sum(tokens: list[str], at: int) -> tuple[Fraction, int]:
    value, at = _product(tokens, at)
    while at < len(tokens) and tokens[at] in "+-":
        term, after = _product(tokens, at + 1)
        value, at = (value + term if tokens[at] == "+" else value - term), after
    return value, at


def _product(tokens: list[str], at: int) -> tuple[Fraction, int]:
    value, at = _factor(tokens, at)
    while at < len(tokens) and tokens[at] in "*/":
        factor, after = _factor(tokens, at + 1)
        value, at = (value * factor if tokens[at] == "*" else value / factor), after
    return value, at


def _factor(tokens: list[str], at: int) -> tuple[Fraction, int]:
    if at >= len(tokens):
        raise _NotArithmetic
    if tokens[at] == "-":
        value, at = _factor(tokens, at + 1)
        return -value, at
    if tokens[at] == "(":
        value, at = _sum(tokens, at + 1)
        if at >= len(tokens) or tokens[at] != ")":
            raise _NotArithmetic
        return value, at + 1
    if not (tokens[at][0].isdigit() or tokens[at][0] == "."):
        raise _NotArithmetic
    if len(tokens[at]) > MAX_DIGITS:
        raise _TooLarge
    return Fraction(tokens[at].replace(",", "")), at + 1
