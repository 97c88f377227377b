"""Words that a benchmark files its problems under, read from what its records say beside the question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Fields of well-known benchmarks that say of what kind a problem is; migration 0007 reads the same ones.
TAG_FIELDS = (
    "tags",
    "cf_tags",
    "categories",
    "category",
    "subject",
    "type",
    "topic",
    "domain",
    "level",
    "difficulty",
    "repo",
    "platform",
)
_LONGEST = 64


def tags_of(metadata: Mapping[str, Any]) -> list[str]:
    """The tags of a problem, each once and in order of their characters.

    Text is a tag as it stands, a whole number is one with the name of its field (`level 5`), and a list gives several.
    What is longer than 64 characters describes a problem and files it nowhere.
    """
    words = {" ".join(word.split()) for word in _words(metadata)}
    return sorted(word for word in words if 1 <= len(word) <= _LONGEST)


def _words(metadata: Mapping[str, Any]) -> Iterator[str]:
    for name in TAG_FIELDS:
        value = metadata.get(name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                yield item
            elif isinstance(item, int) and not isinstance(item, bool):
                yield f"{name} {item}"
