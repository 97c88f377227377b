"""Any OpenAI-compatible endpoint as an engine: `vllm serve`, other servers, paid APIs. The key comes from the
environment variable PASSATK_OPENAI_API_KEY alone.
"""

import json
import os
import time
import weakref
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from workers.engines.door import (
    CLOSED,
    EngineIdentity,
    EngineLoad,
    Generated,
    GenerationRequest,
    consecutive_slices,
)
from workers.engines.endpoint import Endpoint, Refused
from workers.engines.gathering import Gathering
from workers.engines.openai_protocol import Dialect, beside, body, explained, samples
from workers.engines.prompts import too_long
from workers.engines.rate_limit import RateLimit
from workers.errors import EngineFailed, EngineMisconfigured, GenerationRefused, ModelNotFound, PromptTooLong

#: More than any tokenizer puts around a prompt.
_SPECIAL_TOKENS = 8
KEY_VARIABLE = "PASSATK_OPENAI_API_KEY"


@dataclass(frozen=True)
class OpenAIOptions:
    """How an endpoint is used: `concurrency` HTTP requests at once, each for at most `samples_per_request` samples.

    `requests_per_minute` and `tokens_per_minute` (prompt and most that may be completed) are never passed by this
    worker. `seconds` is how long one attempt may take, `attempts` how often one is made; `max_model_len` tells the
    context where the endpoint does not. The rest says how it wants to be asked (see Dialect).
    """

    base_url: str = "http://127.0.0.1:8000/v1"
    chat: bool = False
    system: str | None = None
    concurrency: int = 16
    samples_per_request: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    seconds: float = 600.0
    attempts: int = 8
    max_model_len: int | None = None
    send_seed: bool = True
    max_tokens_field: str = "max_tokens"
    extra: Mapping[str, Any] = field(default_factory=dict)


