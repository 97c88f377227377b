"""A run as input files for the batch interfaces of OpenAI and vLLM: requests for the samples it wants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from store.errors import PassatkError
from store.model_registry import Model
from store.prompting import Message, examples_for, render_prompt
from store.runs import Run
from store.tables import problems

#: Most requests and bytes of one input file, as OpenAI takes them.
MOST_LINES, MOST_BYTES = 50_000, 200_000_000


class NothingToAsk(PassatkError):
    """A run that wants no samples has no requests."""


def requests(connection: sa.Connection, run: Run, model: Model, together: int) -> Iterator[dict[str, Any]]:
    """The requests of a run, `together` samples each; `custom_id` is RUN:PROBLEM:FIRST INDEX."""
    if run.samples_per_problem is None:
        raise NothingToAsk(f'Run "{run.name}" was imported; it asks for no samples.')
    columns = problems.c
    query = sa.select(columns.key, columns.prompt).where(columns.benchmark_id == run.benchmark_id)
    for posed in connection.execute(query.order_by(columns.position)):
        asked = render_prompt(run, posed, examples_for(run.prompting, posed))
        messages = asked.messages or (Message("user", asked.text),)
        turns = [{"role": one.role, "content": one.content} for one in messages]
        for first in range(0, run.samples_per_problem, together):
            yield {
                "custom_id": f"{run.name}:{posed.key}:{first}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": _body(run, model, turns, min(together, run.samples_per_problem - first)),
            }


def _body(run: Run, model: Model, turns: list[dict[str, str]], count: int) -> dict[str, Any]:
    sampling = run.sampling
    body: dict[str, Any] = {"model": model.location, "messages": turns, "n": count}
    body |= {name: sampling[name] for name in ("temperature", "top_p", "max_tokens") if name in sampling}
    return body | ({"stop": list(sampling["stop"])} if sampling.get("stop") else {})


def write_requests(folder: Path, asked: Iterator[dict[str, Any]]) -> tuple[int, int]:
    """Write `batch-001.jsonl` and so on, none above what a file may hold; returns (requests, files)."""
    count = files = held = size = 0
    stream = None
    try:
        for request in asked:
            line = (json.dumps(request, ensure_ascii=False) + "\n").encode()
            if stream is None or held == MOST_LINES or size + len(line) > MOST_BYTES:
                if stream is not None:
                    stream.close()
                files += 1
                held = size = 0
                stream = (folder / f"batch-{files:03d}.jsonl").open("wb")
            stream.write(line)
            held, size, count = held + 1, size + len(line), count + 1
    finally:
        if stream is not None:
            stream.close()
    return count, files
