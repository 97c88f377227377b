"""Every format into a store: the counts of the file, its verifiers under names of their own, and once."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from store.benchmarks import import_benchmark
from store.import_placing import SampleFile
from store.importers import FORMATS
from store.sample_import import Imported, import_samples

_FILE = Path(__file__).resolve().parents[1] / "foreign_files.py"
_spec = importlib.util.spec_from_file_location("foreign_files", _FILE)
assert _spec is not None
assert _spec.loader is not None
foreign: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(foreign)


def _import(path: Path, name: str, benchmark: str | None) -> Imported:
    options = {"map": foreign.MAP} if name == "parquet" else {}
    return import_samples(SampleFile(path, name, options=options), "r", benchmark, "m")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_format_is_stored_once(workshop: Any, name: str) -> None:
    write, verdicts, with_tokens = foreign.FILES[name]
    benchmark = None
    if not FORMATS[name].carries_problems:
        benchmark = "given"
        keys = ["a__b-0", "a__b-1"] if name == "swebench" else ["p0", "p1"]
        lines = [{"id": key, "prompt": f"1 + {n} = ?"} for n, key in enumerate(keys)]
        import_benchmark(workshop.file("given.jsonl", lines), "given", "jsonl")
    path = write(workshop.folder)
    imported = _import(path, name, benchmark)
    assert (imported.new_samples, imported.problems, imported.fewest, imported.most) == (6, 2, 3, 3)
    stored: dict[str, dict[str, int]] = {}
    for verifier, outcome, count in workshop.rows(
        "SELECT name, outcome, count(*) FROM store.verdicts JOIN store.verifiers USING (verifier_id) GROUP BY 1, 2"
    ):
        stored.setdefault(verifier, {})[outcome] = count
    assert stored == {f"imported:{part}": counts for part, counts in verdicts.items()}
    assert workshop.one("SELECT count(*) FROM store.samples WHERE completion_tokens > 0") == with_tokens
    assert workshop.one("SELECT count(*) FROM store.samples WHERE completion_tokens = 0") == 0
    assert workshop.one("SELECT count(*) FROM store.sample_sources") == 6
    assert workshop.one("SELECT design FROM store.runs") == "fixed_n"
    assert workshop.rows("SELECT array_agg(DISTINCT sample_index ORDER BY sample_index) FROM store.samples") == [
        ([0, 1, 2],)
    ]
    again = _import(path, name, benchmark)
    assert (again.new_samples, again.new_verdicts) == (0, 0)


def test_step_scores_are_kept(workshop: Any) -> None:
    _import(foreign.search_and_learn(workshop.folder), "search-and-learn", None)
    scores = (
        "SELECT scores FROM store.step_scores JOIN store.problems USING (problem_id) ORDER BY position, sample_index"
    )
    assert workshop.rows(scores)[:2] == [([0.5, 0.25],), ([0.125],)]


def test_a_seed_that_comes_later_joins_the_run(workshop: Any) -> None:
    folder = foreign.nemo_skills(workshop.folder)
    last = folder / "output-rs2.jsonl"
    kept = last.read_text()
    last.unlink()
    assert _import(folder, "nemo-skills", None).new_samples == 4
    last.write_text(kept)
    later = _import(folder, "nemo-skills", None)
    assert (later.new_samples, later.fewest, later.most) == (2, 3, 3)


def test_counts_that_are_the_requests_stay_unknown(workshop: Any) -> None:
    _import(foreign.openai_batch(workshop.folder), "openai-batch", None)
    rows = workshop.rows("SELECT request_samples, prompt_tokens, completion_tokens FROM store.samples ORDER BY 1, 3")
    assert rows == [(1, 8, 6), (1, 8, 6), *[(2, 8, None)] * 4]
