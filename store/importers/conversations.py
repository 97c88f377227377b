"""Messages of a chat as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def content_text(content: Any) -> str:
    """The text of a message's content, which is text itself or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part if isinstance(part, str) else part.get("text") or "" for part in content if part is not None]
        return "".join(parts)
    return ""


def prompt_text(messages: Any) -> str | None:
    """What the model was given: one user message alone is its text, several are named by their roles."""
    if isinstance(messages, str):
        return messages or None
    told = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    if len(told) == 1:
        return content_text(told[0].get("content")) or None
    return "\n\n".join(f"{one.get('role', 'user')}: {content_text(one.get('content'))}" for one in told) or None


def reply_text(messages: Any) -> str | None:
    """What the model said: text itself, or every message of the assistant, one below the other."""
    if isinstance(messages, str):
        return messages
    if not isinstance(messages, list):
        return None
    said = [content_text(one.get("content")) for one in messages if _is_reply(one)]
    return "\n\n".join(text for text in said if text)


def _is_reply(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "assistant"


def last_user_text(messages: Any) -> str | None:
    """The last thing the user asked."""
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return None
    asked = [one for one in messages if isinstance(one, dict) and one.get("role") == "user"]
    return content_text(asked[-1].get("content")) or None if asked else None
