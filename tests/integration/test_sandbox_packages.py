"""numpy in programs and in benchmarks' own tests, behind every tier; no other package; EvalPlus' oracles."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

import pytest

from workers.errors import SandboxUnavailable
from workers.sandbox.launch import package_folders
from workers.verifiers.protocol import Judgement, Problem
from workers.verifiers.unit_tests import UnitTests

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the sandbox needs Linux")

#: As EvalPlus publishes its tables of HumanEval+ and MBPP+.
EVALPLUS_TESTS = """
import numpy as np

def is_floats(x) -> bool:
    if isinstance(x, float):
        return True
    if isinstance(x, (list, tuple)):
        return all(isinstance(i, float) for i in x)
    if isinstance(x, np.ndarray):
        return x.dtype == np.float64 or x.dtype == np.float32
    return False

def assertion(out, exp, atol):
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if out != exp and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert out == exp, f"out: {out}, exp: {exp}"

def check(candidate):
    for i, (inp, exp) in enumerate(zip([[1.0], [2.5]], [0.5, 1.25])):
        assertion(candidate(*inp), exp, 0)
"""
HALF = Problem("HumanEval/x", "def half(x):\n", tests=EVALPLUS_TESTS, entry_point="half")


@pytest.fixture(scope="module", params=["bwrap", "flat"])
def verifier(request: pytest.FixtureRequest) -> Iterator[UnitTests]:
    verifier = UnitTests(tier=request.param)
    try:
        packages = verifier.sandbox.packages
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    folder = package_folders()["numpy"]
    if request.param == "flat" and os.geteuid() == 0 and not packages:
        pytest.skip(f"in tier flat an unprivileged user cannot read {folder}")
    yield verifier
    verifier.close()


def _one(verifier: UnitTests, problem: Problem, completion: str) -> Judgement:
    return verifier.judge(problem, [completion])[0]


@pytest.mark.parametrize(
    "body",
    [
        "x / 2",
        "np.float64(x) / 2",
        "np.mean([x, 0]) + 1e-9",
        "float(np.linalg.solve(np.array([[2.0, 0], [0, 1]]), [x, 0])[0])",
    ],
)
def test_tests_and_programs_import_numpy(verifier: UnitTests, body: str) -> None:
    judgement = _one(verifier, HALF, f"    import numpy as np\n    return {body}\n")
    assert (judgement.outcome, judgement.weak) == ("correct", False), judgement.detail


def test_numpys_scalars_are_compared_as_numbers(verifier: UnitTests) -> None:
    body = "    import numpy as np\n    return np.int64(2), np.bool_(True), np.str_('a'), complex(np.complex128(1j))\n"
    tests = "def check(f):\n    assert f() == (2, True, 'a', 1j)\n"
    assert _one(verifier, Problem("s", "def f():\n", tests=tests, entry_point="f"), body).outcome == "correct"


def test_a_wrong_number_is_wrong_and_other_packages_are_not_there(verifier: UnitTests) -> None:
    assert _one(verifier, HALF, "    return x / 2 + 1e-3\n").reason == "wrong_answer"
    judgement = _one(verifier, HALF, "    import sqlalchemy\n    return x / 2\n")
    assert judgement.reason == "exception"
    assert "No module named 'sqlalchemy'" in str(judgement.detail)


def test_the_package_cannot_be_changed_for_the_next_program(verifier: UnitTests) -> None:
    hostile = "    import numpy\n    open(numpy.__file__, 'a').write('#')\n    return x / 2\n"
    assert _one(verifier, HALF, hostile).outcome == "incorrect"
    assert _one(verifier, HALF, "    return x / 2\n").outcome == "correct"


def test_what_programs_can_import_is_part_of_the_environment(verifier: UnitTests) -> None:
    packages = verifier.environment().detail["packages"]
    assert list(packages) == ["numpy"]
    assert packages["numpy"].count(".") >= 1


@pytest.mark.parametrize(
    ("name", "reference", "candidate", "outcome"),
    [
        ("similar_elements", "(3, 1, 2)", "(2, 3, 1)", "correct"),
        ("similar_elements", "(3, 1, 2)", "(2, 3)", "incorrect"),
        ("other_elements", "(3, 1, 2)", "(2, 3, 1)", "incorrect"),
        ("text_match_three", "__import__('re').search('a', x)", "'Found!' if 'a' in x else None", "correct"),
        ("text_match_three", "__import__('re').search('a', x)", "'a' in x", "correct"),
        ("text_match_three", "__import__('re').search('a', x)", "'Found!'", "incorrect"),
        ("sum_div", "7", "0", "correct"),
        ("are_equivalent", "True", "False", "correct"),
    ],
)
def test_evalplus_own_oracles_for_mbpp(
    verifier: UnitTests, name: str, reference: str, candidate: str, outcome: str
) -> None:
    def function(body: str) -> str:
        return f"def {name}(x):\n    return {body}\n"

    metadata = {"base_input": [["a"]], "plus_input": [["b"]], "atol": 0, "canonical_solution": function(reference)}
    problem = Problem(f"Mbpp/{name} {reference}", f'"""\nWrite {name}.\n"""\n', entry_point=name, metadata=metadata)
    judgement = _one(verifier, problem, f"```python\n{function(candidate)}```")
    assert judgement.outcome == outcome, judgement.detail
