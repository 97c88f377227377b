"""bigcode-evaluation-harness: `generations_TASK.json`, a list of texts for each problem, in the benchmark's order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile
from store.importers import fields
from store.importers.records import About, Fault, ImportedGroup, ImportedSample, Item, ProblemName, Source
from store.importers.sources import stem, values, whole_json

_SAMPLING = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_length_generation": "max_tokens"}


def generations(path: Path) -> Path:
    """The file of generations: the path itself, or the one in the folder."""
    if path.is_file():
        return path
    found = sorted(path.glob("generations*.json"))
    if len(found) != 1:
        raise BadFile(f"{path}: holds {len(found)} files generations_TASK.json; name the one to read.")
    return found[0]


def describe(source: Source) -> About:
    """The task by the file's name; model and sampling from `evaluation_results.json` beside it."""
    path = generations(source.path)
    task = stem(path).removeprefix("generations").strip("_") or None
    results = path.parent / "evaluation_results.json"
    config: dict[str, Any] = whole_json(results).get("config", {}) if results.is_file() else {}
    sampling = {ours: config[theirs] for theirs, ours in _SAMPLING.items() if config.get(theirs) is not None}
    return About("bigcode", benchmark=task, model=config.get("model"), sampling=sampling)


def read(source: Source) -> Iterator[Item]:
    path = generations(source.path)
    for position, texts in enumerate(values(path, "item")):
        place = f"{path}[{position}]"
        try:
            found = fields.texts({"generations": texts}, "generations", place)
        except BadFile as error:
            yield Fault(str(error))
            continue
        samples = [ImportedSample(text, field="generations") for text in found]
        yield ImportedGroup(place, ProblemName(position=position), samples)
