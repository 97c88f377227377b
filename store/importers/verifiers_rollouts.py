"""verifiers: `results.jsonl` with `metadata.json` beside it, and the newer `traces.jsonl`; one rollout a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile, ProblemRecord
from store.importers import fields
from store.importers.conversations import last_user_text, prompt_text, reply_text
from store.importers.metrics import by_number, scored
from store.importers.records import (
    UNDECIDED,
    About,
    ImportedGroup,
    ImportedSample,
    ImportedVerdict,
    Item,
    ProblemName,
    Skipped,
    Source,
    judged,
)
from store.importers.sources import each, first_byte, lines, whole_json

_NAMES = ("results.jsonl", "traces.jsonl", "results.jsonl.gz", "traces.jsonl.gz")


def looks_like(record: Mapping[str, Any]) -> bool:
    return ("example_id" in record and "reward" in record) or ("rewards" in record and "task" in record)


def file_of(path: Path) -> Path:
    """The file of rollouts: the path itself or the one in the folder."""
    if not path.is_dir():
        return path
    found = [path / name for name in _NAMES if (path / name).is_file()]
    if not found:
        raise BadFile(f"{path}: holds neither results.jsonl nor traces.jsonl.")
    return found[0]


def _metadata(path: Path) -> Mapping[str, Any]:
    beside = file_of(path).parent / "metadata.json"
    value = whole_json(beside) if beside.is_file() and first_byte(beside) == b"{" else {}
    return value if isinstance(value, dict) else {}


def describe(source: Source) -> About:
    told = _metadata(source.path)
    version = told.get("version_info")
    sampling = told.get("sampling_args")
    return About(
        "verifiers",
        version.get("verifiers_version") if isinstance(version, dict) else None,
        benchmark=told.get("env_id"),
        model=told.get("model") or _traced_model(source.path),
        sampling=sampling if isinstance(sampling, dict) else {},
        reference="reward",
    )


def _traced_model(path: Path) -> str | None:
    first = next(iter(lines(file_of(path), lenient=True)), None)
    calls = first[1].get("calls") if isinstance(first, tuple) else None
    return calls[0].get("model") if isinstance(calls, list) and calls and isinstance(calls[0], dict) else None


def read(source: Source) -> Iterator[Item]:
    threshold = _metadata(source.path).get("pass_threshold")
    bar = float(threshold) if isinstance(threshold, int | float) and not isinstance(threshold, bool) else None

    def parse(record: dict[str, Any], place: str) -> Item:
        return _trace(record, bar, place) if "nodes" in record or "rewards" in record else _rollout(record, bar, place)

    return each(lines(file_of(source.path), lenient=True), parse)


def _rollout(record: dict[str, Any], bar: float | None, place: str) -> Item:
    text = reply_text(record.get("completion"))
    if text is None:
        raise fields.wrong("completion", place, "text or a list of messages")
    usage = fields.table(record, "token_usage", place)
    timing = fields.table(record, "timing", place)
    spent = fields.number(timing, "generation_ms", place)
    sample = ImportedSample(
        text,
        prompt_tokens=fields.count(usage, "input_tokens", place),
        completion_tokens=fields.count(usage, "output_tokens", place),
        finish_reason="length" if record.get("is_truncated") else _stop(record),
        latency_seconds=None if spent is None else spent / 1000,
        verdicts=_verdicts(record, fields.number(record, "reward", place), bar, place),
    )
    return _group(fields.key(record, "example_id", place), record.get("prompt"), record.get("answer"), sample, place)


def _stop(record: Mapping[str, Any]) -> str | None:
    return "stop" if record.get("is_completed") else None


def _group(key: str, prompt: Any, answer: Any, sample: ImportedSample, place: str) -> ImportedGroup:
    asked = prompt if isinstance(prompt, str) else last_user_text(prompt)
    reference = str(answer) if answer not in (None, "") else None
    made = ProblemRecord(key, asked, reference) if asked else None
    return ImportedGroup(place, ProblemName([key], [asked] if asked else []), [sample], made, prompt_text(prompt))


def _verdicts(record: Mapping[str, Any], reward: float | None, bar: float | None, place: str) -> list[ImportedVerdict]:
    found = [_reward(reward, bar, record.get("error") or record.get("errors"))]
    for name, value in fields.table(record, "metrics", place).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append(scored(float(value), part=name))
    return [verdict for verdict in found if verdict is not None]


def _reward(reward: float | None, bar: float | None, error: Any) -> ImportedVerdict | None:
    """A reward decides against the threshold, or where it is plainly 0 or 1; a broken rollout decides nothing."""
    if error:
        return ImportedVerdict(
            UNDECIDED, "verifier_error", score=reward, part="reward", detail={"error": str(error)[:500]}
        )
    if reward is None:
        return None
    if bar is not None:
        return judged(reward >= bar, reason="wrong_answer", score=reward, part="reward")
    return by_number(reward, part="reward")


def _trace(record: dict[str, Any], bar: float | None, place: str) -> Item:
    task = fields.table(record, "task", place)
    data = fields.table(task, "data", place)
    messages = [message for node in record.get("nodes") or [] if (message := _message(node)) is not None]
    text = reply_text(messages)
    if not text and not record.get("ok", True):
        return Skipped(place, "ended with an error before the model answered")
    rewards = fields.table(record, "rewards", place).values()
    known = [one for one in rewards if isinstance(one, dict) and isinstance(one.get("score"), int | float)]
    reward = sum(float(one["score"]) * float(one.get("weight", 1)) for one in known) if known else None
    sample = ImportedSample(text or "", verdicts=_verdicts(record, reward, bar, place), **_calls(record, place))
    prompt = data.get("prompt") or data.get("question") or [one for one in messages if one.get("role") != "assistant"]
    name = next((name for name in ("key", "hash") if task.get(name) is not None), "key")
    return _group(fields.key(task, name, place), prompt, data.get("answer"), sample, place)


def _message(node: Any) -> dict[str, Any] | None:
    """The message of a node, which is one itself or holds one."""
    if not isinstance(node, dict):
        return None
    held = node.get("message", node)
    return held if isinstance(held, dict) and "role" in held else None


def _calls(record: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Tokens of all calls together; None as soon as one call does not say."""
    calls = [call for call in record.get("calls") or [] if isinstance(call, dict)]
    usages = [fields.table(call, "usage", place) for call in calls]

    def total(*names: str) -> int | None:
        counts = [
            next((fields.count(one, name, place) for name in names if one.get(name) is not None), None)
            for one in usages
        ]
        return None if not counts or None in counts else sum(count for count in counts if count is not None)

    return {
        "prompt_tokens": total("prompt_tokens", "input_tokens"),
        "completion_tokens": total("completion_tokens", "output_tokens"),
        "finish_reason": calls[-1].get("finish_reason") if calls else None,
    }
