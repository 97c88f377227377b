"""`passatk judge`: the real path for one candidate, without a store; always one JSON object."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the sandbox needs Linux")

SQUARE = {
    "task_id": "HumanEval/0",
    "prompt": 'def f(x: int) -> int:\n    """ Square. """\n',
    "canonical_solution": "    return x * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n",
    "entry_point": "f",
}
MBPP = {"task_id": 2, "text": "Square.", "code": "def f(x): return x * x", "test_list": ["assert f(2) == 4"]}
EVALPLUS = {
    "task_id": "HumanEval/0", "prompt": SQUARE["prompt"], "entry_point": "f", "atol": 0,
    "canonical_solution": "    return x * x\n", "base_input": [[2], [3]], "plus_input": [[-1], [0.5]],
}  # fmt: skip
CONTEST = {
    "name": "1_A. Sum",
    "description": "Add.",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["5 5\n"], "output": ["10\n"]},
    "time_limit": {"seconds": 1, "nanos": 0},
}
LIVE = {
    "question_id": "abc", "question_title": "Sum", "question_content": "Add.", "metadata": "{}",
    "public_test_cases": json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
}  # fmt: skip
GSM8K = {"question": "1 + 1?", "answer": "1 + 1 = 2\n#### 2"}
ADD = "a, b = map(int, input().split())\nprint(a + b)\n"


def _run(folder: Path, candidate: str | bytes, problem: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "candidate").write_bytes(candidate.encode() if isinstance(candidate, str) else candidate)
    (folder / "problem.json").write_text(json.dumps(problem))
    command = [str(Path(sys.executable).parent / "passatk"), "judge", "candidate", "--problem", "problem.json"]
    environment = {"PATH": "/usr/bin:/bin", "PASSATK_HOME": str(folder / "home"), "PASSATK_DATABASE_URL": "nowhere"}
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def _verdict(folder: Path, candidate: str | bytes, problem: Any, verifier: str, *arguments: str) -> dict[str, Any]:
    done = _run(folder, candidate, problem, "--verifier", verifier, *arguments)
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert isinstance(verdict, dict)
    return verdict


@pytest.mark.parametrize(
    ("problem", "verifier", "right", "wrong"),
    [
        (SQUARE, "unit-tests", "    return x * x\n", "    return x + x\n"),
        (MBPP, "unit-tests", "```python\ndef f(x):\n    return x ** 2\n```", "def f(x):\n    return 5\n"),
        (EVALPLUS, "unit-tests", "    return x ** 2\n", "    return x * abs(x)\n"),
        (CONTEST, "stdin-tests", ADD, "print(3)"),
        (LIVE, "stdin-tests", f"```python\n{ADD}```", "print(4)"),
        (GSM8K, "answer", "so #### 2", "so #### 3"),
    ],
    ids=["humaneval", "mbpp", "evalplus", "codecontests", "livecodebench", "gsm8k"],
)
def test_records_as_published(tmp_path: Path, problem: Any, verifier: str, right: str, wrong: str) -> None:
    passed = _verdict(tmp_path, right, problem, verifier)
    assert (passed["outcome"], passed["reason"], passed["verifier"]) == ("correct", None, verifier)
    failed = _verdict(tmp_path, wrong, problem, verifier)
    assert (failed["outcome"], failed["reason"]) == ("incorrect", "wrong_answer")
    if verifier != "answer":
        assert failed["tier"] in ("bwrap", "flat")
        assert failed["weak"] is False
        assert failed["detail"]["limits"]["cpu_seconds"] > 0
        assert failed["environment"]["probed"] is True


@pytest.mark.parametrize("candidate", [b"\xff\xfe\x00", b"", "    return '\ud83d\ude00'\n", "import os\nos._exit(0)\n"])
def test_any_candidate_gets_a_verdict(tmp_path: Path, candidate: Any) -> None:
    text = candidate.encode("utf-8", "surrogatepass") if isinstance(candidate, str) else candidate
    verdict = _verdict(tmp_path, text, SQUARE, "unit-tests")
    assert verdict["outcome"] == "incorrect"


def test_a_problem_that_cannot_be_judged_ends_undecided(tmp_path: Path) -> None:
    verdict = _verdict(tmp_path, "x", {"id": "p", "prompt": "?"}, "unit-tests")
    assert (verdict["outcome"], verdict["reason"]) == ("undecided", "verifier_error")
    assert "has no tests" in verdict["detail"]["error"]


def test_without_a_sandbox_every_verdict_says_so(tmp_path: Path) -> None:
    verdict = _verdict(tmp_path, "    return x * x\n", SQUARE, "unit-tests", "--unsafe-no-sandbox")
    assert (verdict["outcome"], verdict["tier"], verdict["environment"]["probed"]) == ("correct", "none", False)


def test_options_reach_the_verifier(tmp_path: Path) -> None:
    loop = "    while True: pass\n"
    verdict = _verdict(tmp_path, loop, SQUARE, "unit-tests", "--option", "cpu_seconds=0.3")
    assert (verdict["reason"], verdict["detail"]["limits"]["cpu_seconds"]) == ("cpu_time", 0.3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--verifier", "nobody"], "verifier 'nobody' is unknown: choose among"),
        (["--verifier", "unit-tests", "--option", "speed=3"], "does not take speed; its options: cpu_seconds"),
        (["--verifier", "unit-tests", "--option", "speed"], "must be NAME=VALUE"),
        (["--verifier", "answer", "--problem", "missing.json"], "missing.json: cannot be read"),
        (["--verifier", "answer", "--problem", "candidate"], "candidate: not JSON"),
    ],
)
def test_what_cannot_be_judged_is_one_line(tmp_path: Path, arguments: list[str], told: str) -> None:
    done = _run(tmp_path, "x", SQUARE, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
