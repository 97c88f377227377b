"""The one door to every engine: what is asked of it, what it answers, and what identifies it."""

import concurrent.futures
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from store.prompting import Message
from workers.errors import GenerationRefused

#: Largest seed: it must fit a signed 64-bit column and a generator's state.
LARGEST_SEED = 2**63 - 1
#: Why a closed engine fails what is asked of it.
CLOSED = "the engine is closed; samples that it had not finished are to be asked for again"


@dataclass(frozen=True)
class SamplingParameters:
    """How the next token is drawn; `top_k` 0 is off, `logprobs` asks for the cumulative log-probability.

    `token_logprobs` asks for the tokens themselves, each with its log-probability.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    logprobs: bool = True
    token_logprobs: bool = False

    def __post_init__(self) -> None:
        """Raise GenerationRefused for a value that no engine can sample with."""
        for wrong, reason in (
            (not math.isfinite(self.temperature) or self.temperature < 0, f"temperature {self.temperature} is below 0"),
            (not 0 < self.top_p <= 1, f"top_p {self.top_p} is not in (0, 1]"),
            (self.top_k < 0, f"top_k {self.top_k} is below 0 (0 turns it off)"),
            (self.max_tokens < 1, f"max_tokens {self.max_tokens} is below 1"),
            ("" in self.stop, "an empty stop string would stop every sample at once"),
        ):
            if wrong:
                raise GenerationRefused(f"sampling parameters: {reason}; change it in the run's parameters")


@dataclass(frozen=True)
class GenerationRequest:
    """Samples of one prompt: one seed each, answered in the order of the seeds.

    With `messages` the model's chat template makes the prompt of them, and `prompt` is not used. `adapter` is the name
    of a LoRA adapter that the engine was opened with.
    """

    prompt: str
    seeds: tuple[int, ...]
    sampling: SamplingParameters
    messages: tuple[Message, ...] = ()
    adapter: str | None = None

    def __post_init__(self) -> None:
        """Raise GenerationRefused without seeds or for a seed outside [0, 2**63)."""
        if not self.seeds:
            raise GenerationRefused("a generation request without seeds asks for no samples; give one seed a sample")
        if min(self.seeds) < 0 or max(self.seeds) > LARGEST_SEED:
            raise GenerationRefused("seeds must be at least 0 and below 2**63")


@dataclass(frozen=True)
class Generated:
    """One sample. Times in seconds; `seconds` runs from submission to the sample's last token.

    `finish_reason` is "stop", "length" or "abort" (cut short by the engine, `stop_reason` says why);
    `cached_prompt_tokens` is None where the engine does not tell, `cumulative_logprob` (nats) where it was not asked.
    `reasoning_tokens` are the part of `completion_tokens` that the engine thought with and did not show.
    `gpu_seconds` is its share of the engine's busy time, times devices: each step's time is divided equally over the
    samples that got a token in it, so that all shares together are the time of all steps. `token_ids` and
    `token_logprobs` (nats) are there where they were asked for and the engine tells them. `request_samples` counts
    those that came with one request and so share its prompt; None where they are all that were asked for together.
    """

    text: str
    prompt_tokens: int
    cached_prompt_tokens: int | None
    completion_tokens: int
    finish_reason: str
    stop_reason: str | None
    cumulative_logprob: float | None
    seed: int
    queue_seconds: float | None
    prefill_seconds: float | None
    decode_seconds: float | None
    seconds: float
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None
    request_samples: int | None = None
    gpu_seconds: float | None = None
    token_ids: tuple[int, ...] | None = None
    token_logprobs: tuple[float, ...] | None = None


@dataclass(frozen=True)
class EngineIdentity:
    """What produced a sample: enough to tell whether another engine would produce the same.

    `settings` says how it was loaded where that may change a sample or its speed: dtype, quantisation, parallel sizes,
    adapters with the hash of their weights.
    """

    engine: str
    engine_version: str
    model_revision: str
    tokenizer_hash: str
    device: str
    max_model_len: int
    chat_template_hash: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EngineLoad:
    """How busy an engine is now, in samples; `kv_cache_share` (0 to 1) is None where the engine does not tell."""

    running: int
    waiting: int
    kv_cache_share: float | None = None


class Engine(Protocol):
    """A loaded model. Every method may be called from any thread."""

    @property
    def identity(self) -> EngineIdentity:
        """What this engine is."""

    def check(self, request: GenerationRequest) -> None:
        """Raise PromptTooLong when no token could be generated after what is asked."""

    def prompt_text(self, request: GenerationRequest) -> str:
        """The text that the model continues; where only the server renders a chat, its messages as JSON."""

    def submit(self, request: GenerationRequest) -> "concurrent.futures.Future[list[Generated]]":
        """Start generating; the future holds one Generated a seed, or EngineFailed. Raises what `check` raises."""

    def alive(self) -> bool:
        """Whether the engine still works; a dead one never comes back and must be opened anew."""

    def load(self) -> EngineLoad:
        """How busy it is now."""

    def close(self) -> None:
        """Stop; what has not finished fails with EngineFailed. Closing twice does nothing."""


def consecutive_slices(seeds: tuple[int, ...], longest: int) -> Iterator[tuple[int, ...]]:
    """Cut seeds, in order, into stretches s, s+1, s+2, ... of at most `longest`."""
    start = 0
    for i in range(1, len(seeds) + 1):
        if i == len(seeds) or seeds[i] != seeds[i - 1] + 1 or i - start == longest:
            yield seeds[start:i]
            start = i


#: Byte-level tokenisers emit NUL, and JSON escapes can spell half a surrogate pair; Postgres refuses both.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Text that Postgres takes: NUL and lone surrogates become U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)
