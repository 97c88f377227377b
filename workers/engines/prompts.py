"""Prompts as tokens: rendered, counted and cut once, however many samples of them are asked for."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

from store.prompting import Message
from workers.errors import EngineMisconfigured, GenerationRefused, PromptTooLong

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
        self._kept: OrderedDict[tuple[str, tuple[Message, ...]], list[int]] = OrderedDict()

    def tokens(self, prompt: str, messages: tuple[Message, ...] = ()) -> list[int]:
        """Token ids of a prompt, or of a chat, that leaves room for at least one more token.

        Raises PromptTooLong when it does not, GenerationRefused when the prompt has no tokens at all.
        """
        asked = ("" if messages else prompt, messages)
        with self._lock:
            tokens = self._kept.pop(asked, None)
            if tokens is None:
                tokens = self._cut(*asked)
            self._kept[asked] = tokens
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._refuse_unfit(len(tokens))
        return tokens

    def text(self, prompt: str, messages: tuple[Message, ...] = ()) -> str:
        """The text that the model continues. Raises EngineMisconfigured for a chat without a chat template."""
        with self._lock:
            return chat_text(self._tokenizer, messages) if messages else prompt

    def _cut(self, prompt: str, messages: tuple[Message, ...]) -> list[int]:
        if messages:
            # The template writes the special tokens out.
            return self._tokenizer.encode(chat_text(self._tokenizer, messages), add_special_tokens=False)
        return self._tokenizer.encode(prompt, add_special_tokens=self._add_special_tokens)

    def _refuse_unfit(self, count: int) -> None:
        if count == 0:
            raise GenerationRefused(
                "the prompt is empty: a model continues at least one token; give the problem a text"
            )
        if count >= self._max_model_len:
            raise PromptTooLong(too_long(count, self._max_model_len))


def too_long(count: int, max_model_len: int) -> str:
    """What is wrong with a prompt of `count` tokens, and what mends it."""
    return (
        f"the prompt has {count:,} tokens and the model's context holds {max_model_len:,}, its answer "
        "included; shorten the prompt, or open the model with a larger max_model_len if it was trained for one"
    )


def chat_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    """A chat in the tokenizer's own template, up to where the assistant speaks."""
    if not getattr(tokenizer, "chat_template", None):
        raise EngineMisconfigured(
            "the model's tokenizer has no chat template; create the run without --chat, or take the chat model"
        )
    turns = [{"role": one.role, "content": one.content} for one in messages]
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except Exception as error:  # whatever a template raises: a role it does not know, turns out of order
        raise EngineMisconfigured(f"the model's chat template refuses the messages: {error}") from error
