"""Counting tokens with a model's own tokenizer, for samples whose file does not say how long they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from store.errors import PassatkError

#: Token counts of some texts, in order.
Counter = Callable[[Sequence[str]], list[int]]


class NoTokenizer(PassatkError):
    """A tokenizer cannot be opened."""


def open_tokenizer(folder: Path) -> Counter:
    """A counter from a folder (or file) with `tokenizer.json`. Special tokens are not added. Raises NoTokenizer."""
    file = folder / "tokenizer.json" if folder.is_dir() else folder
    if not file.is_file():
        raise NoTokenizer(f"{folder}: holds no tokenizer.json; give the folder of the model that drew the samples.")
    try:
        kind: Any = import_module("tokenizers").Tokenizer
    except ImportError:
        raise NoTokenizer("Counting tokens needs the package tokenizers: pip install tokenizers.") from None
    try:
        tokenizer = kind.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise NoTokenizer(f"{file}: not a tokenizer ({error}).") from error

    def count(texts: Sequence[str]) -> list[int]:
        return [len(one.ids) for one in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    return count
