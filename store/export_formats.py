"""Samples as other tools read them: one function a format, from stored samples to records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from store.fingerprint import fingerprint
from store.importers.records import UNDECIDED
from store.stored_samples import StoredSample
from store.swebench_reports import sample_key

Record = dict[str, Any]
_DIFF = re.compile(r"```(?:diff|patch)[ \t]*\r?\n(.*?)(?:^```|\Z)", re.DOTALL | re.MULTILINE)
#: Version of the instance records of Every Eval Ever that the fields here belong to.
EVERY_EVAL_EVER = "instance_level_eval_0.2.2"


def humaneval(samples: Iterable[StoredSample]) -> Iterator[Record]:
    """HumanEval's samples, a line each in the order of their index."""
    return ({"task_id": one.problem, "completion": one.completion} for one in samples)


def plain(samples: Iterable[StoredSample]) -> Iterator[Record]:
    """Lines that `passatk samples import --format jsonl` takes back whole."""
    for one in samples:
        record = {
            "problem": one.problem,
            "sample_index": one.sample_index,
            "prompt": one.question,
            "reference_answer": one.reference_answer,
            "completion": one.completion,
            "prompt_tokens": one.prompt_tokens,
            "completion_tokens": one.completion_tokens,
            "finish_reason": one.finish_reason,
        }
        if one.outcome in ("correct", "incorrect"):
            record |= {"correct": one.outcome == "correct", "extracted_answer": one.answer, "score": one.score}
        yield record


def prediction(one: StoredSample) -> Record:
    """A SWE-bench prediction. Its model key holds the index, for the harness keeps one result a key."""
    fenced = _DIFF.search(one.completion)
    patch = fenced[1] if fenced else one.completion
    return {
        "instance_id": one.problem,
        "model_name_or_path": sample_key(one.model, one.sample_index),
        "model_patch": patch,
    }


def inspect_scores(samples: Iterable[StoredSample]) -> Iterator[Record]:
    """Lines of inspect's `precomputed_scores`; samples without a decided verdict and without a score are left out."""
    for one in samples:
        value = {"correct": "C", "incorrect": "I"}.get(one.outcome or "", one.score)
        if value is None:
            continue
        said = {"answer": one.answer, "explanation": one.reason}
        known = {name: text for name, text in said.items() if text is not None}
        told = {"run": one.run, "sample_index": one.sample_index, "verifier": one.verifier, "score": one.score}
        yield {"id": one.problem, "value": value, "epoch": one.sample_index + 1, **known, "metadata": told}


def every_eval_ever(samples: Iterable[StoredSample]) -> Iterator[Record]:
    """Instance records of Every Eval Ever; it has no place for a sample's index, so that stands in the metadata."""
    for one in samples:
        if one.outcome is None or (one.outcome == UNDECIDED and one.score is None):
            continue
        right = one.outcome == "correct"
        yield {
            "schema_version": EVERY_EVAL_EVER,
            "evaluation_id": f"{one.benchmark}/{one.model}/{one.run}",
            "model_id": one.model,
            "evaluation_name": one.benchmark,
            "sample_id": one.problem,
            "sample_hash": fingerprint(one.prompt, one.reference_answer),
            "interaction_type": "single_turn",
            "input": {"raw": one.prompt, "reference": [] if one.reference_answer is None else [one.reference_answer]},
            "output": {"raw": [one.completion]},
            "answer_attribution": [
                {
                    "turn_idx": 0,
                    "source": "output.raw",
                    "extracted_value": one.completion if one.answer is None else one.answer,
                    "extraction_method": one.verifier,
                    "is_terminal": True,
                }
            ],
            "evaluation": {"score": float(right) if one.score is None else one.score, "is_correct": right},
            **_usage(one),
            "metadata": {**one.key, "verifier": one.verifier, "outcome": one.outcome, "reason": one.reason},
        }


def _usage(one: StoredSample) -> Record:
    known: Record = {}
    if one.prompt_tokens is not None and one.completion_tokens is not None:
        total = one.prompt_tokens + one.completion_tokens
        counts = {"input_tokens": one.prompt_tokens, "output_tokens": one.completion_tokens, "total_tokens": total}
        known["token_usage"] = counts
    if one.latency_seconds is not None:
        known["performance"] = {"latency_ms": one.latency_seconds * 1000}
    return known


#: Formats that are one file of lines; SWE-bench's predictions and batch input are folders.
LINES: Mapping[str, Callable[[Iterable[StoredSample]], Iterator[Record]]] = {
    "every-eval-ever": every_eval_ever,
    "humaneval": humaneval,
    "inspect-scores": inspect_scores,
    "jsonl": plain,
}
