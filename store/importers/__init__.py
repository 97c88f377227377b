"""Readers of what others wrote, one a format. They yield samples and know nothing of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from store.benchmark_formats import BadFile, storable
from store.errors import PassatkError
from store.importers.records import About, Fault, ImportedGroup, Item, Source


class FormatUnknown(PassatkError):
    """No reader is known for a file."""


@dataclass(frozen=True)
class Format:
    """A format by name: where its reader is, and whether its files carry the problems too."""

    summary: str
    module: str
    carries_problems: bool = True
    describe: str = "describe"
    read: str = "read"

    def about(self, source: Source) -> About:
        """What the file says of itself as a whole."""
        return cast("Callable[[Source], About]", self._reader(self.describe))(source)

    def items(self, source: Source) -> Iterator[Item]:
        """The records of the file in order, faults among them."""
        return cast("Callable[[Source], Iterator[Item]]", self._reader(self.read))(source)

    def _reader(self, name: str) -> object:
        # Imported when used: a reader of Parquet or YAML costs what the others need not pay.
        return getattr(import_module(f"store.importers.{self.module}"), name)


FORMATS: Mapping[str, Format] = {
    "bigcode": Format("bigcode-evaluation-harness generations, by position", "bigcode", carries_problems=False),
    "codet": Format("CodeT: a problem's samples in one list", "codet", carries_problems=False),
    "evalplus": Format("EvalPlus samples, folders, or results with two verdicts", "evalplus", carries_problems=False),
    "humaneval": Format("HumanEval samples, or results with verdicts", "humaneval", carries_problems=False),
    "inspect": Format("inspect_ai .eval logs", "inspect_log"),
    "jsonl": Format("plain JSON lines or a JSON array, with a column map", "plain"),
    "lighteval": Format("lighteval details in Parquet", "lighteval"),
    "livecodebench": Format("LiveCodeBench outputs, graded or not", "livecodebench"),
    "lm-eval": Format("lm-evaluation-harness samples", "lm_eval"),
    "monkeys-json": Format("the paper's released JSON arrays", "monkeys", describe="describe_json", read="read_json"),
    "monkeys-yaml": Format("a folder of the paper's YAML files", "monkeys", describe="describe_yaml", read="read_yaml"),
    "nemo-skills": Format("a NeMo-Skills folder of output-rs{seed}.jsonl", "nemo_skills"),
    "openai-batch": Format("OpenAI and vLLM batch output", "openai_batch"),
    "parquet": Format("plain Parquet, with a column map", "plain"),
    "search-and-learn": Format("search-and-learn completions with step scores", "search_and_learn"),
    "swebench": Format("SWE-bench predictions and reports", "swebench", carries_problems=False),
    "verifiers": Format("verifiers results.jsonl or traces.jsonl", "verifiers_rollouts"),
    "weaver": Format("Weaver rows with scores of many verifiers", "weaver"),
}


def read_samples(source: Source, format_name: str, replace: bool = False) -> Iterator[Item]:
    """The records of a file; with `replace`, text that PostgreSQL cannot hold is left for the writer to mend.

    Whatever ends the reading early (a file that is cut short) becomes the last fault.
    """
    try:
        for item in FORMATS[format_name].items(source):
            yield item if replace or not isinstance(item, ImportedGroup) else _checked(item)
    except BadFile as error:
        yield Fault(str(error))


def _checked(group: ImportedGroup) -> ImportedGroup | Fault:
    try:
        for sample in group.samples:
            storable(sample.completion, group.place, sample.field)
    except BadFile as error:
        return Fault(f"{error} --replace-unstorable stores it with U+FFFD in that place.")
    return group


def detect(path: Path) -> str:
    """The format of a file or folder, by its name and first record. Raises FormatUnknown."""
    from store.importers.detection import detected

    found = detected(path)
    if found is None:
        raise FormatUnknown(f"{path}: its format is not plain to see; say --format {'|'.join(sorted(FORMATS))}.")
    return found
