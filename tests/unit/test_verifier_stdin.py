"""Contest problems as they are published, programs out of completions, and when an output is right."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from typing import Any

import pytest

from store.errors import PassatkError
from workers.errors import VerifierBroken
from workers.verifiers.output_check import Checker
from workers.verifiers.protocol import Problem
from workers.verifiers.stdin_formats import ContestTest, contest_problem
from workers.verifiers.stdin_tests import contest_program, contest_solutions


class TestChecker:
    @pytest.mark.parametrize(
        ("expected", "printed"),
        [
            ("1 2 3\n", "1\n2   3"),
            ("0.333333", "0.33333333"),
            ("3", "3.000001"),
            ("1000000.0", "1000003.0"),
            ("1e3", "1000"),
            ("-0.0", "0"),
            ("007", "7"),
            ("", "\n\n"),
            ("inf", "inf"),
        ],
    )
    def test_right(self, expected: str, printed: str) -> None:
        assert Checker().difference(expected, printed.encode()) is None

    @pytest.mark.parametrize(
        ("expected", "printed"),
        [
            ("1 2 3", "1 2"),
            ("1 2", "1 2 3"),
            ("yes", "YES"),
            ("0.3333", "0.3334"),
            ("1000000000000", "1000000000001"),
            ("1_0", "10"),
            ("1", "nan"),
            ("1e999", "1e998"),
            ("1", "١"),
            ("a", ""),
        ],
    )
    def test_wrong(self, expected: str, printed: str) -> None:
        found = Checker().difference(expected, printed.encode())
        assert found is not None
        assert (found["expected"], found["got"]) == (expected, printed)

    def test_case_where_the_benchmark_says_so(self) -> None:
        assert Checker(ignore_case=True).difference("Yes", b"yES") is None

    def test_lines_must_agree_where_lines_count(self) -> None:
        assert Checker("lines").difference("1 2\n3\n", b"1  2 \n3\n\n") is None
        found = Checker("lines").difference("1 2\n3\n", b"1\n2 3\n")
        assert found is not None
        assert found["difference"] == "line 1: 2 tokens expected, 1 printed"

    def test_bytes_that_are_no_text_are_no_answer(self) -> None:
        assert Checker().difference("a", b"\xff\x00a") is not None

    def test_described(self) -> None:
        assert Checker.of("lines") == Checker("lines")
        assert Checker.of({"ignore_case": True}) == Checker(ignore_case=True)
        for wrong in ("words", {"kind": "x"}, {"tolerance": 1}):
            with pytest.raises(PassatkError, match="is unknown: kind tokens or lines"):
                Checker.of(wrong)


def _contest(**metadata: Any) -> Any:
    return contest_problem(Problem("p", "?", metadata=metadata))


class TestFormats:
    def test_our_own(self) -> None:
        tests = [{"input": "1", "output": "2", "kind": "public"}, {"input": "3", "output": "4"}]
        found = _contest(stdin_tests=tests, time_limit=2, memory_limit_bytes=7, checker={"ignore_case": True})
        assert found.stdin == [ContestTest("1", "2", "public"), ContestTest("3", "4")]
        assert (found.time_limit, found.memory_bytes, found.checker) == (2.0, 7, Checker(ignore_case=True))

    def test_codecontests(self) -> None:
        found = _contest(
            public_tests={"input": ["a"], "output": ["A"]},
            private_tests={"input": ["b", "c"], "output": ["B", "C"]},
            generated_tests={"input": ["d"], "output": ["D"]},
            time_limit={"seconds": 1, "nanos": 500_000_000},
        )
        assert [(test.input, test.kind) for test in found.stdin] == [
            ("a", "public"), ("b", "private"), ("c", "private"), ("d", "generated"),
        ]  # fmt: skip
        assert found.checker == Checker(ignore_case=True)
        assert found.time_limit == 7.5
        assert found.first_block
        assert not _contest(stdin_tests=[]).first_block
        assert _contest(stdin_tests=[], program_block="first").first_block

    @pytest.mark.parametrize("packed", [False, True])
    def test_livecodebench(self, packed: bool) -> None:
        cases = [
            {"input": "1\n", "output": "2\n", "testtype": "stdin"},
            {"input": "[1]\n2", "output": "3", "testtype": "functional"},
        ]
        private = json.dumps(cases)
        if packed:
            private = base64.b64encode(zlib.compress(pickle.dumps(private))).decode()
        found = _contest(public_test_cases="[]", private_test_cases=private, metadata='{"func_name": "solve"}')
        assert found.stdin == [ContestTest("1\n", "2\n", "private")]
        assert found.functional == [ContestTest("[1]\n2", "3", "private")]
        assert (found.function, found.checker.kind) == ("solve", "lines")

    def test_a_packed_program_is_not_run(self) -> None:
        class Hostile:
            def __reduce__(self) -> Any:
                return print, ("run",)

        packed = base64.b64encode(zlib.compress(pickle.dumps(Hostile()))).decode()
        with pytest.raises(VerifierBroken, match=r"cannot be read: NotPlain builtins\.print"):
            _contest(private_test_cases=packed)

    @pytest.mark.parametrize(
        "metadata", [{"stdin_tests": [{"input": "1"}]}, {"public_tests": {"input": ["1"], "output": []}}]
    )
    def test_broken_tests_are_the_verifiers_trouble(self, metadata: Any) -> None:
        with pytest.raises(VerifierBroken, match="tests of problem p cannot be read"):
            _contest(**metadata)

    def test_solutions_in_python_3(self) -> None:
        table = {"language": [1, 3, 2, "PYTHON3"], "solution": ["two", "three", "c++", "also"]}
        assert contest_solutions(Problem("p", "?", metadata={"solutions": table})) == ["three", "also"]
        assert contest_solutions(Problem("p", "?", metadata={"incorrect_solutions": ["x"]}), "incorrect_solutions") == [
            "x"
        ]


@pytest.mark.parametrize(
    ("completion", "program"),
    [
        ("print(1)", "print(1)"),
        ("Think.\n```python\nprint(1)\n```\nDone.", "print(1)\n"),
        ("```\nfirst\n```\nand\n```py\nsecond\n```", "second\n"),
        ("```cpp\nint main;\n```\ntext\n```python\nprint(2)\n```", "print(2)\n"),
        ("```cpp\nint main;\n```\nno more", ""),
        ("```python\nprint(3)", "print(3)"),
        ("", ""),
    ],
)
def test_the_program_in_a_completion(completion: str, program: str) -> None:
    assert contest_program(completion) == program


def test_the_first_block_where_that_is_wanted() -> None:
    assert contest_program("```\nfirst\n```\nand\n```py\nsecond\n```", first=True) == "first\n"
