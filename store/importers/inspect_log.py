"""inspect_ai `.eval` logs: a zip with a header, or only a journal when unfinished, and a file for each sample.

Samples lie in `samples/{id}_epoch_{n}.json`, in the newer layout in `samples/{id}_epoch_{n}/sample.json`. The index of
a sample is its epoch less one. Each scorer is a verifier of its own.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from store.benchmark_formats import BadFile, ProblemRecord
from store.importers import fields
from store.importers.conversations import content_text, prompt_text
from store.importers.inspect_scores import verdicts_of
from store.importers.records import About, Fault, ImportedGroup, ImportedSample, Item, ProblemName, Skipped, Source
from store.importers.zips import member_json, opened_zip

_SAMPLE = re.compile(r"samples/(?:[^/]+_epoch_\d+\.json|[^/]+_epoch_\d+/sample\.json)")
_SAMPLING = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_tokens": "max_tokens"}


def describe(source: Source) -> About:
    """What the header says; of an unfinished log, what its journal says."""
    with opened_zip(source.path) as archive:
        header = _header(archive)
    spec = fields.table(header, "eval", str(source.path))
    config = fields.table(spec, "model_generate_config", str(source.path))
    results = fields.table(header, "results", str(source.path))
    scores = results.get("scores") or []
    task = str(spec.get("task") or "").rpartition("/")[2]
    return About(
        "inspect_ai",
        (spec.get("packages") or {}).get("inspect_ai"),
        benchmark=task or (spec.get("dataset") or {}).get("name"),
        model=spec.get("model"),
        sampling={ours: config[theirs] for theirs, ours in _SAMPLING.items() if config.get(theirs) is not None},
        reference=scores[0].get("name") if scores and isinstance(scores[0], dict) else None,
        tags={name: spec.get(name) for name in ("eval_id", "run_id", "created")} | {"status": header.get("status")},
        stopped_early=bool(results.get("early_stopping")),
    )


def _header(archive: zipfile.ZipFile) -> Mapping[str, Any]:
    names = set(archive.namelist())
    name = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
    if name is None:
        raise BadFile(f"{archive.filename}: has neither header.json nor _journal/start.json, as an inspect log has.")
    header = member_json(archive, name)
    if not isinstance(header, dict):
        raise BadFile(f"{archive.filename}/{name}: an object is wanted.")
    return header if name == "header.json" else {"status": "started", **header}


def read(source: Source) -> Iterator[Item]:
    with opened_zip(source.path) as archive:
        model = _header(archive).get("eval", {}).get("model")
        for name in archive.namelist():
            if _SAMPLE.fullmatch(name):
                place = f"{source.path}/{name}"
                try:
                    yield _sample(member_json(archive, name), model, place)
                except BadFile as error:
                    yield Fault(str(error))


def _sample(record: Any, model: str | None, place: str) -> Item:
    if not isinstance(record, dict):
        raise BadFile(f"{place}: a sample must be an object.")
    output = fields.table(record, "output", place)
    if record.get("invalidation"):
        return Skipped(place, "invalidated in the log")
    choices = output.get("choices") or []
    if record.get("error") and not choices:
        return Skipped(place, "ended with an error before the model answered")
    epoch = fields.count(record, "epoch", place)
    if epoch is None or epoch < 1:
        raise fields.wrong("epoch", place, "a whole number from 1")
    sample = ImportedSample(
        _completion(output, choices),
        index=epoch - 1,
        finish_reason=(choices[0].get("stop_reason") if choices else None),
        latency_seconds=fields.number(output, "time", place),
        verdicts=verdicts_of(fields.table(record, "scores", place), place),
        field="output",
        **_usage(record, output, model, place),
    )
    key = fields.key(record, "id", place)
    asked = prompt_text(record.get("input"))
    made = ProblemRecord(key, asked, _target(record.get("target"))) if asked else None
    prompt = prompt_text([one for one in record.get("messages") or [] if _is_asked(one)]) or asked
    return ImportedGroup(place, ProblemName([key], [asked] if asked else []), [sample], made, prompt)


def _is_asked(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "user")


def _completion(output: Mapping[str, Any], choices: list[Any]) -> str:
    said = output.get("completion")
    if isinstance(said, str) and said:
        return said
    message = choices[0].get("message") if choices and isinstance(choices[0], dict) else None
    return content_text((message or {}).get("content"))


def _target(target: Any) -> str | None:
    if isinstance(target, list):
        target = target[0] if target else None
    return str(target) if target not in (None, "") else None


def _usage(record: Mapping[str, Any], output: Mapping[str, Any], model: str | None, place: str) -> dict[str, Any]:
    """Tokens of the whole sample by the model in question, or else of its last answer."""
    by_model = fields.table(record, "model_usage", place)
    usage = by_model[model] if model is not None and model in by_model else output.get("usage")
    told = usage if isinstance(usage, dict) else {}
    names = ("input_tokens", "output_tokens", "input_tokens_cache_read", "input_tokens_cache_write", "total_tokens")
    given, said, read_, written, total = (fields.count(told, name, place) for name in names)
    if given is not None and total is not None and total > given + (said or 0):
        # Some providers count cached tokens apart from the others: the prompt had them all.
        given += (read_ or 0) + (written or 0)
    return {
        "prompt_tokens": given,
        "cached_prompt_tokens": read_,
        "completion_tokens": said,
        "reasoning_tokens": fields.count(told, "reasoning_tokens", place),
    }
