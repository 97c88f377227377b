"""The paper's own files: a folder of YAML files, one a problem, and the released JSON arrays.

YAML keys: prompt, question, samples, and by task gt_answer, test_cases with timeout, theorem_name; after evaluation
is_corrects (or is_correct). A released array holds the same without tests, with orig_dset_split and orig_dset_idx,
in a file named TASK_MODEL.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from store.benchmark_formats import BadFile, ProblemRecord
from store.importers import fields
from store.importers.records import (
    About,
    Fault,
    ImportedGroup,
    ImportedSample,
    ImportedVerdict,
    Item,
    ProblemName,
    Source,
    judged,
)
from store.importers.sources import each, listed, records, stem

TOOL = "large_language_monkeys"
TASKS = {"gsm8k": "gsm8k", "math": "math", "codecontests": "codecontests", "minif2f-math": "minif2f"}
#: How the paper compares outputs: by tokens, without regard to case, numbers to 1e-5.
_CHECKER = {"kind": "tokens", "ignore_case": True, "float_tolerance": 1e-5}
_OTHERS = (".json", ".jsonl", ".gz", ".parquet", ".eval", ".py", ".log", ".txt", ".md")
_KEY = re.compile(rb"^(?:samples|is_corrects?|gt_answer|test_cases|theorem_name):", re.MULTILINE)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def task_and_model(path: Path) -> tuple[str | None, str | None]:
    """The task and the model of a file named TASK_MODEL.json."""
    task, separator, model = stem(path).partition("_")
    return (task, model) if separator and task.lower() in TASKS else (None, None)


def describe_json(source: Source) -> About:
    """What a released file's name says."""
    task, model = task_and_model(source.path)
    return About(TOOL, benchmark=task, benchmark_format=TASKS.get((task or "").lower(), "jsonl"), model=model)


def describe_yaml(source: Source) -> About:
    """What the first file's keys say of the task."""
    first = _loaded(yaml_files(source.path)[0])
    return About(TOOL, benchmark_format=_format_of(first))


def _format_of(record: Mapping[str, Any]) -> str:
    if "test_cases" in record:
        return "codecontests"
    if "theorem_name" in record:
        return "minif2f"
    answer = record.get("gt_answer")
    if isinstance(answer, str):
        return "gsm8k" if "####" in answer else "math"
    return "jsonl"


def looks_like_folder(folder: Path) -> bool:
    """Whether the first file that has no ending of a known kind begins as one of a problem does."""
    first = next((file for file in sorted(folder.glob("*")) if file.is_file() and file.suffix not in _OTHERS), None)
    if first is None:
        return False
    with first.open("rb") as stream:
        return _KEY.search(stream.read(1 << 16)) is not None


def looks_like(record: Mapping[str, Any]) -> bool:
    return "samples" in record and "question" in record


def read_json(source: Source) -> Iterator[Item]:
    """The records of a released array."""
    return each(records(source.path), lambda record, place: group(record, place, _array_name(record, place)))


def _array_name(record: Mapping[str, Any], place: str) -> str:
    key = fields.key(record, "orig_dset_idx", place)
    split = fields.maybe_text(record, "orig_dset_split", place)
    return key if split in (None, "test") else f"{split}/{key}"


def yaml_files(path: Path) -> list[Path]:
    """The problem files of a folder. CodeContests' evaluation writes files without an ending."""
    if path.is_file():
        return [path]
    found = [file for file in listed(path, "*") if not file.name.startswith(".")]
    # A problem's name may have a dot in it, so any ending will do where nothing ends as YAML does.
    kept = [file for file in found if file.suffix in (".yaml", ".yml")] or found
    if not kept:
        raise BadFile(f"{path}: holds no YAML file of a problem.")
    return sorted(kept, key=lambda file: (len(file.stem), file.stem) if file.stem.isdigit() else (99, file.stem))


def read_yaml(source: Source) -> Iterator[Item]:
    """The problems of a folder, a file at a time."""
    for path in yaml_files(source.path):
        try:
            record = _loaded(path)
            key = path.stem if path.suffix in (".yaml", ".yml") else path.name
            yield group(record, str(path), str(record.get("name") or key))
        except BadFile as error:
            yield Fault(str(error))


def _loaded(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            value = yaml.load(stream, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark is not None else ""
        raise BadFile(f"{path}{where}: not YAML ({getattr(error, 'problem', None) or error}).") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{path}: cannot be read ({error}).") from error
    if not isinstance(value, dict):
        raise BadFile(f"{path}: a mapping with samples is wanted, found {type(value).__name__}.")
    return value


def group(record: dict[str, Any], place: str, key: str) -> ImportedGroup:
    """One problem with its samples and, where they were judged, a verdict for each."""
    completions = fields.texts(record, "samples", place)
    verdicts = _verdicts(record, completions, place)
    samples = [
        ImportedSample(text, verdicts=[verdict] if verdict else [], field="samples")
        for text, verdict in zip(completions, verdicts, strict=True)
    ]
    prompt = fields.maybe_text(record, "prompt", place)
    question = fields.maybe_text(record, "question", place) or prompt
    name = ProblemName(keys=[key], texts=[text for text in (question, prompt) if text])
    made = None if not question else _problem(record, key, question, place)
    return ImportedGroup(place, name, samples, made, prompt)


def _verdicts(record: dict[str, Any], samples: list[str], place: str) -> list[ImportedVerdict | None]:
    name = next((name for name in ("is_corrects", "is_correct") if name in record), None)
    if name is None:
        return [None] * len(samples)
    corrects = fields.booleans(record, name, place)
    fields.same_length(samples, corrects, ("samples", name), place)
    extracted: list[Any] = record.get("solutions") or [None] * len(samples)
    no_code = "solutions" in record
    return [
        None if right is None else judged(right, reason="no_answer" if no_code and code is None else "wrong_answer")
        for right, code in zip(corrects, _padded(extracted, len(samples)), strict=True)
    ]


def _padded(values: list[Any], length: int) -> list[Any]:
    return values if len(values) == length else [""] * length


def _problem(record: dict[str, Any], key: str, question: str, place: str) -> ProblemRecord:
    metadata: dict[str, Any] = {}
    cases = fields.table(record, "test_cases", place)
    if cases:
        inputs, outputs = fields.texts(cases, "input", place), fields.texts(cases, "output", place)
        fields.same_length(inputs, outputs, ("input", "output"), place)
        pairs = zip(inputs, outputs, strict=True)
        metadata = {"stdin_tests": [{"input": given, "output": wanted} for given, wanted in pairs], "checker": _CHECKER}
        limit = fields.number(record, "timeout", place)
        metadata |= {"time_limit": limit} if limit is not None else {}
    metadata |= {name: record[name] for name in ("theorem_name", "orig_dset_split") if record.get(name) is not None}
    return ProblemRecord(key, question, fields.maybe_text(record, "gt_answer", place), metadata=metadata)
