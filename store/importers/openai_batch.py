"""OpenAI and vLLM batch files: the output, and the prompts from the input file where it is at hand.

A folder holds both, or `--option input=FILE` names the input. `custom_id` is `RUN:PROBLEM:BATCH` as passatk writes it,
or else the problem's key. The usage of a request with n > 1 is of all its samples: the completion tokens of each are
then not known (a tokenizer counts them), and the prompt is shared by n.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile, ProblemRecord
from store.importers import fields
from store.importers.conversations import last_user_text, prompt_text, reply_text
from store.importers.records import About, Fault, ImportedGroup, ImportedSample, Item, ProblemName, Skipped, Source
from store.importers.sources import each, lines

_SAMPLING = {"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_tokens", "stop": "stop"}


def looks_like(record: Mapping[str, Any]) -> bool:
    return "custom_id" in record and ("response" in record or "error" in record)


def _is_input(record: Mapping[str, Any]) -> bool:
    return "custom_id" in record and "body" in record


def _first(path: Path) -> Mapping[str, Any]:
    first = next(iter(lines(path)), None)
    return first[1] if isinstance(first, tuple) else {}


def files_of(source: Source) -> tuple[Path, Path | None]:
    """(output, input) of a path and its options."""
    if not source.path.is_dir():
        given = source.options.get("input")
        return source.path, Path(given) if given else None
    found = [(path, _first(path)) for path in sorted(source.path.glob("*.jsonl*"))]
    outputs = [path for path, record in found if looks_like(record)]
    inputs = [path for path, record in found if _is_input(record)]
    if len(outputs) != 1 or len(inputs) > 1:
        raise BadFile(
            f"{source.path}: holds {len(outputs)} outputs and {len(inputs)} inputs of batches; name one output."
        )
    return outputs[0], inputs[0] if inputs else None


def describe(source: Source) -> About:
    output, asked = files_of(source)
    response = _first(output).get("response")
    model = (response.get("body") or {}).get("model") if isinstance(response, dict) else None
    body = _first(asked).get("body", {}) if asked else {}
    sampling = {ours: body[theirs] for theirs, ours in _SAMPLING.items() if body.get(theirs) is not None}
    return About("openai-batch", benchmark=None, model=body.get("model") or model, sampling=sampling)


def read(source: Source) -> Iterator[Item]:
    output, asked = files_of(source)
    prompts = _prompts(asked) if asked else {}
    return each(lines(output), lambda record, place: _group(record, prompts, place))


def _prompts(path: Path) -> dict[str, Any]:
    """The messages (or the plain prompt) of each request. Requests are short: an input has at most 200 MB."""
    found: dict[str, Any] = {}
    for one in lines(path):
        if isinstance(one, Fault):
            raise BadFile(one.message)
        place, record = one
        body = fields.table(record, "body", place)
        found[fields.key(record, "custom_id", place)] = body.get("messages", body.get("prompt"))
    return found


def problem_key(custom_id: str) -> str:
    """The problem of `RUN:PROBLEM:BATCH`; a problem's own key may have colons. Any other id is the key itself."""
    _, first, rest = custom_id.partition(":")
    problem, second, batch = rest.rpartition(":")
    return problem if first and second and problem and batch.isdigit() else custom_id


def _group(record: dict[str, Any], prompts: Mapping[str, Any], place: str) -> Item:
    custom_id = fields.key(record, "custom_id", place)
    response = fields.table(record, "response", place)
    if record.get("error") or not response or response.get("status_code", 200) != 200:
        return Skipped(place, "the request failed")
    body = fields.table(response, "body", place)
    choices = body.get("choices")
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        raise fields.wrong("choices", place, "a list of objects")
    usage = fields.table(body, "usage", place)
    ordered = sorted(choices, key=lambda one: one.get("index") or 0)
    samples = [_sample(one, usage, len(choices), place) for one in ordered]
    messages = prompts.get(custom_id)
    asked = messages if isinstance(messages, str) else last_user_text(messages)
    key = problem_key(custom_id)
    made = ProblemRecord(key, asked) if asked else None
    return ImportedGroup(place, ProblemName([key]), samples, made, prompt_text(messages) if messages else None)


def _sample(choice: Mapping[str, Any], usage: Mapping[str, Any], shared_by: int, place: str) -> ImportedSample:
    message = choice.get("message")
    text = choice.get("text") if message is None else reply_text([{"role": "assistant", **message}])
    if not isinstance(text, str):
        raise fields.wrong("choices", place, 'objects with a "message" or a "text"')
    alone = shared_by == 1
    reasoning = fields.table(usage, "completion_tokens_details", place)
    return ImportedSample(
        text,
        prompt_tokens=fields.count(usage, "prompt_tokens", place),
        cached_prompt_tokens=fields.count(fields.table(usage, "prompt_tokens_details", place), "cached_tokens", place),
        completion_tokens=fields.count(usage, "completion_tokens", place) if alone else None,
        reasoning_tokens=fields.count(reasoning, "reasoning_tokens", place) if alone else None,
        request_samples=shared_by,
        finish_reason=fields.maybe_text(choice, "finish_reason", place),
        cumulative_logprob=_logprob(choice.get("logprobs")),
        field="choices",
    )


def _logprob(logprobs: Any) -> float | None:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or not content:
        return None
    given = [one.get("logprob") for one in content if isinstance(one, dict)]
    known = [float(one) for one in given if isinstance(one, int | float)]
    return sum(known) if len(known) == len(content) else None
