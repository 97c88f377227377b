"""lm-evaluation-harness: `samples_TASK_DATE.jsonl`, one line for each document and filter.

Texts come from the first filter's lines; each further filter brings its extracted answers for the same samples. The
metrics are of a document: with one sample they are its verdict, with several they belong to none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile, ProblemRecord
from store.importers import fields
from store.importers.metrics import NOT_JUDGED, by_number
from store.importers.records import (
    UNDECIDED,
    About,
    Fault,
    ImportedGroup,
    ImportedSample,
    ImportedVerdict,
    Item,
    ProblemName,
    Skipped,
    Source,
)
from store.importers.sources import each, lines, listed, whole_json

_NAME = re.compile(r"samples_(?P<task>.+?)_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+)$")
_QUESTIONS = ("question", "problem", "prompt", "query")


def looks_like(record: Mapping[str, Any]) -> bool:
    return "doc_id" in record and "resps" in record


def files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder."""
    found = listed(path, "samples_*.jsonl", "samples_*.jsonl.gz")
    if not found:
        raise BadFile(f"{path}: holds no samples_TASK_DATE.jsonl.")
    if len(found) > 1:
        raise BadFile(f"{path}: holds {len(found)} files samples_TASK_DATE.jsonl; import each into a run of its own.")
    return found


def describe(source: Source) -> About:
    """Task and date by the file's name; model and version from the results beside it, or the folder's name."""
    path = files(source.path)[0]
    match = _NAME.match(path.name.removesuffix(".gz").removesuffix(".jsonl"))
    task = match["task"] if match else None
    beside = path.parent / f"results_{match['date']}.json" if match else None
    results = whole_json(beside) if beside is not None and beside.is_file() else {}
    folder = path.parent.name.replace("__", "/") if match else None
    first = next(iter(lines(path, lenient=True)), None)
    record = {} if first is None or isinstance(first, Fault) else first[1]
    return About(
        "lm-eval",
        results.get("lm_eval_version") or results.get("git_hash"),
        benchmark=task,
        benchmark_format="gsm8k" if "####" in str(record.get("target", "")) else "jsonl",
        model=results.get("model_name") or (results.get("config") or {}).get("model_name") or folder or None,
        sampling=_sampling(_arguments(record)[1]),
        reference=record.get("filter"),
    )


def _sampling(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    names = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_gen_toks": "max_tokens"}
    found = {ours: given[theirs] for theirs, ours in names.items() if given.get(theirs) is not None}
    return found | ({"stop": given["until"]} if isinstance(given.get("until"), list) else {})


def read(source: Source) -> Iterator[Item]:
    path = files(source.path)[0]
    first: list[str] = []

    def parse(record: dict[str, Any], place: str) -> Item:
        name = fields.maybe_text(record, "filter", place) or "none"
        first.append(name) if not first else None
        return _group(record, name, name != first[0], place)

    return each(lines(path, lenient=True), parse)


def _group(record: dict[str, Any], filter_name: str, again: bool, place: str) -> Item:
    texts = _texts(record.get("resps"))
    if texts is None:
        return Skipped(place, "no generated text (log-likelihoods)")
    verdicts = _verdicts(record, filter_name, len(texts))
    samples = [
        ImportedSample(text, index=n, verdicts=[] if verdict is None else [verdict], field="resps")
        for n, (text, verdict) in enumerate(zip(texts, verdicts, strict=True))
    ]
    doc = fields.table(record, "doc", place)
    prompt = _arguments(record)[0]
    question = next((doc[name] for name in _QUESTIONS if isinstance(doc.get(name), str) and doc[name]), prompt)
    key = fields.key(record, "doc_id", place)
    target = record.get("target")
    made = ProblemRecord(key, question, None if target is None else str(target)) if question else None
    return ImportedGroup(place, ProblemName([key], [question] if question else []), samples, made, prompt, again)


def _texts(resps: Any) -> list[str] | None:
    flat = [one for each_ in resps for one in (each_ if isinstance(each_, list) else [each_])] if resps else []
    return flat if flat and all(isinstance(one, str) for one in flat) else None


def _arguments(record: Mapping[str, Any]) -> tuple[str | None, Any]:
    """(prompt, generation settings) of the first request, in the layout of now or the older list."""
    given = record.get("arguments")
    if isinstance(given, dict):
        first = given.get("gen_args_0") or {}
        prompt, settings = first.get("arg_0"), first.get("arg_1")
    elif isinstance(given, list) and given and isinstance(given[0], list):
        prompt, settings = (*given[0], None, None)[:2]
    else:
        return None, None
    return (prompt if isinstance(prompt, str) else None), settings


def _verdicts(record: Mapping[str, Any], name: str, count: int) -> list[ImportedVerdict | None]:
    answers = _answers(record.get("filtered_resps"), count)
    if count == 1:
        metric = next((one for one in record.get("metrics") or [] if isinstance(record.get(one), int | float)), None)
        verdict = None if metric is None else by_number(record.get(metric), part=name, answer=answers[0])
        return [verdict if verdict is not None else _answer_alone(name, answers[0])]
    return [_answer_alone(name, answer) for answer in answers]


def _answers(filtered: Any, count: int) -> list[str | None]:
    flat = (
        filtered[0] if isinstance(filtered, list) and len(filtered) == 1 and isinstance(filtered[0], list) else filtered
    )
    if not isinstance(flat, list) or len(flat) != count:
        return [None] * count
    return [str(one) if one is not None else None for one in flat]


def _answer_alone(name: str, answer: str | None) -> ImportedVerdict | None:
    return None if answer is None else ImportedVerdict(UNDECIDED, NOT_JUDGED, answer, part=name)
