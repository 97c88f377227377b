"""What a scoring model reads: prompt and completion as tokens, and where the steps of the completion end in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from workers.errors import VerifierBroken
from workers.verifiers.protocol import Problem


@dataclass(frozen=True, eq=False)
class ScoredText:
    """Token ids, and the positions of the last token of each step."""

    tokens: Sequence[int]
    step_ends: Sequence[int] = field(default_factory=list)


def outcome_text(tokenizer: Any, prompt: str, completion: str, chat: bool) -> ScoredText:
    """Prompt and completion as one text; nothing is added but what the tokenizer or its chat template adds."""
    return ScoredText(list(tokenizer.encode(_whole(tokenizer, prompt, completion, chat), add_special_tokens=not chat)))


def process_text(
    tokenizer: Any, prompt: str, completion: str, step: str, step_tag: str | None, chat: bool
) -> ScoredText:
    """The same with the ends of the completion's steps; where models were trained so, a tag stands at each end."""
    parts = _steps(completion, step)
    if step_tag is not None:
        parts = [part.removesuffix(step) + step_tag for part in parts]
    body = "".join(parts)
    text = _whole(tokenizer, prompt, body, chat)
    start = text.rindex(body) if body else len(text)
    encoded = tokenizer(text, add_special_tokens=not chat, return_offsets_mapping=True)
    ends, at = [], start
    for part in parts:
        at += len(part)
        ends.append(_token_before(encoded["offset_mapping"], at))
    return ScoredText(list(encoded["input_ids"]), ends)


def reference_text(tokenizer: Any, problem: Problem) -> list[int]:
    """The reference answer as tokens. Raises VerifierBroken where the problem has none."""
    if not problem.reference_answer:
        raise VerifierBroken(f"problem {problem.key} has no reference answer to be compared with")
    return list(tokenizer.encode(problem.reference_answer))


def _whole(tokenizer: Any, prompt: str, completion: str, chat: bool) -> str:
    if not chat:
        return prompt + completion
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False))


def _steps(completion: str, step: str) -> list[str]:
    """The completion cut behind each `step`; what is blank belongs to the step before."""
    parts: list[str] = []
    pieces = completion.split(step)
    for number, piece in enumerate(pieces):
        part = piece + (step if number < len(pieces) - 1 else "")
        if piece.strip():
            parts.append(part)
        elif parts:
            parts[-1] += part
        elif part:
            parts.append(part)
    return [part for part in parts if part]


def _token_before(offsets: Sequence[tuple[int, int]], end: int) -> int:
    """The last token that ends at or before the character `end`, which need not fall on a border of tokens."""
    for position in range(len(offsets) - 1, -1, -1):
        first, last = offsets[position]
        if last > first and last <= end:
            return position
    return 0
