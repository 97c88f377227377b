"""Files of samples that others drew: both formats, their bad lines, and cutting at stop words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.import_placing import cut_at_stop_words
from store.importers import read_samples
from store.importers.records import Fault, ImportedGroup, Item, Source


def _file(folder: Path, *lines: Any) -> Path:
    path = folder / "samples.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def _items(path: Path, format_name: str) -> list[Item]:
    return list(read_samples(Source(path), format_name))


def _groups(path: Path, format_name: str) -> list[ImportedGroup]:
    items = _items(path, format_name)
    assert all(isinstance(item, ImportedGroup) for item in items), items
    return items  # type: ignore[return-value]


def test_codet_groups_by_key_or_prompt(tmp_path: Path) -> None:
    path = _file(tmp_path, {"task_id": "a", "samples": ["x", ""]}, {"prompt": "def f():", "samples": []})
    first, second = _groups(path, "codet")
    assert (first.problem.keys, first.record) == (["a"], None)
    assert [sample.completion for sample in first.samples] == ["x", ""]
    assert first.samples[0].completion_tokens is None
    assert (second.problem.keys, second.problem.texts, list(second.samples)) == ([], ["def f():"], [])
    assert second.place == f"{path}:2"


def test_jsonl_keeps_counts(tmp_path: Path) -> None:
    line = {"problem": 3, "completion": "x", "prompt_tokens": 10, "completion_tokens": 0, "finish_reason": "stop"}
    (group,) = _groups(_file(tmp_path, line), "jsonl")
    assert group.problem.keys == ["3"]
    (sample,) = group.samples
    assert (sample.prompt_tokens, sample.completion_tokens, sample.finish_reason) == (10, 0, "stop")


@pytest.mark.parametrize(
    ("format_name", "line", "complaint"),
    [
        ("codet", {"task_id": "a"}, 'field "samples" must be a list of texts'),
        ("codet", {"task_id": "a", "samples": "x"}, 'field "samples" must be a list of texts'),
        ("codet", {"task_id": "a", "samples": ["x", 1]}, 'field "samples" must be a list of texts'),
        ("codet", {"samples": ["x"]}, 'neither "task_id" nor "prompt"'),
        ("codet", {"task_id": "a", "samples": ["\0"]}, 'field "samples" holds a NUL'),
        ("codet", {"task_id": "a", "samples": ["\ud800"]}, "half of a surrogate pair"),
        ("jsonl", {"task_id": "a"}, 'field "completion" must be text'),
        ("jsonl", {"task_id": "a", "completion": None}, 'field "completion" must be text'),
        ("jsonl", {"completion": "x"}, 'field "task_id" is missing'),
        ("jsonl", {"task_id": "a", "completion": "x", "prompt_tokens": -1}, '"prompt_tokens" must be a whole number'),
        ("jsonl", {"task_id": "a", "completion": "x", "prompt_tokens": 1.5}, '"prompt_tokens" must be a whole number'),
        ("jsonl", {"task_id": "a", "completion": "x", "prompt_tokens": True}, '"prompt_tokens" must be a whole'),
        ("jsonl", {"task_id": "a", "completion": "x", "prompt_tokens": 2**31}, '"prompt_tokens" must be a whole'),
        ("jsonl", {"task_id": "a", "completion": "x", "completion_tokens": "9"}, '"completion_tokens" must be a whole'),
        ("jsonl", {"task_id": "a", "completion": "x", "finish_reason": []}, '"finish_reason" must be text'),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, format_name: str, line: dict[str, Any], complaint: str) -> None:
    good = {"task_id": "a", "samples": ["x"], "completion": "x"}
    path = _file(tmp_path, good, good, line)
    (fault,) = [item for item in _items(path, format_name) if isinstance(item, Fault)]
    assert fault.message.startswith(f"{path}:3: ")
    assert complaint in fault.message


def test_cutting_takes_the_earliest_stop_word() -> None:
    words = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
    assert cut_at_stop_words("    return 1\n# more\nclass A:", words) == "    return 1"
    assert cut_at_stop_words("    if x:\n        print(1)", words) == "    if x:\n        print(1)"
    assert cut_at_stop_words("\ndef g(): pass", words) == ""
    assert cut_at_stop_words("whole", ()) == "whole"


@given(st.text("ab\n", max_size=30), st.lists(st.text("ab\n", min_size=1, max_size=3), max_size=4))
def test_what_is_left_is_the_longest_beginning_without_a_stop_word(text: str, words: list[str]) -> None:
    cut = cut_at_stop_words(text, words)
    assert text.startswith(cut)
    assert not any(word in cut for word in words)
    # One step further and a stop word would begin within the text.
    assert cut == text or any(text.startswith(word, len(cut)) for word in words)
