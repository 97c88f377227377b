"""Tests that are inputs of a function with the values it must give: EvalPlus' inputs, LiveCodeBench's functional tests.

The values sit in the tests' source, packed; the judging process unpacks them, the candidate's process never has them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from workers.errors import VerifierBroken
from workers.sandbox.inside.plain_data import NotPlain, decode, encode
from workers.sandbox.limits import TestPlan
from workers.verifiers.protocol import Problem
from workers.verifiers.stdin_formats import ContestProblem

_UNPACK = """
import base64, math
from workers.sandbox.inside.plain_data import decode
_data = decode(base64.b64decode({packed!r}))
"""

_COLLECT = """
values = []
def check(candidate):
    for arguments in _data:
        values.append(candidate(*arguments))
"""

#: Functions of MBPP+ whose values EvalPlus compares as sets; those that need only give something or nothing; those
#: with right answers besides the reference's (its special oracles).
_AS_SETS = frozenset(
    ("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly", "larg_nnum", "find_dissimilar")
) | {"intersection_array", "Diff"}
_SOMETHING = frozenset(("check_str", "text_match_three", "text_starta_endb"))
_GIVES_SOMETHING = """

def {name}(*arguments, _asked={name}):
    value = _asked(*arguments)
    return value if isinstance(value, bool) else value is not None
"""
_ORACLES = """
def _special(name, got, wanted):
    if name in {as_sets!r}:
        return set(got) == set(wanted)
    return name == "are_equivalent" or name == "sum_div" and got == 0
"""

#: The comparison of EvalPlus (Liu et al. 2023, arXiv 2305.01210): equal, or floats of the same shape in a tolerance.
_COMPARE = """
_atol = {atol!r}
def _is_floats(value):
    if isinstance(value, float):
        return True
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(item, float) for item in value)
    return False

def _close(got, wanted, atol):
    if type(got) is not type(wanted):
        return False
    if isinstance(wanted, (list, tuple)):
        return len(got) == len(wanted) and all(_close(one, other, atol) for one, other in zip(got, wanted))
    if isinstance(wanted, float):
        return got == wanted or abs(got - wanted) <= atol + 1e-7 * abs(wanted)
    return got == wanted

def _same(got, wanted, arguments):
    if _find_zero:
        return abs(sum(factor * math.pow(got, power) for power, factor in enumerate(arguments[0]))) <= (_atol or 1e-4)
    if got == wanted or _mbpp and _special(_name, got, wanted):
        return True
    atol = _atol or (1e-6 if _is_floats(wanted) else 0)
    return bool(atol) and _close(got, wanted, atol)

_name, _mbpp = {name!r}, {mbpp!r}
_find_zero = _name == "find_zero" and not _mbpp
def check(candidate):
    for number, (arguments, wanted) in enumerate(_data):
        got = candidate(*arguments)
        assert _same(got, wanted, arguments), f"input {{number}} of {{len(_data)}}: expected {{wanted!r}}"
"""

_FUNCTIONAL = """
def _listed(value):
    return [_listed(item) for item in value] if isinstance(value, (tuple, list)) else value

def check(candidate):
    for number, (arguments, wanted) in enumerate(_data):
        got = _listed(candidate(*arguments))
        assert got == wanted, f"test {number + 1} of {len(_data)}: expected {wanted!r}"
"""

#: What solutions in the style of LeetCode expect to be there.
_PRELUDE = (
    "from typing import *; from collections import *; from itertools import *; from functools import *; "
    "from heapq import *; from bisect import *; from math import *; from string import *; from random import *; "
    "import collections, itertools, functools, heapq, bisect, math, string, random, re, sys, copy, operator\n"
)
_ENTRY = "passatk_entry"


def as_evalplus_asks(problem: Problem, program: str) -> str:
    """The program; where EvalPlus asks only whether a function of MBPP+ gives anything, its value says just that."""
    if evalplus_inputs(problem) is None or not _is_mbpp(problem) or problem.entry_point not in _SOMETHING:
        return program
    return program + _GIVES_SOMETHING.format(name=problem.entry_point)


def _is_mbpp(problem: Problem) -> bool:
    return problem.key.startswith("Mbpp/")


def evalplus_inputs(problem: Problem) -> list[list[Any]] | None:
    """The problem's argument lists, base before plus; None where it has none."""
    found: list[list[Any]] = []
    for name in ("base_input", "plus_input"):
        given = problem.metadata.get(name)
        found += [list(arguments) for arguments in given] if isinstance(given, list) else []
    return found or None


def collecting_plan(inputs: Sequence[Sequence[Any]], entry_point: str) -> TestPlan:
    """Tests that pass whatever comes and bring the values of all inputs back."""
    return TestPlan(_unpack(list(inputs)) + _COLLECT, entry_point, collect="values")


def collected(detail: Any) -> list[Any]:
    """The values that came back. Raises VerifierBroken."""
    try:
        return list(decode(base64.b64decode(detail["collected"])))
    except (KeyError, NotPlain, TypeError) as error:
        raise VerifierBroken(f"the reference's values cannot be read: {error}") from None


def comparing_plan(problem: Problem, inputs: Sequence[Sequence[Any]], values: Sequence[Any]) -> TestPlan:
    """Tests that compare a candidate's values with the reference's."""
    pairs = list(zip(inputs, values, strict=True))
    name = problem.entry_point or ""
    atol = float(problem.metadata.get("atol") or 0)
    oracles = _ORACLES.format(as_sets=sorted(_AS_SETS))
    compare = _COMPARE.format(atol=atol, name=name, mbpp=_is_mbpp(problem))
    return TestPlan(_unpack(pairs) + oracles + compare, name)


def functional_plan(contest: ContestProblem, key: str) -> TestPlan:
    """Tests of a contest's function: arguments are JSON, one a line. Raises VerifierBroken where they are not."""
    try:
        pairs = [
            ([json.loads(line) for line in test.input.splitlines() if line.strip()], json.loads(test.output))
            for test in contest.functional
        ]
    except ValueError as error:
        raise VerifierBroken(f"a functional test of problem {key} is no JSON: {error}") from None
    if not contest.function:
        raise VerifierBroken(f"problem {key} has functional tests but no `func_name`")
    return TestPlan(_unpack(pairs) + _FUNCTIONAL, _ENTRY)


def functional_program(program: str, function: str) -> str:
    """The candidate with what it expects to be there, and one function that finds the one to be called."""
    return (
        f"{_PRELUDE}{program}\n\n"
        f"def {_ENTRY}(*arguments):\n"
        f"    found = globals().get({function!r})\n"
        f"    return (found if found is not None else getattr(Solution(), {function!r}))(*arguments)\n"
    )


def _unpack(value: Any) -> str:
    return _UNPACK.format(packed=base64.b64encode(encode(value)).decode("ascii"))
