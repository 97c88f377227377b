"""lighteval: `details_TASK_DATE.parquet` with columns `__doc__`, `__model_response__` and `__metric__`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from store.benchmark_formats import BadFile, ProblemRecord
from store.importers import fields
from store.importers.conversations import prompt_text
from store.importers.metrics import by_number
from store.importers.records import About, ImportedGroup, ImportedSample, Item, ProblemName, Source
from store.importers.sources import each, listed, parquet_rows, stem

_NAME = re.compile(r"details_(?P<task>.+?)_\d{4}-\d\d-\d\dT.*$")


def looks_like(record: Mapping[str, Any]) -> bool:
    return "__doc__" in record and "__model_response__" in record


def describe(source: Source) -> About:
    path = _file(source)
    match = _NAME.match(stem(path))
    parts = (match["task"] if match else "").split("|")
    task = parts[1] if len(parts) > 1 else parts[0]
    return About("lighteval", benchmark=task or None)


def _file(source: Source) -> Any:
    found = listed(source.path, "details_*.parquet")
    if len(found) != 1:
        raise BadFile(f"{source.path}: holds {len(found)} files details_TASK_DATE.parquet; name the one to read.")
    return found[0]


def read(source: Source) -> Iterator[Item]:
    positions = iter(range(2**62))
    return each(parquet_rows(_file(source)), lambda record, place: _group(record, next(positions), place))


def _table(record: Mapping[str, Any], name: str, place: str) -> Mapping[str, Any]:
    value = record.get(name)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise fields.wrong(name, place, "an object") from error
    return fields.table({name: value}, name, place)


def _group(record: dict[str, Any], position: int, place: str) -> ImportedGroup:
    doc, response = _table(record, "__doc__", place), _table(record, "__model_response__", place)
    texts = fields.texts(response, "text", place)
    lengths = _lengths(response.get("output_tokens"), texts, place)
    metric = _table(record, "__metric__", place)
    verdicts = [_verdict(metric)] if len(texts) == 1 else [[] for _ in texts]
    samples = [
        ImportedSample(text, completion_tokens=tokens, verdicts=one, field="text")
        for text, tokens, one in zip(texts, lengths, verdicts, strict=True)
    ]
    query = fields.maybe_text(doc, "query", place)
    key = str(doc["id"]) if doc.get("id") not in (None, "") else str(position)
    made = ProblemRecord(key, query, _reference(doc)) if query else None
    name = ProblemName([key], [query] if query else [])
    return ImportedGroup(place, name, samples, made, prompt_text(response.get("input")))


def _lengths(tokens: Any, texts: list[str], place: str) -> list[int | None]:
    if not isinstance(tokens, list) or not tokens:
        return [None] * len(texts)
    fields.same_length(texts, tokens, ("text", "output_tokens"), place)
    return [len(one) if isinstance(one, list) else None for one in tokens]


def _verdict(metric: Mapping[str, Any]) -> list[Any]:
    """A metric is of a document: with one sample it is that sample's verdict."""
    found = [by_number(value, part=name) for name, value in metric.items()]
    return [verdict for verdict in found if verdict is not None]


def _reference(doc: Mapping[str, Any]) -> str | None:
    choices, gold = doc.get("choices"), doc.get("gold_index")
    gold = gold[0] if isinstance(gold, list) and gold else gold
    if isinstance(choices, list) and isinstance(gold, int) and 0 <= gold < len(choices):
        return str(choices[gold]).strip() or None
    return None
