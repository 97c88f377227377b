"""Imports of any format: once, all or nothing, with provenance, verdicts kept apart, and a report that names places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from store.benchmark_formats import BadFile
from store.import_placing import SampleFile
from store.runs import RunExists
from store.sample_import import Imported, ModelUnsaid, import_samples

TABLES = ("benchmarks", "problems", "runs", "models", "imports", "batches", "samples", "completions", "sample_sources")
HF = [
    {
        "prompt": f"Q: how much is 1 + {n}?\nA:",
        "question": f"how much is 1 + {n}?",
        "samples": [f"#### {1 + n}", "#### 99", ""],
        "is_corrects": [True, False, False],
        "gt_answer": f"It is\n#### {1 + n}",
        "orig_dset_split": "test",
        "orig_dset_idx": 10 + n,
    }
    for n in range(3)
]


def _held(workshop: Any) -> dict[str, int]:
    return {name: workshop.one(f"SELECT count(*) FROM store.{name}") for name in TABLES}  # noqa: S608


def _array(folder: Path, records: list[Any] = HF, name: str = "GSM8K_Llama-3-8B-Instruct.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(records))
    return path


def _import(path: Path, **values: Any) -> Imported:
    options = {name: values.pop(name) for name in ("format_name", "append", "replace_unstorable") if name in values}
    return import_samples(SampleFile(path, **options), **values)


def test_a_released_array_makes_its_benchmark_its_run_and_its_verdicts(workshop: Any) -> None:
    imported = _import(_array(workshop.folder))
    assert (imported.new_samples, imported.new_verdicts, imported.fewest, imported.most) == (9, 9, 3, 3)
    assert (imported.benchmark.label, imported.benchmark_is_new, imported.benchmark.problem_count) == (
        "GSM8K@1", True, 3,
    )  # fmt: skip
    assert workshop.rows("SELECT format, problem_count, length(content_hash) FROM store.benchmarks") == [
        ("gsm8k", 3, 64)
    ]
    assert workshop.rows("SELECT key, prompt, reference_answer FROM store.problems ORDER BY position")[0] == (
        "10", "how much is 1 + 0?", "It is\n#### 1",
    )  # fmt: skip
    assert workshop.one("SELECT name FROM store.models") == "Llama-3-8B-Instruct"
    assert workshop.rows("SELECT name, version FROM store.verifiers") == [
        ("imported:large_language_monkeys", "unknown")
    ]
    counts = "SELECT p.key, n, c FROM analytics.problem_counts JOIN store.problems AS p USING (problem_id) ORDER BY 1"
    assert workshop.rows(counts) == [("10", 3, 1), ("11", 3, 1), ("12", 3, 1)]
    run = workshop.rows("SELECT design, source, reference_verifier_id IS NOT NULL, stopping FROM store.runs")
    assert run == [("fixed_n", "imported", True, {"rule": "fixed"})]
    assert workshop.one("SELECT count(*) FROM store.samples WHERE completion_tokens IS NOT NULL") == 0
    assert workshop.rows("SELECT prompt FROM store.prompts ORDER BY problem_id")[0] == (HF[0]["prompt"],)


def test_every_sample_names_its_record(workshop: Any) -> None:
    path = _array(workshop.folder)
    _import(path)
    assert workshop.rows("SELECT locator FROM store.sample_sources ORDER BY problem_id, sample_index LIMIT 4") == [
        ("record 0, sample 0",), ("record 0, sample 1",), ("record 0, sample 2",), ("record 1, sample 0",),
    ]  # fmt: skip
    ((form, tool, file, records),) = workshop.rows("SELECT format, tool, file, records FROM store.imports")
    assert (form, tool, file, records) == ("monkeys-json", "large_language_monkeys@unknown", str(path), 3)
    assert workshop.one("SELECT count(*) FROM store.batches WHERE import_id IS NULL OR state <> 'done'") == 0


def test_the_same_file_again_changes_nothing(workshop: Any) -> None:
    path = _array(workshop.folder)
    _import(path)
    before = _held(workshop)
    again = _import(path)
    assert (again.new_samples, again.new_verdicts, again.fewest) == (0, 0, 3)
    assert _held(workshop) == before


def test_a_file_that_grew_brings_what_is_new(workshop: Any) -> None:
    short = [record | {"samples": record["samples"][:2], "is_corrects": record["is_corrects"][:2]} for record in HF]
    _import(_array(workshop.folder, short), run_name="r")
    grown = _import(_array(workshop.folder), run_name="r")
    assert (grown.new_samples, grown.new_verdicts, grown.fewest, grown.most) == (3, 3, 3, 3)
    assert workshop.one("SELECT count(*) FROM store.imports") == 2


def test_verdicts_may_come_in_a_later_file(workshop: Any) -> None:
    bare = [{name: value for name, value in record.items() if name != "is_corrects"} for record in HF]
    first = _import(_array(workshop.folder, bare), run_name="r")
    assert (first.new_samples, first.new_verdicts) == (9, 0)
    second = _import(_array(workshop.folder), run_name="r")
    assert (second.new_samples, second.new_verdicts) == (0, 9)
    assert workshop.one("SELECT reference_verifier_id IS NOT NULL FROM store.runs")


def test_another_verdict_on_a_stored_sample_is_a_further_attempt(workshop: Any) -> None:
    _import(_array(workshop.folder), run_name="r")
    changed = [HF[0] | {"is_corrects": [False, False, False]}, *HF[1:]]
    imported = _import(_array(workshop.folder, changed), run_name="r")
    assert (imported.new_samples, imported.new_verdicts) == (0, 1)
    assert workshop.rows("SELECT attempt, outcome FROM store.verdicts WHERE sample_index = 0 ORDER BY attempt, 2")[
        -1
    ] == (1, "incorrect")


def test_another_text_under_a_stored_key_is_refused_and_append_puts_it_behind(workshop: Any) -> None:
    _import(_array(workshop.folder), run_name="r")
    before = _held(workshop)
    other = [record | {"samples": ["a", "b", "c"]} for record in HF]
    path = _array(workshop.folder, other)
    with pytest.raises(RunExists, match='record 0, sample 0: Run "r" exists and holds another text as sample 0'):
        _import(path, run_name="r")
    assert _held(workshop) == before
    assert _import(path, run_name="r", append=True).fewest == 6
    assert _import(path, run_name="r", append=True).new_samples == 0


def test_a_stored_benchmark_is_matched_by_text(workshop: Any) -> None:
    from store.benchmarks import import_benchmark

    lines = [{"question": record["question"], "answer": record["gt_answer"]} for record in reversed(HF)]
    import_benchmark(workshop.file("gsm8k.jsonl", lines), "gsm8k", "gsm8k")
    imported = _import(_array(workshop.folder), benchmark_label="gsm8k")
    assert not imported.benchmark_is_new
    keys = "SELECT DISTINCT key FROM store.samples JOIN store.problems USING (problem_id) ORDER BY 1"
    assert workshop.rows(keys) == [("gsm8k/0",), ("gsm8k/1",), ("gsm8k/2",)]
    completions = "SELECT completion FROM store.completions JOIN store.problems USING (problem_id) WHERE key = :key"
    assert ("#### 1",) in workshop.rows(completions, key="gsm8k/2")


def test_unequal_numbers_of_samples_make_the_stopping_rule_unknown(workshop: Any) -> None:
    uneven = [HF[0] | {"samples": HF[0]["samples"][:1], "is_corrects": [True]}, *HF[1:]]
    _import(_array(workshop.folder, uneven))
    assert workshop.rows("SELECT design, stopping FROM store.runs") == [("unknown", {"rule": "unknown"})]


def test_a_dry_run_counts_and_stores_nothing(workshop: Any) -> None:
    imported = _import(_array(workshop.folder), dry=True)
    assert imported.report.values() == {
        "records": 3,
        "problems": 3,
        "samples": 9,
        "samples_per_problem": {"fewest": 3, "most": 3},
        "samples_with_known_tokens": 0,
        "verdicts": {"imported:large_language_monkeys@unknown": {"correct": 3, "incorrect": 6}},
        "skipped": {},
    }
    assert set(_held(workshop).values()) == {0}


def test_every_fault_is_in_the_report_and_nothing_is_stored(workshop: Any) -> None:
    bad = [HF[0], HF[1] | {"is_corrects": [True]}, HF[2] | {"samples": None}, HF[0] | {"orig_dset_idx": []}]
    path = _array(workshop.folder, bad)
    with pytest.raises(BadFile) as caught:
        _import(path)
    summary, *lines = str(caught.value).splitlines()
    assert summary == f"{path}: 3 records cannot be taken, so nothing was stored:"
    assert lines[0].startswith(f'  {path}[1]: field "is_corrects" has 1 entries for the 3 of "samples"')
    assert lines[1] == f'  {path}[2]: field "samples" must be a list of texts.'
    assert lines[2] == f'  {path}[3]: field "orig_dset_idx" must be text that is not empty.'
    assert set(_held(workshop).values()) == {0}


def test_an_array_that_is_cut_short_leaves_nothing(workshop: Any) -> None:
    path = workshop.folder / "GSM8K_cut.json"
    path.write_text(json.dumps(HF)[:-40])
    with pytest.raises(BadFile, match=r"GSM8K_cut\.json: not whole JSON"):
        _import(path)
    assert set(_held(workshop).values()) == {0}


def test_text_that_cannot_be_stored_is_named_or_mended(workshop: Any) -> None:
    path = _array(workshop.folder, [HF[0] | {"samples": ["a\0b", "", ""]}])
    with pytest.raises(BadFile, match=r'\[0\]: field "samples" holds a NUL character.*--replace-unstorable'):
        _import(path)
    _import(path, replace_unstorable=True)
    assert workshop.one("SELECT completion FROM store.completions WHERE sample_index = 0") == "a\ufffdb"


def test_a_file_that_names_no_model_asks_for_one(workshop: Any) -> None:
    path = workshop.file("drawn.jsonl", [{"prompt": "1 + 1 = ?", "completion": "2"}])
    with pytest.raises(ModelUnsaid, match=r"drawn\.jsonl: does not say which model .*--model"):
        _import(path)
    imported = _import(path, model_name="m")
    assert (imported.run_name, imported.benchmark.label, imported.new_samples) == ("drawn", "drawn@1", 1)


def test_tokens_are_counted_with_a_tokenizer(workshop: Any) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(workshop.folder / "tokenizer.json"))
    lines = [{"prompt": "1 + 1", "completion": "a b a"}, {"prompt": "1 + 1", "completion": "a", "completion_tokens": 7}]
    file = SampleFile(workshop.file("drawn.jsonl", lines), tokenizer=workshop.folder)
    import_samples(file, model_name="m")
    assert workshop.rows("SELECT completion_tokens FROM store.samples ORDER BY sample_index") == [(3,), (7,)]
