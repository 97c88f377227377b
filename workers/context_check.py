"""Before any work: prompts that cannot fit the model's context, and chats with a model that has no chat template.

Nothing is loaded but the tokenizer, and that only where a prompt has as many bytes as the context has tokens: a token
of text is a byte or more. What cannot be told here (a hub name, an endpoint) the engine refuses when it is asked.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from store.prompting import Rendered
from store.runs import Run
from store.work import model_of, prompts_of
from workers.errors import EngineMisconfigured, PromptTooLong

#: Keys of a model's configuration that say how many tokens it was trained for, as vLLM reads them.
_LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length")
#: Bytes that a chat template may put around each message, and special tokens around a prompt.
_AROUND_MESSAGE, _AROUND = 128, 8


def refuse_unfit(connection: sa.Connection, run: Run) -> None:
    """Raise PromptTooLong naming the problems whose prompts leave no room for an answer, or EngineMisconfigured."""
    model, options = model_of(connection, run)
    folder = Path(model.location)
    if run.samples_per_problem is None or model.backend != "vllm" or not (folder / "config.json").is_file():
        return
    if run.prompting.get("chat") and not _has_chat_template(folder):
        raise EngineMisconfigured(
            f'Model "{model.name}" has no chat template ({folder}): create the run without --chat, or take a chat '
            "model."
        )
    limit = context_of(folder, options)
    if limit is None:
        return
    doubtful = [(key, asked) for key, asked in prompts_of(connection, run) if _most_tokens(asked) >= limit]
    counted = [(key, count) for key, count in _counts(folder, doubtful, options) if count >= limit]
    if counted:
        raise PromptTooLong(_told(counted, limit))


def _told(counted: Sequence[tuple[str, int]], limit: int) -> str:
    named = ", ".join(f"{key} ({count:,} tokens)" for key, count in counted[:10])
    more = f" and {len(counted) - 10:,} more" if len(counted) > 10 else ""
    return (
        f"The model's context holds {limit:,} tokens, the answer included, and these problems ask more: {named}{more}."
        " Nothing was drawn: shorten the prompts or the examples, or raise max_model_len if the model was trained so."
    )


def context_of(folder: Path, options: Mapping[str, Any]) -> int | None:
    """Tokens a model's context holds; None where its configuration does not say it plainly."""
    if options.get("max_model_len") is not None:
        given = options["max_model_len"]
        return given if isinstance(given, int) and given > 0 else None
    shape = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = shape.get("text_config", shape)
    scaling = shape.get("rope_scaling") or shape.get("rope_parameters") or {}
    if "factor" in scaling:
        return None  # how it stretches the context depends on its kind: the engine knows
    lengths = [shape[name] for name in _LENGTHS if isinstance(shape.get(name), int)]
    return min(lengths) if lengths else None


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    settings = folder / "tokenizer_config.json"
    return settings.is_file() and bool(json.loads(settings.read_text(encoding="utf-8")).get("chat_template"))


def _most_tokens(asked: Rendered) -> int:
    if not asked.messages:
        return len(asked.text.encode("utf-8", "replace")) + _AROUND
    return sum(len(one.content.encode("utf-8", "replace")) + _AROUND_MESSAGE for one in asked.messages)


def _counts(folder: Path, asked: Sequence[tuple[str, Rendered]], options: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(problem key, tokens of its prompt); nothing where no tokenizer can be loaded here."""
    if not asked:
        return []
    try:
        from transformers import AutoTokenizer
    except ImportError:  # a machine that only plans: the engine will say it
        return []
    from workers.engines.prompts import chat_text

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.model_max_length = sys.maxsize  # or it would warn of what is refused here
    special = bool(options.get("add_special_tokens", True))
    counted = []
    for key, one in asked:
        text = chat_text(tokenizer, one.messages) if one.messages else one.text
        counted.append((key, len(tokenizer.encode(text, add_special_tokens=special and not one.messages))))
    return counted
