"""Benchmarks in the store: imported once, versioned by content, all of a file or nothing of it."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from store.benchmark_formats import BadFile
from store.benchmarks import BadBenchmark, BenchmarkUnknown, find_benchmark, import_benchmark, list_benchmarks
from store.connection import transaction

LINE = {"id": "a", "prompt": "1 + 1 = ?", "answer": "2", "note": {"π": [1, None, True]}}


def _counts(workshop: Any) -> list[tuple[int, int]]:
    return workshop.rows("SELECT (SELECT count(*) FROM store.benchmarks), (SELECT count(*) FROM store.problems)")


def test_the_same_file_twice_changes_nothing(workshop: Any) -> None:
    path = workshop.file("sums.jsonl", [LINE, {**LINE, "id": "b"}])
    first, first_is_new = import_benchmark(path, "sums", "jsonl")
    again, again_is_new = import_benchmark(path, "sums", "jsonl")
    assert (first_is_new, again_is_new) == (True, False)
    assert first == again
    assert (first.label, first.problem_count) == ("sums@1", 2)
    assert _counts(workshop) == [(1, 2)]
    columns = "position, key, prompt, reference_answer, tests, entry_point, metadata"
    assert workshop.rows(f"SELECT {columns} FROM store.problems ORDER BY position") == [  # noqa: S608
        (0, "a", "1 + 1 = ?", "2", None, None, {"note": {"π": [1, None, True]}}),
        (1, "b", "1 + 1 = ?", "2", None, None, {"note": {"π": [1, None, True]}}),
    ]


def test_zipping_and_the_order_of_keys_are_not_content(workshop: Any, tmp_path: Path) -> None:
    import_benchmark(workshop.file("sums.jsonl", [LINE]), "sums", "jsonl")
    path = tmp_path / "other.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(dict(reversed(LINE.items())), indent=None).encode() + b"\n\n"))
    assert import_benchmark(path, "sums", "jsonl")[1] is False


@pytest.mark.parametrize(
    "change",
    [{"prompt": "1 + 1 = ? "}, {"answer": "3"}, {"id": "A"}, {"note": {}}, {"tests": "t"}, {"entry_point": "f"}],
)
def test_changed_content_is_the_next_version(workshop: Any, change: dict[str, Any]) -> None:
    first, _ = import_benchmark(workshop.file("sums.jsonl", [LINE]), "sums", "jsonl")
    second, is_new = import_benchmark(workshop.file("sums.jsonl", [LINE | change]), "sums", "jsonl")
    assert is_new
    assert second.label == "sums@2"
    back, is_new = import_benchmark(workshop.file("sums.jsonl", [LINE]), "sums", "jsonl")
    assert not is_new
    assert back == first


def test_the_order_of_problems_is_content(workshop: Any) -> None:
    other = {**LINE, "id": "b"}
    import_benchmark(workshop.file("sums.jsonl", [LINE, other]), "sums", "jsonl")
    assert import_benchmark(workshop.file("sums.jsonl", [other, LINE]), "sums", "jsonl")[0].version == 2


def test_nothing_of_a_bad_file_is_kept(workshop: Any) -> None:
    path = workshop.file("sums.jsonl", [{**LINE, "id": str(n)} for n in range(500)] + [{"id": "x"}])
    with pytest.raises(BadFile, match=r"sums\.jsonl:501: "):
        import_benchmark(path, "sums", "jsonl")
    assert _counts(workshop) == [(0, 0)]


@pytest.mark.parametrize("name", ["", "  ", "sums@2", "@"])
def test_a_name_that_could_not_be_looked_up_is_refused(workshop: Any, name: str) -> None:
    path = workshop.file("sums.jsonl", [LINE])
    with pytest.raises(BadBenchmark, match="name"):
        import_benchmark(path, name, "jsonl")
    assert _counts(workshop) == [(0, 0)]


def test_lookup_by_name_and_version(workshop: Any) -> None:
    for answer in "123":
        import_benchmark(workshop.file("sums.jsonl", [{**LINE, "answer": answer}]), "sums", "jsonl")
    workshop.benchmark(1, "other")
    with transaction() as connection:
        assert find_benchmark(connection, "sums").label == "sums@3"
        assert find_benchmark(connection, "sums@1").version == 1
        assert find_benchmark(connection, "sums@2").version == 2
    assert [found.label for found in list_benchmarks()] == ["other@1", "sums@1", "sums@2", "sums@3"]


@pytest.mark.parametrize(
    "label",
    ["summs", "sums@2", "sums@0", "sums@-1", "sums@x", "sums@1@1", "sums@²", "sums@99999999999", "sums@9" + "9" * 40],
)
def test_an_unknown_benchmark_names_the_known_ones(workshop: Any, label: str) -> None:
    workshop.benchmark(1, "sums")
    workshop.benchmark(1, "other")
    with transaction() as connection, pytest.raises(BenchmarkUnknown) as caught:
        find_benchmark(connection, label)
    assert str(caught.value) == f'No benchmark "{label}"; there are: other, sums.'


def test_without_benchmarks_it_says_how_to_get_one(workshop: Any) -> None:
    with transaction() as connection, pytest.raises(BenchmarkUnknown, match="passatk benchmark import"):
        find_benchmark(connection, "sums")


def test_imports_at_once_count_one_version_each(workshop: Any) -> None:
    paths = [workshop.file(f"{n}.jsonl", [{**LINE, "answer": str(n % 4)}]) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(lambda path: import_benchmark(path, "sums", "jsonl"), paths))
    assert sorted({benchmark.version for benchmark, _ in stored}) == [1, 2, 3, 4]
    assert sum(is_new for _, is_new in stored) == 4
    assert _counts(workshop) == [(4, 4)]
