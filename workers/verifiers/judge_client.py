"""Questions to a judging model behind an OpenAI-compatible endpoint: greedy, with what each one cost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from workers.engines.endpoint import Endpoint, Refused
from workers.errors import EngineFailed, VerifierBroken
from workers.verifiers.protocol import JudgingCost


@dataclass(frozen=True)
class Answer:
    """What the judge said, or why it said nothing (`refused`), and the tokens it took."""

    text: str
    cost: JudgingCost
    refused: str | None = None


class JudgeClient:
    """One model at one endpoint. The key comes from the environment alone (PASSATK_OPENAI_API_KEY)."""

    def __init__(
        self,
        model: str,
        base_url: str,
        max_tokens: int,
        concurrency: int,
        seconds: float,
        attempts: int,
        extra: dict[str, Any],
    ) -> None:
        key = os.environ.get("PASSATK_OPENAI_API_KEY")
        self._endpoint = Endpoint(base_url, key, seconds, attempts)
        self._model, self._max_tokens, self._concurrency = model, max_tokens, concurrency
        self._extra = extra

    def ask(self, questions: Sequence[str]) -> list[Answer]:
        """One answer a question, in order, `concurrency` at a time. Raises VerifierBroken where the endpoint fails."""
        with ThreadPoolExecutor(min(self._concurrency, max(1, len(questions)))) as pool:
            return list(pool.map(self._once, questions))

    def close(self) -> None:
        """End every pause between attempts."""
        self._endpoint.close()

    def _once(self, question: str) -> Answer:
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": self._max_tokens,
            **self._extra,
        }
        try:
            answer = self._endpoint.call("/chat/completions", body)
        except Refused as refusal:
            if refusal.status == 400:  # this question: too long, or refused by a filter; the next may well be taken
                return Answer("", JudgingCost(model=self._model), refused=refusal.message)
            raise VerifierBroken(f"the judge {self._model!r} refuses to answer: {refusal}") from None
        except EngineFailed as error:
            raise VerifierBroken(f"the judge {self._model!r} does not answer: {error}") from None
        return Answer(_text(answer), _cost(self._model, answer.get("usage") or {}))


def _text(answer: Any) -> str:
    try:
        return str(answer["choices"][0]["message"]["content"] or "")
    except (KeyError, IndexError, TypeError):
        raise VerifierBroken("the judge's endpoint answers without a choice: is it OpenAI-compatible?") from None


def _cost(model: str, usage: dict[str, Any]) -> JudgingCost:
    prompt, completion = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return JudgingCost(
        model=model,
        prompt_tokens=usage.get("prompt_tokens"),
        cached_prompt_tokens=prompt.get("cached_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        reasoning_tokens=completion.get("reasoning_tokens"),
    )
