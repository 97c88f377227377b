"""Problems as well-known benchmarks publish them, each with the metadata that its usual verifier reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from store.benchmark_formats import BadFile, ProblemRecord, optional_text, rest_of, text_field

Parser = Callable[[dict[str, Any], str, int], ProblemRecord]
#: Solutions of each kind that are kept with a problem of CodeContests, and its number for Python 3.
_KEPT_SOLUTIONS, _PYTHON3 = 8, 3


def math(record: dict[str, Any], place: str, position: int) -> ProblemRecord:
    """MATH and MATH-500: the reference is `answer`, or the solution whose last box holds it."""
    answer = optional_text(record, ("answer",), place)
    solution = optional_text(record, ("solution",), place)
    if answer is None and (solution is None or ("\\boxed" not in solution and "\\fbox" not in solution)):
        raise BadFile(f'{place}: neither "answer" nor a \\boxed answer in "solution" says what is right.')
    key = optional_text(record, ("unique_id", "id"), place) or f"math/{position}"
    metadata = rest_of(record, {"problem", "answer", "unique_id", "id"}, place)
    return ProblemRecord(key, text_field(record, ("problem",), place), answer or solution, metadata=metadata)


def humaneval_plus(record: dict[str, Any], place: str, _position: int) -> ProblemRecord:
    """EvalPlus's HumanEval+: base and plus inputs decide where they are there, else the tests."""
    metadata = rest_of(record, {"task_id", "prompt", "test", "entry_point"}, place) | _inputs(record, place)
    tests = optional_text(record, ("test",), place)
    if tests is None and not metadata.get("base_input"):
        raise BadFile(f'{place}: neither "test" nor "base_input" says what a program must do.')
    return ProblemRecord(
        key=text_field(record, ("task_id",), place),
        prompt=text_field(record, ("prompt",), place),
        reference_answer=optional_text(record, ("canonical_solution",), place),
        tests=tests,
        entry_point=text_field(record, ("entry_point",), place),
        metadata=metadata,
    )


def mbpp(record: dict[str, Any], place: str, _position: int) -> ProblemRecord:
    """MBPP: the text with its assertions, as its authors gave it to models; `sanitized` names the text `prompt`."""
    tests = record.get("test_list")
    if not isinstance(tests, list) or not tests or not all(isinstance(test, str) for test in tests):
        raise BadFile(f'{place}: field "test_list" must be a list of assertions.')
    asked = text_field(record, ("text", "prompt"), place)
    shown = "\n".join(tests)
    return ProblemRecord(
        key=_mbpp_key(record, place),
        prompt=f"{asked}\nYour code should pass these tests:\n\n{shown}\n",
        reference_answer=optional_text(record, ("code",), place),
        metadata=rest_of(record, {"task_id", "text", "prompt"}, place),
    )


def mbpp_plus(record: dict[str, Any], place: str, position: int) -> ProblemRecord:
    """EvalPlus's MBPP+: inputs with an entry point, or the published table with assertions and tests."""
    if record.get("base_input") is None:
        # The table's `test` holds the inputs of base and plus with their values; `test_list` the base's alone.
        return replace(mbpp(record, place, position), tests=optional_text(record, ("test",), place))
    metadata = rest_of(record, {"task_id", "prompt", "entry_point"}, place) | _inputs(record, place)
    return ProblemRecord(
        key=_mbpp_key(record, place),
        prompt=text_field(record, ("prompt",), place),
        reference_answer=optional_text(record, ("canonical_solution",), place),
        entry_point=text_field(record, ("entry_point",), place),
        metadata=metadata,
    )


def _mbpp_key(record: Mapping[str, Any], place: str) -> str:
    key = text_field(record, ("task_id",), place)
    return f"Mbpp/{key}" if key.isdigit() else key


def _inputs(record: Mapping[str, Any], place: str) -> dict[str, Any]:
    """EvalPlus's inputs as lists, where a table carries them as JSON text."""
    found: dict[str, Any] = {}
    for name in ("base_input", "plus_input"):
        value = _unpacked(record.get(name), name, place)
        if value is None:
            continue
        if not isinstance(value, list):
            raise BadFile(f'{place}: field "{name}" must be a list of argument lists.')
        found[name] = value
    return found