class OpenAIEngine:
    """Samples from an endpoint. The seeds promise equal samples only where the server is vLLM (sample i: seed + i)."""

    def __init__(self, model: str, options: Mapping[str, Any] | None = None) -> None:
        """Raise ModelNotFound when the endpoint does not serve `model`, EngineMisconfigured for unknown options."""
        try:
            chosen = OpenAIOptions(**dict(options or {}))
        except TypeError as error:
            known = ", ".join(OpenAIOptions.__dataclass_fields__)
            raise EngineMisconfigured(f"an endpoint has the options {known}: {error}") from None
        requests, key = RateLimit(chosen.requests_per_minute), os.environ.get(KEY_VARIABLE)
        self._endpoint = Endpoint(chosen.base_url, key, chosen.seconds, chosen.attempts, requests)
        self._longest = chosen.samples_per_request
        self._tokens = RateLimit(chosen.tokens_per_minute)
        self._counts_tokens = True
        self._closed = False
        self._open: weakref.WeakSet[Gathering] = weakref.WeakSet()
        served = _served(self._endpoint, model)
        self.identity = _identity(self._endpoint, model, chosen.max_model_len or served.get("max_model_len") or 0)
        vllm = self.identity.engine_version.startswith("vllm")
        self._dialect = Dialect(
            model, chosen.chat, chosen.system, chosen.send_seed, chosen.max_tokens_field, chosen.extra, vllm
        )
        self._pool = ThreadPoolExecutor(chosen.concurrency, thread_name_prefix="endpoint")

    def check(self, request: GenerationRequest) -> None:
        """Raise PromptTooLong where the endpoint can count tokens (vLLM's can); elsewhere it is known on submission."""
        limit = self.identity.max_model_len
        if not limit or _most_tokens(self.prompt_text(request)) < limit:
            return
        count = self._count(request)
        if count is not None and count >= limit:
            raise PromptTooLong(too_long(count, limit))

    def prompt_text(self, request: GenerationRequest) -> str:
        """The prompt; of a chat its messages as JSON, as only the endpoint knows the template."""
        if not self._dialect.chats(request):
            return request.prompt
        return json.dumps(self._dialect.messages(request), ensure_ascii=False)

    def submit(self, request: GenerationRequest) -> "Future[list[Generated]]":
        """Ask for the samples; the future ends in PromptTooLong or GenerationRefused where the endpoint says so."""
        if self._closed:
            raise EngineFailed(CLOSED)
        gathering = Gathering(list(consecutive_slices(request.seeds, self._longest)))
        self._open.add(gathering)
        submitted = time.monotonic()
        for i, seeds in enumerate(gathering.slices):
            try:
                part = self._pool.submit(self._draw, request, seeds, submitted)
            except RuntimeError:  # closed meanwhile
                gathering.fail(EngineFailed(CLOSED))
                break
            part.add_done_callback(partial(gathering.fill, i))
        return gathering.future

    def alive(self) -> bool:
        """An endpoint may come back at any time: only closing ends it."""
        return not self._closed

    def load(self) -> EngineLoad:
        """Samples that are asked for and have no answer yet; how the endpoint holds them it does not tell."""
        return EngineLoad(running=sum(gathering.left() for gathering in list(self._open)), waiting=0)

    def close(self) -> None:
        """Send nothing more; what has no answer yet fails, and its answer is not waited for."""
        self._closed = True
        self._endpoint.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for gathering in list(self._open):
            gathering.fail(EngineFailed(CLOSED))

    def _draw(self, request: GenerationRequest, seeds: tuple[int, ...], submitted: float) -> list[Generated]:
        """Samples of consecutive seeds: in one request where the server knows `n`, else what is missing one by one."""
        self.check(request)
        drawn: list[Generated] = []
        if len(seeds) <= self._longest:
            try:
                drawn = self._ask(request, seeds, submitted)
            except GenerationRefused:
                if len(seeds) == 1:
                    raise
        if len(drawn) < len(seeds) > 1:
            for seed in seeds[len(drawn) :]:
                drawn += self._ask(request, (seed,), submitted)
            self._longest = 1  # single ones went through: from now on they are cut so from the start
        if len(drawn) != len(seeds):
            raise EngineFailed(f"{len(seeds)} samples were asked for, {len(drawn)} came back")
        return drawn

    def _ask(self, request: GenerationRequest, seeds: tuple[int, ...], submitted: float) -> list[Generated]:
        closed = self._endpoint.closed
        most = _most_tokens(self.prompt_text(request)) + len(seeds) * request.sampling.max_tokens
        reserved = self._tokens.take(most, closed)
        try:
            answer = self._endpoint.call(self._dialect.path(request), body(self._dialect, request, seeds))
        except Refused as refusal:
            self._tokens.settle(reserved, 0)
            model = request.adapter or self._dialect.model
            raise explained(refusal, model, self._endpoint.base_url) from None
        usage = answer.get("usage") or {}
        self._tokens.settle(reserved, int(usage.get("total_tokens") or most))
        return samples(answer, seeds, time.monotonic() - submitted, request.sampling.token_logprobs)

    def _count(self, request: GenerationRequest) -> int | None:
        """Tokens of a prompt by vLLM's own end point beside the API; None where there is none."""
        if not self._counts_tokens:
            return None
        chat = self._dialect.chats(request)
        asked = {"messages": self._dialect.messages(request)} if chat else {"prompt": request.prompt}
        try:
            answer = self._endpoint.call(
                beside(self._endpoint.base_url, "/tokenize"), {"model": self._dialect.model, **asked}
            )
            return int(answer["count"])
        except (Refused, KeyError, TypeError, ValueError):
            self._counts_tokens = False
            return None


def _most_tokens(prompt: str) -> int:
    """No prompt has more: a token of text is a byte or more."""
    return len(prompt.encode()) + _SPECIAL_TOKENS


def _served(endpoint: Endpoint, model: str) -> Mapping[str, Any]:
    """What the endpoint says of the model; nothing where it lists none. Raises ModelNotFound when it lists others."""
    try:
        listed = endpoint.call("/models", attempts=3).get("data") or []
    except Refused as refusal:
        if refusal.status in (401, 403):
            raise explained(refusal, model, endpoint.base_url) from None
        return {}
    by_name: dict[str, Mapping[str, Any]] = {entry.get("id"): entry for entry in listed}
    if by_name and model not in by_name:
        names = ", ".join(sorted(map(str, by_name))[:10])
        raise ModelNotFound(f"{endpoint.base_url} does not serve {model!r}; it serves {names}")
    return by_name.get(model, {})


def _identity(endpoint: Endpoint, model: str, max_model_len: int) -> EngineIdentity:
    """An endpoint tells no hash: the model is what it is called there. A context of 0 is unknown."""
    try:
        version = f"vllm {endpoint.call(beside(endpoint.base_url, '/version'), attempts=1)['version']}"
    except (Refused, EngineFailed, KeyError, TypeError):
        version = "unknown"
    return EngineIdentity("openai", version, f"{model}@{endpoint.base_url}", "unknown", "remote", max_model_len)
