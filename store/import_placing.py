"""From a file's records to samples with a key: which problem, which index, what text, how many tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from store.benchmark_formats import BadFile
from store.import_problems import KnownProblems, NewProblems
from store.import_report import ImportReport
from store.import_writing import PlacedSample
from store.importers import read_samples
from store.importers.records import About, Fault, ImportedGroup, ImportedSample, Skipped, Source
from store.importers.sources import locator
from store.token_counting import Counter as TokenCounter
from store.token_counting import open_tokenizer


@dataclass(frozen=True)
class SampleFile:
    """A file or folder of samples and how to read it."""

    path: Path
    format_name: str = "auto"
    stop_words: tuple[str, ...] = ()
    tokenizer: Path | None = None
    options: dict[str, str] = field(default_factory=dict)
    #: Put samples behind those the run holds, instead of taking the file's own order as their index.
    append: bool = False
    replace_unstorable: bool = False

    @property
    def source(self) -> Source:
        return Source(self.path, self.options)


def cut_at_stop_words(text: str, stop_words: Sequence[str]) -> str:
    """The text before the earliest of the stop words."""
    ends = [end for end in (text.find(word) for word in stop_words) if end >= 0]
    return text[: min(ends)] if ends else text


class Placer:
    """Places the samples of one file; what cannot be read or placed goes into its report."""

    def __init__(self, file: SampleFile, about: About, problems: KnownProblems | NewProblems) -> None:
        self.file = file
        self.about = about
        self.problems = problems
        self.report = ImportReport()
        #: What the model was given for each problem, where the file has it.
        self.prompts: dict[int, str] = {}
        self._count: TokenCounter | None = open_tokenizer(file.tokenizer) if file.tokenizer else None
        self._seen: Counter[int] = Counter()

    def placed(self, offsets: Counter[int]) -> Iterator[PlacedSample]:
        """Every sample of the file with its key; a problem's samples begin at its offset."""
        for item in read_samples(self.file.source, self.file.format_name, self.file.replace_unstorable):
            if isinstance(item, Fault):
                self.report.fault(item)
            elif isinstance(item, Skipped):
                self.report.skip(item)
            else:
                try:
                    yield from self._place(item, offsets)
                except BadFile as error:
                    self.report.fault(Fault(str(error)))

    def verifier_name(self, part: str | None) -> str:
        """What a part of the tool's verdicts is called here; never the name of a verifier of ours."""
        return f"imported:{self.about.tool}{f'/{part}' if part else ''}"

    @property
    def version(self) -> str:
        return self.about.version or "unknown"

    def _place(self, group: ImportedGroup, offsets: Counter[int]) -> Iterator[PlacedSample]:
        problem_id = self.problems.find(group)
        if self.file.stop_words and any(sample.verdicts for sample in group.samples):
            raise BadFile(f"{group.place}: its verdicts are of whole completions; import it without stop words.")
        if group.prompt:
            self.prompts.setdefault(problem_id, group.prompt)
        group = replace(group, samples=self._with_tokens(group))
        self.report.take(group, problem_id, lambda part: f"{self.verifier_name(part)}@{self.version}")
        where = locator(group.place, self.file.path)
        for n, sample in enumerate(group.samples):
            index = self._seen[problem_id] if sample.index is None else sample.index
            self._seen[problem_id] = max(self._seen[problem_id], index + 1)
            text = cut_at_stop_words(sample.completion, self.file.stop_words)
            place = where if len(group.samples) == 1 else f"{where}, sample {n}"
            yield PlacedSample(problem_id, index + offsets[problem_id], text, sample, place)

    def _with_tokens(self, group: ImportedGroup) -> list[ImportedSample]:
        """The group's samples; counts that the file lacks are counted where a tokenizer is given."""
        samples = list(group.samples)
        if self.file.stop_words:
            # A cut completion has fewer tokens than the file says; how many is not known.
            samples = [replace(sample, completion_tokens=None) for sample in samples]
        if self._count is None or not samples:
            return samples
        counts = self._count([cut_at_stop_words(sample.completion, self.file.stop_words) for sample in samples])
        prompt_tokens = self._count([group.prompt])[0] if group.prompt else None
        return [_counted(sample, prompt_tokens, tokens) for sample, tokens in zip(samples, counts, strict=True)]


def _counted(sample: ImportedSample, prompt_tokens: int | None, completion_tokens: int) -> ImportedSample:
    return replace(
        sample,
        prompt_tokens=prompt_tokens if sample.prompt_tokens is None else sample.prompt_tokens,
        completion_tokens=completion_tokens if sample.completion_tokens is None else sample.completion_tokens,
    )
