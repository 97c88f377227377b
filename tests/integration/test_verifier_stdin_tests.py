"""Whole programs with stdin tests through the real sandbox: right ones pass, each way to fail has its reason."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Any

import pytest

from workers.errors import SandboxUnavailable
from workers.verifiers.protocol import Judgement, Problem
from workers.verifiers.stdin_tests import StdinTests

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the sandbox needs Linux")

TESTS = [{"input": f"{n} {n + 1}\n", "output": f"{2 * n + 1}\n"} for n in range(5)]
SUM = Problem("sum", "Print the sum.", metadata={"stdin_tests": TESTS, "time_limit": 0.5})
RIGHT = "a, b = map(int, input().split())\nprint(a + b)\n"


@pytest.fixture(scope="module", params=["bwrap", "flat"])
def verifier(request: pytest.FixtureRequest) -> Iterator[StdinTests]:
    verifier = StdinTests(tier=request.param, wall_seconds=1.5, output_bytes=1 << 18, memory_bytes=256 << 20)
    try:
        assert verifier.sandbox.tier == request.param
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    yield verifier
    verifier.close()


def _detail(judgement: Judgement) -> dict[str, Any]:
    return dict(judgement.detail or {})


GOOD = {
    "plain": RIGHT,
    "fenced": f"Here:\n```python\n{RIGHT}```",
    "sys.stdin": "import sys\nprint(sum(map(int, sys.stdin.read().split())))",
    "buffer": "import sys\nprint(sum(map(int, sys.stdin.buffer.readline().split())))",
    "descriptor 0": "import os\nos.write(1, str(sum(map(int, os.read(0, os.fstat(0).st_size).split()))).encode())",
    "open(0)": "print(sum(map(int, open(0).read().split())))",
    "fast output": (
        "import atexit, io, sys\nheld = io.StringIO()\nsys.stdout = held\n"
        "atexit.register(lambda: sys.__stdout__.write(held.getvalue()))\n" + RIGHT
    ),
    "thread": (
        "import sys, threading\nsys.setrecursionlimit(1 << 20)\nthreading.stack_size(1 << 26)\n"
        "def deep(n): return 0 if n == 0 else 1 + deep(n - 1)\n"
        "def main():\n    assert deep(20000) == 20000\n    print(sum(map(int, input().split())))\n"
        "thread = threading.Thread(target=main)\nthread.start()\n"
    ),
    "main guard": "def main():\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()\n",
    "exit()": RIGHT + "exit()\n",
    "sys.exit(0)": RIGHT + "import sys\nsys.exit(0)\n",
    "dataclass": (
        "from __future__ import annotations\nimport dataclasses, pickle\n@dataclasses.dataclass\nclass P:\n    x: int\n"
        "a, b = map(int, input().split())\nprint(pickle.loads(pickle.dumps(P(a + b))).x)\n"
    ),
    "stderr": "import sys\nprint('thinking', file=sys.stderr)\n" + RIGHT,
}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_right_programs_pass(verifier: StdinTests, name: str) -> None:
    (judgement,) = verifier.judge(SUM, [GOOD[name]])
    assert judgement.outcome == "correct", judgement
    assert (judgement.weak, _detail(judgement)["tests_passed"]) == (False, 5)


BAD = {
    "wrong_answer": ("print(3)", 0),
    "exception": ("a, b = map(int, input().split())\nif a == 3: 1 / 0\nprint(a + b)", 3),
    "compile_error": ("print(", 0),
    "cpu_time": (RIGHT + "while True: pass", 0),
    "wall_time": (RIGHT + "import time\ntime.sleep(60)", 0),
    "memory": ("held = 'x' * (1 << 40)", 0),
    "output_limit": ("while True: print('x' * 1000)", 0),
    "forbidden": ("import os\nos.fork()", 0),
    "no_answer": ("```cpp\nint main;\n```", None),
}


@pytest.mark.parametrize("reason", sorted(BAD))
def test_every_way_to_fail_has_its_reason(verifier: StdinTests, reason: str) -> None:
    program, failed = BAD[reason]
    (judgement,) = verifier.judge(SUM, [program])
    assert (judgement.outcome, judgement.reason) == ("incorrect", reason), judgement
    if failed is not None:
        assert _detail(judgement)["failed_test"] == failed


def test_what_is_kept_of_a_failure(verifier: StdinTests) -> None:
    wrong, broken, left = verifier.judge(
        SUM, ["print(7)", "import sys\nprint('note', file=sys.stderr)\nint('x')", RIGHT + "import sys\nsys.exit(3)"]
    )
    kept = _detail(wrong)
    assert (kept["input"], kept["expected"], kept["got"]) == ("0 1\n", "1\n", "7\n")
    assert kept["difference"] == "token 1: expected '1', got '7'"
    assert kept["limits"]["cpu_seconds"] == 0.5
    assert _detail(broken)["exit_code"] == 1
    assert "ValueError: invalid literal" in _detail(broken)["stderr_tail"]
    assert (left.reason, _detail(left)["exit_code"]) == ("exception", 3)


def test_a_batch_with_hostile_programs_judges_each_by_itself(verifier: StdinTests) -> None:
    scratch = "try:\n    print(open('/tmp/left').read())\nexcept OSError:\n    pass\n"
    scratch += "try:\n    open('/tmp/left', 'w').write('7')\nexcept OSError:\n    pass\n" + RIGHT
    programs = [RIGHT, "import os\nos.kill(os.getpid(), 9)", scratch, "import os\nos.closerange(0, 99)", RIGHT + "#"]
    found = [judgement.outcome for judgement in verifier.judge(SUM, programs)]
    assert found == ["correct", "incorrect", "correct", "incorrect", "correct"]


def test_functions_of_livecodebench(verifier: StdinTests) -> None:
    cases = [{"input": "[3, 1, 2]\n2", "output": "[1, 2]", "testtype": "functional"}]
    problem = Problem("lcb", "?", metadata={"public_test_cases": cases, "metadata": {"func_name": "least"}})
    method = "class Solution:\n    def least(self, numbers: List[int], k: int) -> List[int]:\n"
    completions = [
        method + "        return sorted(numbers)[:k]\n",
        "def least(numbers, k):\n    return tuple(heapq.nsmallest(k, numbers))\n",
        method + "        return numbers\n",
    ]
    right, also, wrong = verifier.judge(problem, completions)
    assert (right.outcome, also.outcome, wrong.outcome) == ("correct", "correct", "incorrect")
    assert _detail(wrong)["message"] == "test 1 of 1: expected [1, 2]"


def test_limits_follow_the_references_time(verifier: StdinTests) -> None:
    slow = "for _ in range(3 * 10 ** 6): pass\n" + RIGHT
    problem = Problem(
        "slow", "?", metadata={**SUM.metadata, "stdin_tests": TESTS[:1], "solutions": [slow], "time_limit": 0.001}
    )
    strict = StdinTests(tier=verifier.sandbox.tier)
    patient = StdinTests(tier=verifier.sandbox.tier, limit_factor=50)
    try:
        assert strict.judge(problem, [slow])[0].reason == "cpu_time"
        (judgement,) = patient.judge(problem, [slow])
    finally:
        strict.close()
        patient.close()
    assert judgement.outcome == "correct"
    assert _detail(judgement)["limits"]["cpu_seconds"] >= 1.0
