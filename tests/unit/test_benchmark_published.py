"""Benchmarks as they are published: keys, prompts, references, and the metadata that verifiers read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from store.benchmark_files import FORMATS, Selection, read_problems
from store.benchmark_formats import BadFile, ProblemRecord
from store.hub_files import HubUnreachable, chosen, fetch
from store.lean_statements import theorems
from workers.verifiers import default_verifier

RECORDS: dict[str, dict[str, Any]] = {
    "alpacaeval": {"instruction": "Be kind.", "output": "I am.", "generator": "davinci", "dataset": "helpful_base"},
    "codecontests": {
        "name": "1575_A. Sort",
        "description": "Sort <image>",
        "public_tests": {"input": ["1\n"], "output": ["1\n"]},
        "private_tests": {"input": [], "output": []},
        "generated_tests": {"input": ["2\n"], "output": ["2\n"]},
        "time_limit": {"seconds": 2, "nanos": 0},
        "memory_limit_bytes": 256000000,
        "solutions": {"language": [2, 3, 3], "solution": ["c++", "print(1)", "print(2)"]},
        "incorrect_solutions": {"language": [3], "solution": ["print(0)"]},
    },
    "gsm8k": {"question": "1 + 1?", "answer": "so\n#### 2"},
    "humaneval": {"task_id": "HumanEval/0", "prompt": "def f():", "test": "def check(c): pass", "entry_point": "f"},
    "humaneval+": {
        "task_id": "HumanEval/0",
        "prompt": "def f(x):",
        "entry_point": "f",
        "canonical_solution": "    return x\n",
        "base_input": [[1]],
        "plus_input": "[[2], [3]]",
        "atol": 0,
        "contract": "",
    },
    "jsonl": {"id": "a", "prompt": "p", "answer": "r"},
    "livecodebench": {
        "question_title": "t",
        "question_content": "Add.",
        "platform": "leetcode",
        "question_id": "7",
        "contest_date": "2024-01-01",
        "starter_code": "class Solution:",
        "difficulty": "easy",
        "public_test_cases": json.dumps([{"input": "1", "output": "1", "testtype": "functional"}]),
        "private_test_cases": "eJx",
        "metadata": json.dumps({"func_name": "add"}),
    },
    "math": {"problem": "What?", "solution": "It is \\boxed{3}.", "level": "Level 1", "type": "Algebra"},
    "mbpp": {"task_id": 2, "text": "Write f.", "code": "def f(): pass", "test_list": ["assert f() is None"]},
    "mbpp+": {
        "task_id": "Mbpp/2",
        "prompt": '"""\nWrite f.\nassert f(1) == 1\n"""\n',
        "entry_point": "f",
        "canonical_solution": "def f(x): return x",
        "base_input": [[1]],
        "plus_input": [[2]],
        "atol": 0,
        "assertion": "assert f(1) == 1",
    },
    "minif2f": {
        "id": "mathd_1",
        "split": "test",
        "formal_statement": "theorem mathd_1 (x : ℝ) (h₀ : x = 2) : x + 1 = 3 := sorry",
        "header": "import Mathlib\nopen Real",
        "informal_stmt": "So.",
    },
    "parquet": {"id": "a", "prompt": "p", "answer": "r"},
    "swebench": {
        "instance_id": "a__b-1",
        "repo": "a/b",
        "base_commit": "abc1234",
        "patch": "diff",
        "test_patch": "diff tests",
        "problem_statement": "It breaks.",
        "FAIL_TO_PASS": '["t::a"]',
        "PASS_TO_PASS": ["t::b"],
        "version": "1.0",
    },
}


def _one(folder: Path, name: str, **changes: Any) -> ProblemRecord:
    path = folder / "problems.jsonl"
    path.write_text(json.dumps(RECORDS[name] | changes))
    (problem,) = read_problems(path, name)
    return problem


def test_every_format_is_here_and_has_a_verifier() -> None:
    assert set(RECORDS) == set(FORMATS)
    assert all(default_verifier(name) for name in FORMATS)


@pytest.mark.parametrize("name", sorted(RECORDS))
@pytest.mark.parametrize("container", ["json", "parquet", "folder"])
def test_every_container_gives_the_same_problem(tmp_path: Path, name: str, container: str) -> None:
    expected = _one(tmp_path, name)
    if container == "json":
        path = tmp_path / "problems.json"
        path.write_text(json.dumps([RECORDS[name]]))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = tmp_path / "shards" / "test-00000.parquet"
        path.parent.mkdir()
        pq.write_table(pa.Table.from_pylist([RECORDS[name]]), path)
    (found,) = read_problems(path.parent if container == "folder" else path, name)
    assert found == expected


def test_math_takes_the_answer_before_the_solution(tmp_path: Path) -> None:
    assert _one(tmp_path, "math").reference_answer == "It is \\boxed{3}."
    problem = _one(tmp_path, "math", answer="3", unique_id="test/algebra/1.json")
    assert (problem.key, problem.reference_answer) == ("test/algebra/1.json", "3")


def test_math_as_a_folder_of_files(tmp_path: Path) -> None:
    for subject in ("algebra", "geometry"):
        (tmp_path / subject).mkdir()
        (tmp_path / subject / "1.json").write_text(json.dumps(RECORDS["math"]))
    assert [one.key for one in read_problems(tmp_path, "math")] == ["algebra/1.json", "geometry/1.json"]


def test_mbpp_shows_its_tests(tmp_path: Path) -> None:
    problem = _one(tmp_path, "mbpp")
    assert problem.key == "Mbpp/2"
    assert problem.prompt == "Write f.\nYour code should pass these tests:\n\nassert f() is None\n"
    assert problem.metadata["test_list"] == ["assert f() is None"]


def test_mbpp_plus_as_a_table_is_judged_by_its_whole_test(tmp_path: Path) -> None:
    (tmp_path / "table.jsonl").write_text(json.dumps(RECORDS["mbpp"] | {"test": "assert f() is None\nassert f"}))
    (problem,) = read_problems(tmp_path / "table.jsonl", "mbpp+")
    assert (problem.key, problem.tests) == ("Mbpp/2", "assert f() is None\nassert f")


def test_evalplus_inputs_are_lists(tmp_path: Path) -> None:
    assert _one(tmp_path, "humaneval+").metadata["plus_input"] == [[2], [3]]


def test_contests_keep_tests_and_solutions_in_python(tmp_path: Path) -> None:
    problem = _one(tmp_path, "codecontests")
    assert problem.metadata["solutions"] == {"language": [3, 3], "solution": ["print(1)", "print(2)"]}
    assert problem.metadata["generated_tests"] == {"input": ["2\n"], "output": ["2\n"]}
    assert problem.metadata["has_image"] is True


def test_livecodebench_names_the_function(tmp_path: Path) -> None:
    problem = _one(tmp_path, "livecodebench")
    assert problem.metadata["func_name"] == "add"
    assert "class Solution:" in problem.prompt
    assert "standard input" in _one(tmp_path, "livecodebench", starter_code="", metadata="{}").prompt


def test_swebench_lists_its_tests(tmp_path: Path) -> None:
    problem = _one(tmp_path, "swebench")
    assert (problem.prompt, problem.reference_answer, problem.tests) == ("It breaks.", "diff", "diff tests")
    assert (problem.metadata["FAIL_TO_PASS"], problem.metadata["PASS_TO_PASS"]) == (["t::a"], ["t::b"])


LEAN = """import Mathlib
/- a comment with theorem fake : False := sorry -/
open BigOperators Real

