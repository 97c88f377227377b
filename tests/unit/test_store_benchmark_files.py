"""Benchmark files: every format is read whole, and every bad line is named by file and line number."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from store.benchmark_files import read_problems
from store.benchmark_formats import BadFile

GOOD = b'{"id": "a", "prompt": "1 + 1 = ?", "answer": "2"}\n'


def test_jsonl_keeps_every_field(tmp_path: Path) -> None:
    path = tmp_path / "sums.jsonl"
    record = {
        "id": 7,
        "prompt": "π + 1 = ?",
        "answer": 2,
        "tests": "assert f(1)",
        "entry_point": "f",
        "level": "easy",
        "metadata": {"source": "here", "text": "a backslash and u0000: \\u0000"},
    }
    path.write_text(json.dumps(record) + "\n\n   \n", encoding="utf-8")
    (problem,) = read_problems(path, "jsonl")
    assert (problem.key, problem.prompt, problem.reference_answer) == ("7", "π + 1 = ?", "2")
    assert (problem.tests, problem.entry_point) == ("assert f(1)", "f")
    assert problem.metadata == {"level": "easy", "source": "here", "text": "a backslash and u0000: \\u0000"}


def test_jsonl_reads_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "open.jsonl"
    path.write_text('{"task_id": "x", "question": "why?", "answer": null, "entry_point": null}')
    (problem,) = read_problems(path, "jsonl")
    assert (problem.key, problem.prompt) == ("x", "why?")
    assert (problem.reference_answer, problem.tests, problem.entry_point) == (None, None, None)
    assert problem.metadata == {}


def test_humaneval(tmp_path: Path) -> None:
    path = tmp_path / "humaneval.jsonl.gz"
    record = {
        "task_id": "HumanEval/0",
        "prompt": "def f():\n",
        "canonical_solution": "    return 1\n",
        "test": "def check(f):\n    assert f() == 1\n",
        "entry_point": "f",
    }
    path.write_bytes(gzip.compress(json.dumps(record).encode()))
    (problem,) = read_problems(path, "humaneval")
    assert problem.key == "HumanEval/0"
    assert problem.reference_answer == "    return 1\n"
    assert (problem.tests, problem.entry_point) == (record["test"], "f")


def test_gsm8k_numbers_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "gsm8k.jsonl"
    lines = [{"question": f"{n} + 1?", "answer": f"{n} + 1 = {n + 1}\n#### {n + 1}"} for n in range(3)]
    path.write_text("\n".join(map(json.dumps, lines)))
    problems = read_problems(path, "gsm8k")
    assert [problem.key for problem in problems] == ["gsm8k/0", "gsm8k/1", "gsm8k/2"]
    assert problems[2].prompt == "2 + 1?"
    assert problems[2].reference_answer == "2 + 1 = 3\n#### 3"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"not json", "not JSON"),
        (b'{"id": "b", "prompt": "p"', "not JSON"),
        (b'{"id": "b", "prompt": "p", "score": NaN}', "not JSON"),
        (b'{"id": "b", "prompt": "p", "score": -Infinity}', "not JSON"),
        (b'{"id": "b", "prompt": "p", "score": 1e999}', 'field "metadata"'),
        (b'["id", "b"]', "a JSON object is wanted, found list"),
        (b"null", "a JSON object is wanted, found NoneType"),
        (b"[" * 100_000, "not JSON"),
        (b'{"prompt": "p"}', 'field "id" is missing'),
        (b'{"id": "b"}', 'field "prompt" is missing'),
        (b'{"id": "", "prompt": "p"}', 'field "id" must be text that is not empty'),
        (b'{"id": "b", "prompt": ""}', 'field "prompt" must be text that is not empty'),
        (b'{"id": "b", "prompt": null}', 'field "prompt" must be text'),
        (b'{"id": "b", "prompt": ["p"]}', 'field "prompt" must be text'),
        (b'{"id": true, "prompt": "p"}', 'field "id" must be text'),
        (b'{"id": 1.5, "prompt": "p"}', 'field "id" must be text'),
        (b'{"id": "b", "prompt": "p", "answer": {}}', 'field "answer" must be text'),
        (b'{"id": "b", "prompt": "p", "metadata": "m"}', 'field "metadata" must be a JSON object'),
        (b'{"id": "b", "prompt": "p\\u0000"}', 'field "prompt" holds a NUL'),
        (b'{"id": "b", "prompt": "p", "note": "\\u0000"}', 'field "metadata" holds a NUL'),
        (b'{"id": "b", "prompt": "p", "note": {"\\u0000": [1]}}', 'field "metadata" holds a NUL'),
        (b'{"id": "b\\ud800", "prompt": "p"}', 'field "id" holds half of a surrogate pair'),
        (b'{"id": "b", "prompt": "p", "note": ["\\udfff"]}', 'field "metadata" holds half of a surrogate pair'),
        (b'{"id": "b", "prompt": "\xff\xfe"}', "not UTF-8 text"),
        (b'{"id": "a", "prompt": "p"}', 'id "a" is there already, at'),
    ],
)
@pytest.mark.parametrize("before", [1, 400])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_bad_line_is_named_by_file_and_number(
    tmp_path: Path, line: bytes, complaint: str, before: int, zipped: bool
) -> None:
    good = [GOOD.replace(b'"a"', b'"a"' if n == 0 else b'"a%d"' % n) for n in range(before)]
    content = b"".join(good) + line + b"\n" + GOOD.replace(b'"a"', b'"z"')
    path = tmp_path / ("bad.jsonl.gz" if zipped else "bad.jsonl")
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(BadFile) as caught:
        read_problems(path, "jsonl")
    assert str(caught.value).startswith(f"{path}:{before + 1}: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("format_name", "line", "complaint"),
    [
        ("humaneval", {"task_id": "t", "prompt": "p", "entry_point": "f"}, 'field "test" is missing'),
        ("humaneval", {"task_id": "t", "prompt": "p", "test": "t"}, 'field "entry_point" is missing'),
        ("gsm8k", {"question": "q", "answer": "18"}, 'no final answer after "####"'),
        ("gsm8k", {"question": "q", "answer": "18\n#### "}, 'no final answer after "####"'),
        ("gsm8k", {"answer": "#### 18"}, 'field "question" is missing'),
    ],
)
def test_each_format_asks_for_its_fields(
    tmp_path: Path, format_name: str, line: dict[str, str], complaint: str
) -> None:
    path = tmp_path / "file.jsonl"
    path.write_text(json.dumps(line))
    with pytest.raises(BadFile, match=complaint) as caught:
        read_problems(path, format_name)
    assert str(caught.value).startswith(f"{path}:1: ")


@pytest.mark.parametrize("content", [b"", b"\n \n\t\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"empty\.jsonl: holds no problem"):
        read_problems(path, "jsonl")


def _flipped(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 40]) + packed[middle + 40 :]


@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_truncated_gzip_file_is_refused(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "cut.jsonl.gz"
    packed = gzip.compress(b"".join(GOOD.replace(b'"a"', b'"%d"' % n) for n in range(2000)))
    path.write_bytes(packed[: int(len(packed) * keep)])
    with pytest.raises(BadFile, match=r"cut\.jsonl\.gz.* not a whole gzip file"):
        read_problems(path, "jsonl")


def test_a_corrupt_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "corrupt.jsonl.gz"
    path.write_bytes(_flipped(gzip.compress(b"".join(GOOD.replace(b'"a"', b'"%d"' % n) for n in range(2000)))))
    with pytest.raises(BadFile, match=r"corrupt\.jsonl\.gz"):
        read_problems(path, "jsonl")


def test_a_plain_file_named_gz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.jsonl.gz"
    path.write_bytes(GOOD)
    with pytest.raises(BadFile, match="not a whole gzip file"):
        read_problems(path, "jsonl")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.jsonl", tmp_path):
        with pytest.raises(BadFile, match=r"no such file|holds no problem"):
            read_problems(path, "jsonl")
