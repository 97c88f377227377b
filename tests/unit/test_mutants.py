"""Mutants are Python, differ from the program and from each other, and are few."""

from __future__ import annotations

import ast

from workers.verifiers.mutants import mutants

PROGRAM = """def f(numbers, limit):
    total = 0
    for n in numbers:
        if n < limit and n != 3:
            total += n * 2
    return total + 1
"""


def test_each_changes_one_place() -> None:
    made = mutants(PROGRAM, 100)
    assert len(made) == len(set(made)) >= 8
    for text in made:
        ast.parse(text)
    assert any("n <= limit" in text for text in made)
    assert any("n == 3" in text for text in made)
    assert any("n + 2" in text for text in made)
    assert any("or n != 3" in text for text in made)
    assert any("return None" in text for text in made)
    assert any("total = 1" in text for text in made)
    assert ast.unparse(ast.parse(PROGRAM)) + "\n" not in made


def test_few_and_the_same_each_time() -> None:
    assert len(mutants(PROGRAM, 4)) == 4
    assert mutants(PROGRAM, 4) == mutants(PROGRAM, 4)
    assert "return None" in mutants(PROGRAM, 1)[0] or len(mutants(PROGRAM, 1)) == 1
    assert mutants(PROGRAM, 0) == []


def test_what_is_no_program_has_none() -> None:
    assert mutants("def f(", 5) == []
    assert mutants("x\0", 5) == []
