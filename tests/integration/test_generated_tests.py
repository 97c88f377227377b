"""Generated tests from file to matrix: imported once, judged pair by pair, hostile programs and tests kept apart."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from store.benchmarks import import_benchmark
from store.errors import PassatkError
from store.generated_tests import SuiteExists, import_tests
from store.tests_cli import tests as command
from workers.errors import SandboxUnavailable
from workers.verifiers.generated_tests import GeneratedTests
from workers.verifiers.protocol import GeneratedTest, Judgement, Problem

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the sandbox needs Linux")

TESTS = [
    "assert f(2) == 4",
    "assert f(3) == 10",
    "assert [f(n) for n in (1, 2)] == [1, 4]",
    "assert f(-1) == 1",
    "assert f(2 ==",
    "import os\nos._exit(0)",
    "assert f(5) == 25",
]


@pytest.fixture(scope="module", params=["bwrap", "flat"])
def verifier(request: pytest.FixtureRequest) -> Iterator[GeneratedTests]:
    verifier = GeneratedTests(cpu_seconds=0.3, wall_seconds=2.5, tier=request.param, memory_bytes=256 << 20)
    try:
        assert verifier.sandbox.tier == request.param
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    yield verifier
    verifier.close()


def _problem(*tests: str | tuple[str, str]) -> Problem:
    made = [
        GeneratedTest(100 + n, test) if isinstance(test, str) else GeneratedTest(100 + n, *test)
        for n, test in enumerate(tests)
    ]
    return Problem("p", "def f(x):\n", entry_point="f", generated_tests=made)


def _row(judgement: Judgement) -> list[str | None]:
    assert [test.test_id for test in judgement.tests] == list(range(100, 100 + len(judgement.tests)))
    return [test.reason and test.reason.value for test in judgement.tests]


def test_every_pair_has_its_outcome(verifier: GeneratedTests) -> None:
    hangs = "    while x < 0: pass\n    return x * x\n"
    programs = ["    return x * x\n", "    return {}[x]\n", "    return (\n", hangs]
    square, crash, syntax, negative = verifier.judge(_problem(*TESTS), programs)
    assert _row(square) == [None, "wrong_answer", None, None, "compile_error", "exception", None]
    assert square.score == pytest.approx(4 / 7)
    assert (square.outcome, square.reason, square.weak) == ("incorrect", "wrong_answer", True)
    assert _row(crash) == ["exception"] * 4 + ["compile_error", "exception", "exception"]
    assert _row(syntax) == ["compile_error"] * 7
    assert _row(negative) == [None, "wrong_answer", None, "cpu_time", "compile_error", "exception", None]


def test_strong_where_every_test_is_plain(verifier: GeneratedTests) -> None:
    (judgement,) = verifier.judge(_problem("assert f(2) == 4", "assert f(1) == f(-1)"), ["    return x * x\n"])
    assert (judgement.outcome, judgement.score, judgement.weak) == ("correct", 1.0, False)


@pytest.mark.parametrize(
    "program",
    [
        "    import os\n    os._exit(0)\n",
        "    raise SystemExit\n",
        "    class A:\n        def __eq__(self, other): return True\n    return A()\n",
        "    import time\n    time.sleep(60)\n",
        "    return 'x' * (1 << 40)\n",
        "    import os\n    [os.write(n, b'x') for n in range(3, 9)]\n    return 0\n",
    ],
    ids=["exit", "SystemExit", "equal to all", "sleep", "memory", "descriptors"],
)
def test_hostile_candidates_pass_nothing_and_harm_nobody(verifier: GeneratedTests, program: str) -> None:
    hostile, next_one = verifier.judge(
        _problem("assert f(2) == 4", "assert f(3) == 9"), [program, "    return x * x\n"]
    )
    assert (hostile.outcome, hostile.score) == ("incorrect", 0.0)
    assert (next_one.outcome, next_one.weak) == ("correct", False)


def test_a_candidate_that_never_ends_is_not_run_for_ever(verifier: GeneratedTests) -> None:
    (judgement,) = verifier.judge(_problem(*["assert f(2) == 4"] * 40), ["    while True: pass\n"])
    assert _row(judgement) == ["cpu_time"] * 40
    assert judgement.seconds < 3.0


def test_stdin_tests_all_run(verifier: GeneratedTests) -> None:
    problem = _problem(("1\n", "2\n"), ("2\n", "5\n"), ("3\n", "6\n"))
    double, broken = verifier.judge(problem, ["print(2 * int(input()))", "print("])
    assert _row(double) == [None, "wrong_answer", None]
    assert double.score == pytest.approx(2 / 3)
    assert _row(broken) == ["compile_error"] * 3


def test_without_tests_nothing_is_decided(verifier: GeneratedTests) -> None:
    (judgement,) = verifier.judge(_problem(), ["    return 1\n"])
    assert judgement.outcome == "undecided"
    assert "no generated tests in suite *" in str(judgement.detail)


class TestImport:
    def _benchmark(self, workshop: Any) -> None:
        lines = [
            {"task_id": f"HumanEval/{n}", "prompt": f"def f{n}(x):\n", "canonical_solution": "    return x\n",
             "test": "def check(c):\n    assert c(1) == 1\n", "entry_point": f"f{n}"}
            for n in range(2)
        ]  # fmt: skip
        import_benchmark(workshop.file("problems.jsonl", lines), "humaneval", "humaneval")

    def _file(self, workshop: Any, *assertions: str) -> Path:
        lines = [{"task_id": "HumanEval/1", "samples": list(assertions)}, {"task_id": "HumanEval/0", "samples": ["\n"]}]
        return workshop.file("tests.jsonl", lines)

    def test_once_and_never_changed(self, workshop: Any) -> None:
        self._benchmark(workshop)
        path = self._file(workshop, "f1(1) == 1", "f1(2) == 2")
        found = import_tests(path, "humaneval", "model", 5)
        assert (found.new, found.tests, found.problems) == (2, 2, 1)
        assert import_tests(path, "humaneval", "model", 5).new == 0
        rows = workshop.rows("SELECT suite, position, code, expected FROM store.generated_tests ORDER BY 2")
        assert rows == [("model", 0, "assert f1(1) == 1", None), ("model", 1, "assert f1(2) == 2", None)]
        with pytest.raises(SuiteExists, match=r'Suite "model" of humaneval@.* holds other tests'):
            import_tests(self._file(workshop, "f1(3) == 3"), "humaneval", "model", 5)
        with pytest.raises(PassatkError, match="is no name for a suite"):
            import_tests(path, "humaneval", "*", 5)

    def test_commands(self, workshop: Any) -> None:
        self._benchmark(workshop)
        path = self._file(workshop, "f1(1) == 1")
        arguments = ["import", str(path), "--benchmark", "humaneval", "--suite", "model"]
        said = CliRunner().invoke(command, arguments, catch_exceptions=False).output
        assert "1 tests for 1 problems stored" in said
        assert "--option suite=model" in said
        said = CliRunner().invoke(command, arguments, catch_exceptions=False).output
        assert "nothing changed" in said
        said = CliRunner().invoke(command, ["list", "--benchmark", "humaneval"], catch_exceptions=False).output
        assert said == "model  1 tests for 1 problems\n"
