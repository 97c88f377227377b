"""From completions to programs, and the details that may go into a database."""

from __future__ import annotations

import pytest

from workers.errors import VerifierBroken
from workers.verifiers.in_sandbox import clean
from workers.verifiers.programs import plan_of, program_of
from workers.verifiers.protocol import Problem

PROMPT = 'import math\n\ndef half(x):\n    return x / 2\n\ndef f(x: int) -> int:\n    """ Square. """\n'
HUMANEVAL = Problem("HumanEval/0", PROMPT, tests="def check(c):\n    assert c(2) == 4\n", entry_point="f")
MBPP = Problem(
    "mbpp/2", "Write a function.", metadata={"test_list": ["assert f(2) == 4"], "test_imports": ["import math"]}
)
WHOLE = "def f(x):\n    return x * x\n"


def test_a_completion_continues_the_prompt() -> None:
    assert program_of(HUMANEVAL, "    return x * x\n") == PROMPT + "    return x * x\n"


@pytest.mark.parametrize("fence", ["```python\n", "```py\n", "```\n", "``` Python\n"])
def test_a_fenced_function_replaces_the_prompts(fence: str) -> None:
    answer = f"Sure! Here it is:\n\n{fence}{WHOLE}```\nIt squares."
    assert program_of(HUMANEVAL, answer) == PROMPT[: PROMPT.index("def f")] + "\n" + WHOLE


def test_a_whole_program_replaces_the_prompts_function() -> None:
    before = PROMPT[: PROMPT.index("def f")] + "\n"
    assert program_of(HUMANEVAL, WHOLE) == before + WHOLE
    assert program_of(HUMANEVAL, "import os\n" + WHOLE) == before + "import os\n" + WHOLE
    again = "    return x * x\n\n" + WHOLE
    assert program_of(HUMANEVAL, again) == PROMPT + again
    bare = Problem("p", "def f(x):\n", tests=HUMANEVAL.tests, entry_point="f")
    compile(program_of(bare, WHOLE), "p", "exec")


def test_the_block_with_the_function_is_chosen() -> None:
    answer = f"First:\n```python\nprint(1)\n```\nthen\n```python\n{WHOLE}```\n"
    assert program_of(HUMANEVAL, answer).endswith(WHOLE)
    unclosed = f"```python\n{WHOLE}"
    assert program_of(HUMANEVAL, unclosed).endswith(WHOLE)
    elsewhere = "    return x * x\n\n```python\nprint(f(2))\n```\n"
    assert program_of(HUMANEVAL, elsewhere) == PROMPT + elsewhere


def test_a_task_in_words_is_no_part_of_the_program() -> None:
    assert program_of(MBPP, WHOLE) == WHOLE
    assert program_of(MBPP, f"```python\n{WHOLE}```") == WHOLE


def test_plans() -> None:
    assert plan_of(HUMANEVAL).prompt == PROMPT
    assert plan_of(HUMANEVAL).entry_point == "f"
    assert plan_of(MBPP).tests == "import math\nassert f(2) == 4"
    with pytest.raises(VerifierBroken, match="problem empty has no tests"):
        plan_of(Problem("empty", "?"))


def test_details_are_fit_for_a_database() -> None:
    cleaned = clean({"tail": "a\x00b\ud800c", "deep": [("x\x00",)], "long": "y" * 10_000, "n": 3, "none": None})
    assert cleaned["tail"] == "ab?c"
    assert cleaned["deep"] == [["x"]]
    assert len(cleaned["long"]) <= 4096
    assert (cleaned["n"], cleaned["none"]) == (3, None)
