"""Samples that others drew: all of a file or nothing, once, with what was done to them recorded."""

from __future__ import annotations

from typing import Any

import pytest

from store import sample_import
from store.benchmark_formats import BadFile
from store.connection import transaction
from store.fingerprint import file_hash, text_hash
from store.import_placing import SampleFile
from store.runs import RunExists, find_run
from store.sample_import import Imported, import_samples

TABLES = ("runs", "models", "batches", "samples", "completions")


def _held(workshop: Any) -> dict[str, int]:
    return {name: workshop.one(f"SELECT count(*) FROM store.{name}") for name in TABLES}  # noqa: S608


def _codet(workshop: Any, *texts: list[str], name: str = "drawn.jsonl") -> SampleFile:
    lines = [{"task_id": f"p{n}", "samples": each} for n, each in enumerate(texts)]
    return SampleFile(workshop.file(name, lines), "codet")


def _import(file: SampleFile, run: str = "theirs") -> Imported:
    return import_samples(file, run, "sums", "codegen")


def test_every_sample_is_stored_in_order(workshop: Any) -> None:
    workshop.benchmark(2)
    imported = _import(_codet(workshop, ["a", "", "c"], ["d", "d", "é\n"]))
    assert (imported.new_samples, imported.problems, imported.fewest, imported.most) == (6, 2, 3, 3)
    stored = workshop.rows(
        "SELECT p.key, s.sample_index, c.completion, s.completion_hash FROM store.samples AS s"
        " JOIN store.completions AS c USING (run_id, problem_id, sample_index)"
        " JOIN store.problems AS p USING (problem_id)"
        " WHERE s.batch_id = c.batch_id ORDER BY 1, 2"
    )
    texts = ["a", "", "c", "d", "d", "é\n"]
    assert stored == [(f"p{n // 3}", n % 3, text, text_hash(text)) for n, text in enumerate(texts)]
    assert workshop.rows(
        "SELECT state, row_count, first_index, end_index, count(*) FROM store.batches GROUP BY 1, 2, 3, 4"
    ) == [("done", 3, 0, 3, 2)]
    unknown = "engine_id, seed, prompt_tokens, completion_tokens, finish_reason, latency_seconds"
    assert workshop.rows(f"SELECT DISTINCT {unknown} FROM store.samples") == [(None,) * 6]  # noqa: S608


def test_the_run_says_where_its_samples_are_from(workshop: Any) -> None:
    workshop.benchmark(2)
    file = _codet(workshop, ["a"], ["b"])
    _import(SampleFile(file.path, "codet", ("\ndef", "\n#")))
    with transaction() as connection:
        run = find_run(connection, "theirs")
    assert (run.source, run.design, run.samples_per_problem, run.sampling) == ("imported", "fixed_n", None, {})
    assert run.provenance == {
        "file": "drawn.jsonl",
        "sha256": file_hash(file.path),
        "format": "codet",
        "stop_words": ["\ndef", "\n#"],
    }
    assert workshop.rows("SELECT name, location, backend FROM store.models") == [("codegen", "codegen", "none")]


def test_the_same_file_again_changes_nothing(workshop: Any) -> None:
    workshop.benchmark(2)
    file = _codet(workshop, ["a"], ["b"])
    _import(file)
    before = _held(workshop)
    again = _import(file)
    assert (again.new_samples, again.problems, again.fewest, again.most) == (0, 2, 1, 1)
    assert _held(workshop) == before


def test_the_same_content_under_another_file_name_is_the_same(workshop: Any) -> None:
    workshop.benchmark(2)
    _import(_codet(workshop, ["a"], ["b"]))
    assert _import(_codet(workshop, ["a"], ["b"], name="copy.jsonl")).new_samples == 0


@pytest.mark.parametrize(
    ("texts", "stop_words", "model", "benchmark"),
    [
        ([["a"], ["c"]], (), "codegen", "sums"),
        ([["a"], ["b"]], ("\n",), "codegen", "sums"),
        ([["a"], ["b"]], (), "codex", "sums"),
        ([["a"], ["b"]], (), "codegen", "sums@1"),
    ],
)
def test_anything_else_under_the_same_run_is_refused(
    workshop: Any, texts: list[list[str]], stop_words: tuple[str, ...], model: str, benchmark: str
) -> None:
    workshop.benchmark(2)
    if "@" in benchmark:
        workshop.benchmark(3)  # what the run is over now is sums@2
    _import(_codet(workshop, ["a"], ["b"]))
    before = _held(workshop)
    file = _codet(workshop, *texts, name="drawn.jsonl")
    with pytest.raises(RunExists, match='Run "theirs" exists'):
        import_samples(SampleFile(file.path, "codet", stop_words), "theirs", benchmark, model)
    assert _held(workshop) == before


