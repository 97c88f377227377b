"""NeMo-Skills: a folder of `output-rs{seed}.jsonl` (or chunks of it), one line a problem, one file a sample.

The seed is the index of the sample and the line number is the problem. Unfinished `...-async` files count where no
finished one is; a greedy `output.jsonl` is another way of sampling and is read only where it stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile, ProblemRecord
from store.importers import fields
from store.importers.metrics import scored
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
    judged,
)
from store.importers.sources import lines

_NAME = re.compile(r"output(?:-rs(?P<seed>\d+))?(?:_chunk_(?P<chunk>\d+))?\.jsonl(?P<unfinished>-async)?(?:\.gz)?")
_QUESTIONS = ("problem", "question", "prompt")


@dataclass(frozen=True)
class Part:
    """One file: its seed (None: greedy), its chunk, and whether it is unfinished."""

    path: Path
    seed: int | None
    chunk: int | None
    unfinished: bool


def parts_of(path: Path) -> list[Part]:
    """The files to read, by seed and chunk; a merged file stands for its chunks, a finished one for an unfinished."""
    files = [path] if path.is_file() else sorted(path.glob("output*.jsonl*"))
    matched = [(file, _NAME.fullmatch(file.name)) for file in files]
    found = [
        Part(file, _number(match["seed"]), _number(match["chunk"]), bool(match["unfinished"]))
        for file, match in matched
        if match
    ]
    if not found:
        raise BadFile(f"{path}: holds no output-rs{{seed}}.jsonl of NeMo-Skills.")
    seeds = {part.seed for part in found}
    if len(seeds) > 1:
        seeds.discard(None)
    return [part for seed in sorted(seeds, key=str) for part in _chosen([one for one in found if one.seed == seed])]


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _chosen(parts: list[Part]) -> list[Part]:
    merged = [part for part in parts if part.chunk is None]
    if merged:
        return sorted(merged, key=lambda part: part.unfinished)[:1]
    by_chunk = {part.chunk: part for part in sorted(parts, key=lambda part: not part.unfinished)}
    return [by_chunk[chunk] for chunk in sorted(by_chunk, key=lambda chunk: chunk or 0)]


def looks_like(path: Path) -> bool:
    """Whether a file, or one in a folder, is named by a seed, or is called output.jsonl and holds generations."""
    names = [path] if path.is_file() else list(path.glob("output*.jsonl*"))
    matched = [(file, _NAME.fullmatch(file.name)) for file in names]
    return any(match and (match["seed"] or _has_generation(file)) for file, match in matched)


def _has_generation(path: Path) -> bool:
    first = next(iter(lines(path, lenient=True)), None)
    return isinstance(first, tuple) and "generation" in first[1]


def describe(source: Source) -> About:
    path = source.path if source.path.is_dir() else source.path.parent
    first = next(iter(lines(parts_of(source.path)[0].path, lenient=True)), None)
    record = {} if first is None or isinstance(first, Fault) else first[1]
    parts = {verdict.part for verdict in _verdicts(record, str(path))}
    return About(
        "nemo-skills",
        benchmark=path.name or None,
        benchmark_format="math" if "expected_answer" in record else "jsonl",
        reference=next((part for part in ("symbolic", "base") if part in parts), None),
    )


def read(source: Source) -> Iterator[Item]:
    offset: dict[int | None, int] = {}
    for part in parts_of(source.path):
        begin = offset.get(part.seed, 0)
        length = 0
        for one in lines(part.path, lenient=True):
            if isinstance(one, Fault):
                yield one
            else:
                place, record = one
                try:
                    yield _group(record, part, begin + length, place)
                except BadFile as error:
                    yield Fault(str(error))
            length += 1
        offset[part.seed] = begin + length


def _group(record: dict[str, Any], part: Part, line: int, place: str) -> Item:
    if part.unfinished:
        position = fields.count(record, "_async_position", place)
        if position is None:
            raise fields.missing("_async_position", place)
        line = position
    if record.get("generation") is None:
        return Skipped(place, "no generation")
    sample = ImportedSample(
        fields.text(record, "generation", place),
        index=part.seed or 0,
        seed=part.seed,
        prompt_tokens=fields.count(record, "num_input_tokens", place),
        completion_tokens=fields.count(record, "num_generated_tokens", place),
        reasoning_tokens=fields.count(record, "num_reasoning_tokens", place),
        finish_reason=fields.maybe_text(record, "finish_reason", place),
        latency_seconds=fields.number(record, "generation_time", place),
        verdicts=_verdicts(record, place),
        field="generation",
    )
    question = next((record[name] for name in _QUESTIONS if isinstance(record.get(name), str) and record[name]), None)
    answer = record.get("expected_answer")
    made = None if question is None else ProblemRecord("", question, None if answer is None else str(answer))
    return ImportedGroup(place, ProblemName(texts=[question] if question else [], position=line), [sample], made)


def _verdicts(record: Mapping[str, Any], place: str) -> list[ImportedVerdict]:
    answer = record.get("predicted_answer")
    said = None if answer is None else str(answer)
    found: list[ImportedVerdict] = []
    reason = "wrong_answer" if said is not None or "predicted_answer" not in record else "no_answer"
    for name, part in (("symbolic_correct", "symbolic"), ("is_correct", "base"), ("is_correct-plus", "plus")):
        if isinstance(record.get(name), bool):
            kept = said if part == "symbolic" else None
            found.append(judged(record[name], reason=reason, part=part, answer=kept))
    return [*found, *_judge(record, said), *_proof(record), *_programs(record), *_reward(record, place)]


def _judge(record: Mapping[str, Any], answer: str | None) -> list[ImportedVerdict]:
    said = record.get("judgement")
    if not isinstance(said, str):
        return []
    word = said.rpartition("Judgement:")[2].strip().lower()
    detail = {"judgement": said[:2000]}
    if word.startswith(("yes", "no")):
        return [judged(word.startswith("yes"), reason="wrong_answer", part="judge", answer=answer, detail=detail)]
    return [ImportedVerdict(UNDECIDED, "unscored", answer, part="judge", detail=detail)]


def _proof(record: Mapping[str, Any]) -> list[ImportedVerdict]:
    status = record.get("proof_status")
    if not isinstance(status, str):
        return []
    reason = "wall_time" if status == "timeout" else "wrong_answer"
    said = record.get("lean_evaluation")
    detail = {"proof_status": status, **({"lean": said} if isinstance(said, dict) else {})}
    return [judged(status == "completed", reason=reason, part="lean", detail=detail)]


def _programs(record: Mapping[str, Any]) -> list[ImportedVerdict]:
    found = []
    graded = record.get("graded_list")
    if isinstance(graded, list) and len(graded) == 1 and isinstance(graded[0], bool):
        found.append(judged(graded[0], reason="wrong_answer", part="livecodebench"))
    metrics = record.get("swe-bench-metrics")
    if isinstance(metrics, dict) and isinstance(metrics.get("resolved"), bool):
        reason = "wrong_answer" if metrics.get("patch_exists", True) else "no_answer"
        found.append(judged(metrics["resolved"], reason=reason, part="swe-bench"))
    return found


def _reward(record: Mapping[str, Any], place: str) -> list[ImportedVerdict]:
    score = fields.number(record, "reward_model_score", place)
    return [] if score is None else [scored(score, part="reward")]
