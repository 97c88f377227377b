"""Files of generated tests, and the interpreter that walks plain assertions without executing them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from store.benchmark_formats import BadFile
from store.test_formats import ProblemNames, WrittenTest, assertions, read_tests
from workers.sandbox.inside.plain_expressions import Evaluation, TooLarge, plain_assertion

PROBLEMS = [
    ProblemNames(7, "HumanEval/0", "def f(x):\n", "f"),
    ProblemNames(8, "HumanEval/1", "def f(x):\n    '''", "f"),
]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("f(2) == 4\nassert f(3)==9", ["assert f(2) == 4", "assert f(3) == 9"]),
        ("\tf(2) == 4, 'two'\nassert \tf(2)==4, 'two'\n", ["assert f(2) == 4, 'two'"]),
        ("f(\n  2\n) == 4\nassert f(3) ==", ["assert f(2) == 4"]),
        ("f(2) == 4\nmore words here", ["assert f(2) == 4"]),
        ("f(2) == 4\ndef g(): pass\nassert f(3) == 9", ["assert f(2) == 4"]),
        ("____ == f(3)", ["assert ____ == f(3)"]),
        ("g(2) == 4\nassert True\nassert 'f(2)'", []),
        ("\n", []),
        ("f(" + "(" * 5000, []),
        ("f(2) == '\x00'", []),
    ],
)
def test_assertions_in_what_a_model_wrote(written: str, found: list[str]) -> None:
    assert assertions(written, "f") == found


def _file(folder: Path, *lines: Any) -> Path:
    path = folder / "tests.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_tests_of_each_problem_each_once(tmp_path: Path) -> None:
    many = "f(1) == 1\nassert f(2) == 2\nassert f(3) == 3"
    path = _file(
        tmp_path,
        {
            "task_id": "HumanEval/0",
            "prompt": "def f(x):\n    pass\nassert ",
            "samples": [many, "f(2) == 2", "f(4) == 4"],
        },
        {"prompt": "def f(x):\n    '''\n    pass\nassert ", "samples": ["f(5) == 5"]},
        {"task_id": "HumanEval/1", "tests": ["assert f(6) == 6", {"input": "1\n", "output": "2\n"}]},
    )
    found = read_tests(path, PROBLEMS, per_sample=2)
    assert found == {
        7: [WrittenTest(f"assert f({n}) == {n}") for n in (1, 2, 4)],
        8: [WrittenTest("assert f(5) == 5"), WrittenTest("assert f(6) == 6"), WrittenTest("1\n", "2\n")],
    }
    assert len(read_tests(path, PROBLEMS, per_sample=0)[7]) == 4


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"task_id": "HumanEval/9", "samples": []}, 'problem "HumanEval/9" is not in the benchmark'),
        ({"samples": []}, 'field "task_id" or "prompt" is missing'),
        ({"prompt": "class", "samples": []}, "begins with no problem's prompt"),
        ({"task_id": "HumanEval/0"}, 'field "samples" must be a list of texts'),
        ({"task_id": "HumanEval/0", "tests": [3]}, "a test must be text"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: Any, told: str) -> None:
    with pytest.raises(BadFile, match=r"tests\.jsonl:1: .*" + told):
        read_tests(_file(tmp_path, line), PROBLEMS, 5)


def _value(source: str) -> Any:
    condition = plain_assertion(source, "f")
    assert condition is not None
    return Evaluation("f", lambda arguments, keywords: sum(arguments) * keywords.get("times", 1)).value(condition)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("assert f(2, 3) == 5", True),
        ("assert f(2, times=3) == 6, 'message'", True),
        ("assert not f(1, -1)", True),
        ("assert f(1) is True", False),
        ("assert 1 < f(2) <= 2", True),
        ("assert f(f(1), 2) == 3 and f(0) or f(1)", True),
        ("assert abs(f(0.1, 0.2) - 0.3) < 1e-9", True),
        ("assert math.isclose(f(math.pi), 3.14159, rel_tol=1e-3)", True),
        ("assert sorted([f(3), f(1)])[0] == 1", True),
        ("assert [f(1), 2] == [1, 2][:2] and (f(1),) == (1,) and {f(1): 2} == {1: 2}", True),
        ("assert f(2) in {1, 2}", True),
        ("assert f(-5 // 2 % 4 + 2 ** 3) != 0", True),
    ],
)
def test_plain_assertions_are_walked(source: str, value: Any) -> None:
    assert _value(source) == value


@pytest.mark.parametrize(
    "source",
    [
        "assert __import__('os').system('id') == f(1)", "assert f(1).real", "assert [f(n) for n in (1, 2)]",
        "assert (lambda: f(1))()", "assert f(*[1])", "assert f(**{})", "assert g(f(1))", "assert x == f(1)",
        "f(1) == 1",
        "assert f(1) == 1; print(1)", "assert True", "assert f(1) == open", "assert f'{f(1)}'", "assert {**f(1)}",
        "assert math.factorial(f(3))", "assert (x := f(1))", "assert f",
    ],
)  # fmt: skip
def test_anything_else_is_left_to_the_candidates_process(source: str) -> None:
    assert plain_assertion(source, "f") is None


@pytest.mark.parametrize(
    "source", ["assert f(9 ** 9 ** 9)", "assert f(1) == 'a' * 10 ** 9", "assert '%9999999999d' % f(1)"]
)
def test_values_stay_small(source: str) -> None:
    with pytest.raises(TooLarge):
        _value(source)