def _unpacked(value: Any, name: str, place: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise BadFile(f'{place}: field "{name}" is text that is not JSON: {error}.') from error


def codecontests(record: dict[str, Any], place: str, _position: int) -> ProblemRecord:
    """CodeContests: tests stay as published; of the solutions a few in Python 3 are kept."""
    tests = ("public_tests", "private_tests", "generated_tests")
    for name in tests:
        group = record.get(name) or {}
        if not isinstance(group, dict) or len(group.get("input") or ()) != len(group.get("output") or ()):
            raise BadFile(f'{place}: field "{name}" must hold as many outputs as inputs.')
    if not any((record.get(name) or {}).get("input") for name in tests):
        raise BadFile(f'{place}: field "public_tests" is empty, and so are the others: nothing would be tested.')
    metadata = rest_of(record, {"name", "description", "solutions", "incorrect_solutions"}, place)
    metadata |= {name: _python(record.get(name)) for name in ("solutions", "incorrect_solutions") if record.get(name)}
    metadata["has_image"] = "<image>" in str(record.get("description"))
    key = text_field(record, ("name",), place)
    return ProblemRecord(key, text_field(record, ("description",), place), metadata=metadata)


def _python(solutions: Any) -> dict[str, list[Any]]:
    if not isinstance(solutions, dict):
        return {"language": [], "solution": []}
    pairs = zip(solutions.get("language") or [], solutions.get("solution") or [], strict=False)
    kept = [text for language, text in pairs if language == _PYTHON3][:_KEPT_SOLUTIONS]
    return {"language": [_PYTHON3] * len(kept), "solution": kept}


def livecodebench(record: dict[str, Any], place: str, _position: int) -> ProblemRecord:
    """LiveCodeBench: tests stay as published, the private ones packed."""
    if not record.get("public_test_cases") and not record.get("private_test_cases"):
        raise BadFile(f'{place}: field "public_test_cases" is missing, and so are the private ones.')
    inner = _unpacked(record.get("metadata") or {}, "metadata", place)
    metadata = rest_of({**record, "metadata": {}}, {"question_id", "question_content"}, place)
    metadata |= {"func_name": inner["func_name"]} if isinstance(inner, dict) and inner.get("func_name") else {}
    asked = text_field(record, ("question_content",), place)
    starter = optional_text({**record, "starter_code": record.get("starter_code") or None}, ("starter_code",), place)
    if starter:
        asked += f"\n\nComplete this code and give it whole in one block:\n```python\n{starter}\n```\n"
    else:
        asked += "\n\nRead the input from standard input and print the output. Give the program in one code block.\n"
    return ProblemRecord(text_field(record, ("question_id",), place), asked, metadata=metadata)


def swebench(record: dict[str, Any], place: str, _position: int) -> ProblemRecord:
    """SWE-bench, Lite and Verified: the issue is asked, the gold patch is the reference."""
    metadata = rest_of(record, {"problem_statement", "patch"}, place)
    for name in ("FAIL_TO_PASS", "PASS_TO_PASS"):
        tests = _unpacked(record.get(name), name, place)
        if not isinstance(tests, list):
            raise BadFile(f'{place}: field "{name}" must be a list of tests, or its JSON.')
        metadata[name] = tests
    for name in ("repo", "base_commit"):
        text_field(record, (name,), place)
    return ProblemRecord(
        key=text_field(record, ("instance_id",), place),
        prompt=text_field(record, ("problem_statement",), place),
        reference_answer=optional_text(record, ("patch",), place),
        tests=optional_text(record, ("test_patch",), place),
        metadata=metadata,
    )


def alpacaeval(record: dict[str, Any], place: str, position: int) -> ProblemRecord:
    """AlpacaEval: the instruction is asked, the baseline's output is what a judge compares with."""
    return ProblemRecord(
        key=f"alpacaeval/{position}",
        prompt=text_field(record, ("instruction",), place),
        reference_answer=optional_text(record, ("output",), place),
        metadata=rest_of(record, {"instruction", "output"}, place),
    )


def minif2f_record(record: dict[str, Any], place: str, _position: int) -> ProblemRecord:
    """MiniF2F as a table: `formal_statement` is a theorem without its proof, `header` what it stands under."""
    from store.lean_statements import theorem_record, theorems

    text = text_field(record, ("formal_statement",), place)
    found = theorems(text)
    if len(found) != 1:
        raise BadFile(f'{place}: field "formal_statement" must hold one theorem, found {len(found)}.')
    header = optional_text({**record, "header": record.get("header") or None}, ("header",), place) or ""
    name = optional_text(record, ("id", "name"), place) or found[0].name
    return theorem_record(found[0], name, header, rest_of(record, {"id", "name", "formal_statement", "header"}, place))


PUBLISHED: dict[str, Parser] = {
    "math": math,
    "humaneval+": humaneval_plus,
    "mbpp": mbpp,
    "mbpp+": mbpp_plus,
    "codecontests": codecontests,
    "livecodebench": livecodebench,
    "minif2f": minif2f_record,
    "swebench": swebench,
    "alpacaeval": alpacaeval,
}
