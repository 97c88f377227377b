"""Exports: what leaves the store comes back with the same counts, and training data loads as TRL loads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from store.connection import transaction
from store.errors import PassatkError
from store.import_placing import SampleFile
from store.runs import find_run
from store.sample_export import export_samples
from store.sample_import import import_samples
from store.stored_samples import BadSelection, VerifierUnclear
from store.training_export import NoRows, export_training
from store.training_recipes import Limits

COUNTS = (
    "SELECT p.key, count(*), count(*) FILTER (WHERE v.outcome = 'correct') FROM store.samples AS s"
    " JOIN store.runs AS r USING (run_id) JOIN store.problems AS p USING (problem_id)"
    " LEFT JOIN store.verdicts AS v USING (run_id, problem_id, sample_index)"
    " WHERE r.name = :run GROUP BY 1 ORDER BY 1"
)
TEXTS = (
    "SELECT p.key, sample_index, completion FROM store.completions JOIN store.runs AS r USING (run_id)"
    " JOIN store.problems AS p USING (problem_id) WHERE r.name = :run ORDER BY 1, 2"
)


@pytest.fixture
def judged(workshop: Any) -> Any:
    """A run of three problems with four samples each: 2, 1 and 0 of them correct."""
    lines = [
        {
            "problem": f"p{n}",
            "prompt": f"1 + {n} = ?",
            "completion": f"é {n} {k}\n",
            "correct": k + n < 2,
            "extracted_answer": str(k),
            "completion_tokens": 3 + k,
            "prompt_tokens": 5,
            "finish_reason": "stop",
        }
        for n in range(3)
        for k in range(4)
    ]
    path = workshop.file("sums.jsonl", lines)
    import_samples(SampleFile(path, "jsonl"), "r", "sums", "org/model")
    return workshop


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("form", "back", "verdicts"),
    [("jsonl", "jsonl", True), ("humaneval", "humaneval", False), ("swebench", "swebench", False)],
)
def test_what_goes_out_comes_back(judged: Any, form: str, back: str, verdicts: bool) -> None:
    output = judged.folder / ("out" if form == "swebench" else "out.jsonl")
    written = export_samples("r", form, output)
    assert (written.records, written.files) == (12, 4 if form == "swebench" else 1)
    import_samples(SampleFile(output, back), "back", "sums", "org/model")
    assert judged.rows(TEXTS, run="back") == judged.rows(TEXTS, run="r")
    expected = judged.rows(COUNTS, run="r")
    assert expected == [("p0", 4, 2), ("p1", 4, 1), ("p2", 4, 0)]
    assert judged.rows(COUNTS, run="back") == (expected if verdicts else [(key, 4, 0) for key, _, _ in expected])


def test_the_model_key_of_a_prediction_holds_the_index(judged: Any) -> None:
    export_samples("r", "swebench", judged.folder / "preds")
    assert sorted(path.name for path in (judged.folder / "preds").iterdir())[1] == "preds_s00001.jsonl"
    assert {line["model_name_or_path"] for line in _lines(judged.folder / "preds" / "preds_s00001.jsonl")} == {
        "org/model__s00001"
    }
    with pytest.raises(PassatkError, match="preds: is there already; name a folder that is new or empty"):
        export_samples("r", "swebench", judged.folder / "preds")


def test_scores_for_inspect(judged: Any) -> None:
    output = judged.folder / "scores.jsonl"
    export_samples("r", "inspect-scores", output)
    first = _lines(output)[0]
    assert (first["id"], first["value"], first["epoch"], first["answer"]) == ("p0", "C", 1, "0")
    assert [line["value"] for line in _lines(output)].count("C") == 3


def test_records_of_every_eval_ever(judged: Any) -> None:
    output = judged.folder / "records.jsonl"
    export_samples("r", "every-eval-ever", output)
    record = _lines(output)[4]
    required = (
        "schema_version evaluation_id model_id evaluation_name sample_id interaction_type input answer_attribution"
    )
    assert set(required.split()) | {"evaluation"} <= set(record)
    assert (record["input"]["raw"], record["output"]["raw"]) == ("1 + 1 = ?", ["é 1 0\n"])
    assert record["evaluation"] == {"score": 1.0, "is_correct": True}
    assert record["token_usage"] == {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}
    assert record["metadata"]["sample_index"] == 0
    (attribution,) = record["answer_attribution"]
    assert (attribution["extracted_value"], attribution["is_terminal"]) == ("0", True)


def test_requests_for_a_batch_come_back_as_its_answers(workshop: Any) -> None:
    workshop.run(problems=2, samples=5, name="asked")
    folder = workshop.folder / "requests"
    assert export_samples("asked", "openai-batch", folder, n=3).records == 4
    asked = _lines(folder / "batch-001.jsonl")
    assert [(one["custom_id"], one["body"]["n"]) for one in asked] == [
        ("asked:p0:0", 3), ("asked:p0:3", 2), ("asked:p1:0", 3), ("asked:p1:3", 2),
    ]  # fmt: skip
    assert asked[0]["body"]["messages"] == [{"role": "user", "content": "1 + 0 = ?"}]
    answers = [
        {
            "custom_id": one["custom_id"],
            "response": {
                "status_code": 200,
                "body": {"choices": [{"index": k, "message": {"content": f"{k}"}} for k in range(one["body"]["n"])]},
            },
        }
        for one in asked
    ]
    workshop.file("answers.jsonl", answers)
    imported = import_samples(SampleFile(workshop.folder / "answers.jsonl", "openai-batch"), "back", "sums", "m")
    assert (imported.new_samples, imported.fewest, imported.most) == (10, 5, 5)


def test_a_condition_chooses_samples_and_can_write_nothing(judged: Any) -> None:
    output = judged.folder / "chosen.jsonl"
    assert export_samples("r", "jsonl", output, where="outcome = 'correct' AND problem LIKE 'p%'").records == 3
    for where in ("nonsense", "true) ; DELETE FROM store.samples; --", "setval('store.runs_run_id_seq', 9) > 0"):
        with pytest.raises(BadSelection, match="cannot be evaluated"):
            export_samples("r", "jsonl", judged.folder / "bad.jsonl", where=where)
    assert not (judged.folder / "bad.jsonl").exists()
    assert not list(judged.folder.glob(".bad*"))
    assert judged.one("SELECT count(*) FROM store.samples") == 12


def test_a_verifier_must_be_known(judged: Any) -> None:
    with pytest.raises(VerifierUnclear, match='has no verdicts of "answer"; it has those of: imported:jsonl@unknown'):
        export_samples("r", "inspect-scores", judged.folder / "x.jsonl", verifier="answer")
    assert export_samples("r", "inspect-scores", judged.folder / "x.jsonl", verifier="imported:jsonl").records == 12
    judged.run(problems=1, name="unjudged")
    with pytest.raises(VerifierUnclear, match="has no reference verifier"):
        export_samples("unjudged", "inspect-scores", judged.folder / "y.jsonl")


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("recipe", "rows", "columns"),
    [
        ("sft", 3, {"prompt", "completion", "run", "problem", "sample_index", "verifier"}),
        ("preference", 5, {"prompt", "chosen", "rejected", "chosen_index", "rejected_index"}),
        ("difficulty", 3, {"prompt", "n", "c", "pass_rate", "bucket"}),
    ],
)
def test_training_data_loads_with_datasets(judged: Any, ending: str, recipe: str, rows: int, columns: set[str]) -> None:
    datasets = pytest.importorskip("datasets")
    path = judged.folder / f"train.{ending}"
    assert export_training(recipe, ["r"], path, Limits()) == rows
    kind = "json" if ending == "jsonl" else "parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_DATASETS_OFFLINE", "1")
        loaded = datasets.load_dataset(
            kind, data_files=str(path), split="train", cache_dir=str(judged.folder / "cache")
        )
    assert columns <= set(loaded.column_names)
    assert loaded.num_rows == rows
    assert set(loaded["problem"]) <= {"p0", "p1", "p2"}


def test_every_row_leads_back_to_its_samples(judged: Any) -> None:
    path = judged.folder / "pairs.jsonl"
    export_training("preference", ["r"], path, Limits(), conversational=True)
    texts = {(key, index): text for key, index, text in judged.rows(TEXTS, run="r")}
    for row in _lines(path):
        assert row["chosen"][0]["content"] == texts[row["problem"], row["chosen_index"]]
        assert row["rejected"][0]["content"] == texts[row["problem"], row["rejected_index"]]


def test_nothing_to_train_on_leaves_no_file(judged: Any) -> None:
    with pytest.raises(NoRows, match="Recipe sft found no row"):
        export_training("sft", ["r"], judged.folder / "t.jsonl", Limits(max_tokens=1))
    with pytest.raises(PassatkError, match=r"must end in \.jsonl or \.parquet"):
        export_training("sft", ["r"], judged.folder / "t.csv", Limits())
    assert not (judged.folder / "t.jsonl").exists()


def test_the_rendered_prompt_is_trained_on(workshop: Any) -> None:
    from store.verifier_registry import ensure_verifier

    record = {
        "prompt": "few shots\nQ: 1?",
        "question": "1?",
        "samples": ["1"],
        "is_corrects": [True],
        "orig_dset_idx": 0,
    }
    path = workshop.folder / "GSM8K_m.json"
    path.write_text(json.dumps([record]))
    import_samples(SampleFile(path))
    with transaction() as connection:
        find_run(connection, "GSM8K_m")
        ensure_verifier(connection, "other", "1")
    export_training("sft", ["GSM8K_m"], workshop.folder / "t.jsonl", Limits())
    assert _lines(workshop.folder / "t.jsonl")[0]["prompt"] == "few shots\nQ: 1?"
