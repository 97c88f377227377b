"""Prompts as tokens: counted and cut once, however many samples of them are asked for."""

import threading
from collections import OrderedDict
from typing import Protocol

from workers.errors import GenerationRefused, PromptTooLong

#: Prompts whose tokens are kept: far more than are ever in flight at once.
_KEPT = 4096


class Tokenizer(Protocol):
    """The part of a tokenizer that is needed here."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Cut text into token ids."""


class Prompts:
    """Token ids of prompts, for any thread. `tokenizer` must belong to nobody else: tokenizers are not thread-safe."""

    def __init__(self, tokenizer: Tokenizer, max_model_len: int, add_special_tokens: bool = True) -> None:
        """Prepare to cut prompts for a model whose context holds `max_model_len` tokens."""
        self._tokenizer = tokenizer
        self._max_model_len = max_model_len
        self._add_special_tokens = add_special_tokens
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, list[int]] = OrderedDict()

    def tokens(self, prompt: str) -> list[int]:
        """Token ids of a prompt that leaves room for at least one more token.

        Raises PromptTooLong when it does not, GenerationRefused when the prompt has no tokens at all.
        """
        with self._lock:
            tokens = self._kept.pop(prompt, None)
            if tokens is None:
                tokens = self._tokenizer.encode(prompt, add_special_tokens=self._add_special_tokens)
            self._kept[prompt] = tokens
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._refuse_unfit(len(tokens))
        return tokens

    def _refuse_unfit(self, count: int) -> None:
        if count == 0:
            raise GenerationRefused(
                "the prompt is empty: a model continues at least one token; give the problem a text"
            )
        if count >= self._max_model_len:
            raise PromptTooLong(
                f"the prompt has {count:,} tokens and the model's context holds {self._max_model_len:,}, its answer "
                "included; shorten the prompt, or open the model with a larger max_model_len if it was trained for one"
            )
