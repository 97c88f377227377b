"""The OpenAI-compatible completions and chat protocol: what is asked, and what the answer means."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from store.errors import PassatkError
from workers.engines.door import Generated, GenerationRequest, storable
from workers.engines.endpoint import Refused
from workers.errors import EngineMisconfigured, GenerationRefused, ModelNotFound, PromptTooLong


@dataclass(frozen=True)
class Dialect:
    """How one endpoint wants to be asked. `extra` is added to every body as it is; `vllm` knows more than OpenAI's."""

    model: str
    chat: bool = False
    system: str | None = None
    send_seed: bool = True
    max_tokens_field: str = "max_tokens"
    extra: Mapping[str, Any] = field(default_factory=dict)
    vllm: bool = False

    def chats(self, request: GenerationRequest) -> bool:
        """Whether a request goes to the chat route."""
        return self.chat or bool(request.messages)

    def path(self, request: GenerationRequest) -> str:
        """Below the base address."""
        return "/chat/completions" if self.chats(request) else "/completions"

    def messages(self, request: GenerationRequest) -> list[dict[str, str]]:
        """The turns of a chat: those of the request, or its prompt as a user's."""
        if request.messages:
            return [{"role": one.role, "content": one.content} for one in request.messages]
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": request.prompt}]


def body(dialect: Dialect, request: GenerationRequest, seeds: Sequence[int]) -> dict[str, Any]:
    """The body of one HTTP request for len(seeds) samples; only what differs from a server's own default is said."""
    sampling = request.sampling
    asked: dict[str, Any] = {
        # A server that serves adapters lists each under its own name.
        "model": request.adapter or dialect.model,
        "n": len(seeds),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        dialect.max_tokens_field: sampling.max_tokens,
    }
    if dialect.send_seed:
        asked["seed"] = seeds[0]
    if sampling.top_k:
        asked["top_k"] = sampling.top_k
    if sampling.stop:
        asked["stop"] = list(sampling.stop)
    if sampling.logprobs or sampling.token_logprobs:
        asked["logprobs"] = True if dialect.chats(request) else 0
    if sampling.token_logprobs and dialect.vllm:
        asked["return_tokens_as_token_ids"] = True
    if dialect.chats(request):
        asked["messages"] = dialect.messages(request)
    else:
        asked["prompt"] = request.prompt
    return asked | dict(dialect.extra)


def samples(
    answer: Mapping[str, Any], seeds: Sequence[int], seconds: float, token_logprobs: bool = False
) -> list[Generated]:
    """The samples of one answer, at most one a seed, in the order of the choices' indices.

    The prompt is processed and billed once a request, so every sample but the first has all its prompt tokens cached.
    """
    choices = sorted(answer.get("choices") or (), key=lambda choice: choice.get("index", 0))[: len(seeds)]
    usage = answer.get("usage") or {}
    prompt = int(usage.get("prompt_tokens") or 0)
    cached, written = _cache(usage)
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    logprobs = [_token_logprobs(choice) for choice in choices]
    texts = [_text(choice) for choice in choices]
    weights = _weights(logprobs, texts)
    counts = shared_out(int(usage.get("completion_tokens") or 0), weights)
    thought = shared_out(int(reasoning), weights) if reasoning is not None else [None] * len(choices)
    return [
        Generated(
            text=storable(texts[i]),
            prompt_tokens=prompt,
            cached_prompt_tokens=cached if i == 0 else prompt,
            cache_write_tokens=written if i == 0 or written is None else 0,
            request_samples=len(choices),
            completion_tokens=counts[i],
            reasoning_tokens=thought[i],
            cumulative_logprob=sum(known) if (known := logprobs[i]) is not None else None,
            seed=seeds[i],
            queue_seconds=None,
            prefill_seconds=None,
            decode_seconds=None,
            seconds=seconds,
            **_ending(choice),
            **(_tokens(choice) if token_logprobs else {}),
        )
        for i, choice in enumerate(choices)
    ]


def _cache(usage: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Prompt tokens read from and written to the server's cache, by the names that servers give them."""
    details = usage.get("prompt_tokens_details") or {}
    cached = _first(details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"))
    written = _first(
        details.get("cache_write_tokens"),
        details.get("cache_creation_tokens"),
        usage.get("cache_creation_input_tokens"),
    )
    return cached, written


def _first(*counts: Any) -> int | None:
    return next((int(count) for count in counts if count is not None), None)


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """Cut a total that the server reports for all samples together, in proportion to weights; the sum is exact."""
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    ends = [total * reached // whole for reached in itertools.accumulate(weights)]
    return [end - start for start, end in itertools.pairwise([0, *ends])]


def _weights(logprobs: Sequence[list[float] | None], texts: Sequence[str]) -> list[int]:
    """Tokens of each sample where log-probabilities tell them, else characters."""
    counted = [len(known) for known in logprobs if known is not None]
    return counted if len(counted) == len(texts) else [len(text) for text in texts]


def _text(choice: Mapping[str, Any]) -> str:
    message = choice.get("message")
    return str((message.get("content") if message is not None else choice.get("text")) or "")


def _token_logprobs(choice: Mapping[str, Any]) -> list[float] | None:
    logprobs = choice.get("logprobs") or {}
    if logprobs.get("content") is not None:
        return [float(token["logprob"]) for token in logprobs["content"]]
    if logprobs.get("token_logprobs") is not None:
        return [float(value) for value in logprobs["token_logprobs"] if value is not None]
    return None


def _tokens(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens with their log-probabilities; an id that the server does not tell is -1."""
    told = _token_logprobs(choice)
    if told is None:
        return {}
    logprobs = choice["logprobs"]
    names = [one.get("token") for one in logprobs["content"]] if logprobs.get("content") else logprobs.get("tokens")
    ids = tuple(_token_id(name) for name in names or [])
    return {"token_ids": ids, "token_logprobs": tuple(told)} if len(ids) == len(told) else {}


def _token_id(name: object) -> int:
    head, _, number = str(name).partition("token_id:")
    return int(number) if not head and number.isdigit() else -1


def _ending(choice: Mapping[str, Any]) -> dict[str, Any]:
    """A sample that ended in any other way than the protocol's stop and length was cut short by the server."""
    reason = choice.get("finish_reason")
    if reason in ("stop", "length"):
        stop = choice.get("stop_reason")
        return {"finish_reason": reason, "stop_reason": None if stop is None else str(stop)}
    return {"finish_reason": "abort", "stop_reason": str(reason)}


#: How servers say that a prompt does not fit: OpenAI's error code and its, vLLM's and others' words.
_TOO_LONG = re.compile(
    r"context.?length|maximum (context|model) length|too many tokens|context window|exceeds? .*context"
)


def explained(refusal: Refused, model: str, base_url: str) -> PassatkError:
    """What a refusal means to the one who asked."""
    if refusal.status in (401, 403):
        return EngineMisconfigured(f"{base_url} refuses the key in PASSATK_OPENAI_API_KEY ({refusal})")
    if refusal.status == 404:
        return ModelNotFound(f"{base_url} has no model {model!r} or no such API ({refusal})")
    if _TOO_LONG.search(refusal.message.lower()):
        return PromptTooLong(f"{base_url} says: {refusal.message}; shorten the prompt")
    return GenerationRefused(f"{base_url} refused the request: {refusal}")


def beside(base_url: str, path: str) -> str:
    """An address next to the API, where vLLM keeps what the protocol does not have (/version, /tokenize)."""
    return base_url.removesuffix("/v1") + path