def test_completions_are_cut_and_their_token_counts_forgotten(workshop: Any) -> None:
    workshop.benchmark(1)
    lines = [{"task_id": "p0", "completion": "x = 1\ndef f(): pass", "completion_tokens": 9, "prompt_tokens": 4}]
    path = workshop.file("drawn.jsonl", lines)
    _import(SampleFile(path, "jsonl", ("\ndef",)), "cut")
    _import(SampleFile(path, "jsonl"), "whole")
    stored = workshop.rows(
        "SELECT r.name, completion, prompt_tokens, completion_tokens FROM store.samples"
        " JOIN store.completions USING (run_id, problem_id, sample_index)"
        " JOIN store.runs AS r USING (run_id) ORDER BY 1"
    )
    assert stored == [("cut", "x = 1", 4, None), ("whole", "x = 1\ndef f(): pass", 4, 9)]


def test_unequal_counts_make_the_design_unknown(workshop: Any) -> None:
    workshop.benchmark(2)
    imported = _import(_codet(workshop, ["a", "b"], ["c"]))
    assert (imported.fewest, imported.most) == (1, 2)
    assert workshop.one("SELECT design FROM store.runs") == "unknown"


def test_problems_without_samples_make_the_design_unknown(workshop: Any) -> None:
    workshop.benchmark(3)
    imported = _import(_codet(workshop, ["a"], ["c"], []))
    assert (imported.problems, imported.fewest, imported.most) == (2, 1, 1)
    assert workshop.one("SELECT design FROM store.runs") == "unknown"


def test_lines_of_one_problem_add_up_wherever_they_stand(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_import, "_CHUNK_ROWS", 3)
    workshop.benchmark(2)
    lines = [{"task_id": f"p{n % 2}", "completion": str(n)} for n in range(20)]
    imported = _import(SampleFile(workshop.file("drawn.jsonl", lines), "jsonl"))
    assert (imported.new_samples, imported.fewest, imported.most) == (20, 10, 10)
    stored = workshop.rows("SELECT completion FROM store.completions ORDER BY problem_id, sample_index")
    assert [int(text) for (text,) in stored] == [*range(0, 20, 2), *range(1, 20, 2)]


def test_problems_are_found_by_their_prompt(workshop: Any) -> None:
    workshop.benchmark(2)
    path = workshop.file("drawn.jsonl", [{"prompt": "1 + 1 = ?", "samples": ["2"]}])
    _import(SampleFile(path, "codet"))
    assert workshop.rows("SELECT key FROM store.samples JOIN store.problems USING (problem_id)") == [("p1",)]


def test_a_prompt_of_two_problems_is_refused(workshop: Any) -> None:
    from store.benchmarks import import_benchmark

    lines = [{"id": name, "prompt": "the same"} for name in "ab"]
    import_benchmark(workshop.file("sums.jsonl", lines), "sums", "jsonl")
    path = workshop.file("drawn.jsonl", [{"prompt": "the same", "samples": ["2"]}])
    with pytest.raises(BadFile, match=r"drawn\.jsonl:1: .*several problems"):
        _import(SampleFile(path, "codet"))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({"task_id": "p9", "samples": ["x"]}, 'benchmark sums@1 has no problem "p9"'),
        (
            {"prompt": "elsewhere", "samples": ["x"]},
            "has no problem with this prompt",
        ),
        ({"task_id": "p0", "samples": [None]}, 'field "samples" must be a list of texts'),
    ],
)
def test_nothing_is_left_of_a_file_that_fails_half_way(
    workshop: Any, monkeypatch: pytest.MonkeyPatch, line: dict[str, Any], complaint: str
) -> None:
    monkeypatch.setattr(sample_import, "_CHUNK_ROWS", 2)
    workshop.benchmark(1)
    good = [{"task_id": "p0", "samples": ["a", "b", "c"]}] * 3
    with pytest.raises(BadFile, match=complaint) as caught:
        _import(SampleFile(workshop.file("drawn.jsonl", [*good, line]), "codet"))
    assert "drawn.jsonl:4: " in str(caught.value)
    assert set(_held(workshop).values()) == {0}


def test_an_empty_file_leaves_nothing(workshop: Any) -> None:
    workshop.benchmark(1)
    with pytest.raises(BadFile, match="holds no sample"):
        _import(SampleFile(workshop.file("drawn.jsonl", [{"task_id": "p0", "samples": []}]), "codet"))
    assert set(_held(workshop).values()) == {0}


def test_a_missing_file_is_named(workshop: Any) -> None:
    workshop.benchmark(1)
    with pytest.raises(BadFile, match=r"nowhere\.jsonl: no such file"):
        _import(SampleFile(workshop.folder / "nowhere.jsonl", "codet"))