theorem mathd_algebra_1
  (x y : ℝ)  -- theorem in a comment
  (h₀ : ∀ n : ℕ, (n : ℝ) = x)
  (f : ℕ → ℕ := fun n => n) :
  x + y = y + x := by
  ring

theorem plain : 1 + 1 = 2 := by norm_num
"""


def test_lean_files_give_statements(tmp_path: Path) -> None:
    (tmp_path / "Test.lean").write_text(LEAN)
    first, second = read_problems(tmp_path, "minif2f")
    assert first.key == "mathd_algebra_1"
    assert first.metadata["statement"] == (
        "∀ (x y : ℝ) (h₀ : ∀ n : ℕ, (n : ℝ) = x) (f : ℕ → ℕ := fun n => n), x + y = y + x"
    )
    assert first.metadata["header"] == "import Mathlib\nopen BigOperators Real"
    assert (second.metadata["statement"], second.metadata["theorem"]) == ("1 + 1 = 2", "plain")
    assert second.prompt.endswith("theorem plain : 1 + 1 = 2 := by\n")
    assert [one.name for one in theorems(LEAN)] == ["mathd_algebra_1", "plain"]


@pytest.mark.parametrize(
    ("name", "changes", "complaint"),
    [
        ("math", {"solution": "three"}, 'neither "answer" nor'),
        ("humaneval+", {"base_input": None, "plus_input": None}, 'neither "test" nor "base_input"'),
        ("humaneval+", {"plus_input": "[1"}, '"plus_input" is text that is not JSON'),
        ("mbpp", {"test_list": []}, 'field "test_list" must be a list of assertions'),
        (
            "codecontests",
            {"private_tests": {"input": ["1"], "output": []}},
            '"private_tests" must hold as many outputs',
        ),
        ("swebench", {"FAIL_TO_PASS": None}, 'field "FAIL_TO_PASS" must be a list of tests'),
        ("swebench", {"base_commit": ""}, 'field "base_commit" must be text that is not empty'),
        ("minif2f", {"formal_statement": "lemma"}, '"formal_statement" must hold one theorem, found 0'),
        ("alpacaeval", {"instruction": 3.5}, 'field "instruction" must be text'),
    ],
)
def test_bad_records_are_named(tmp_path: Path, name: str, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadFile) as caught:
        _one(tmp_path, name, **changes)
    assert f"{tmp_path / 'problems.jsonl'}:1: " in str(caught.value)
    assert complaint in str(caught.value)


class TestSelection:
    problems = tuple(ProblemRecord(str(n), "p") for n in range(20))

    def test_seeded_draws_are_the_same_everywhere_and_keep_the_order(self) -> None:
        drawn = [one.key for one in Selection(5, 0).of(self.problems, Path("f"))]
        assert drawn == [one.key for one in Selection(5, 0).of(self.problems, Path("f"))]
        assert drawn == sorted(drawn, key=int)
        assert drawn != [one.key for one in Selection(5, 1).of(self.problems, Path("f"))]

    def test_the_first_and_the_named(self) -> None:
        assert [one.key for one in Selection(2).of(self.problems, Path("f"))] == ["0", "1"]
        assert [one.key for one in Selection(keys=("7", "3")).of(self.problems, Path("f"))] == ["3", "7"]

    def test_what_cannot_be_taken(self) -> None:
        with pytest.raises(BadFile, match="f: holds 20 problems; give --limit 1 to that"):
            Selection(21).of(self.problems, Path("f"))
        with pytest.raises(BadFile, match="f: has no problem 99, which --ids names"):
            Selection(keys=("99",)).of(self.problems, Path("f"))


def test_files_of_a_split_on_the_hub() -> None:
    files = ["README.md", "main/train-0.parquet", "main/test-0.parquet", "socratic/test-0.parquet", "test.jsonl"]
    assert chosen(files, "test", "main") == ["main/test-0.parquet"]
    assert chosen(["data/test.jsonl", "data/train.jsonl"], "test", None) == ["data/test.jsonl"]


def test_a_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")

    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr("store.hub_files._look_up", lambda endpoint: None)
    monkeypatch.setattr(hub.HfApi, "list_repo_files", refuse)
    with pytest.raises(HubUnreachable, match=r"The hub cannot give a/b: no route to host\. Fetch its file where"):
        fetch("a/b")
