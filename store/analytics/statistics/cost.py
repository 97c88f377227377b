"""What samples cost: tokens at versioned prices, GPU time, and FLOPs by formula."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date

from store.analytics.statistics.arguments import require, whole_numbers


@dataclass(frozen=True)
class TokenPrices:
    """US dollars per million tokens of each class, and per request.

    A class without a price of its own takes the one it is a kind of: cached_input and cache_write that of input,
    reasoning that of output.
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None
    request: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            price = getattr(self, field.name)
            require(price is None or (math.isfinite(price) and price >= 0), f"price {field.name} must be 0 or more")


@dataclass(frozen=True)
class TokenRequest:
    """Tokens of one request with one or many completions.

    prompt_tokens counts the whole prompt, of which cached_prompt_tokens were read from and cache_write_tokens were
    written to the prompt cache. reasoning_tokens, one a completion, are part of that completion's tokens.
    """

    prompt_tokens: int
    completion_tokens: tuple[int, ...]
    cached_prompt_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        special = self.cached_prompt_tokens + self.cache_write_tokens
        counts = (self.cached_prompt_tokens, self.cache_write_tokens, *self.completion_tokens, *self.reasoning_tokens)
        require(min(counts) >= 0, "token counts must not be negative")
        require(special <= self.prompt_tokens, "cached and cache-written tokens exceed the prompt's tokens")
        reasoning = self.reasoning_tokens or (0,) * len(self.completion_tokens)
        require(len(reasoning) == len(self.completion_tokens), "reasoning_tokens must hold one count a completion")
        require(
            all(r <= c for r, c in zip(reasoning, self.completion_tokens, strict=True)),
            "reasoning tokens exceed their completion's tokens",
        )


@dataclass(frozen=True)
class SampleCosts:
    """Dollars of one request: each completion on its own (marginal) and with its share of the prompt (allocated)."""

    prompt: float
    marginal: tuple[float, ...]
    allocated: tuple[float, ...]


def sample_costs_usd(request: TokenRequest, prices: TokenPrices) -> SampleCosts:
    """Split a request's cost over its completions: own tokens, plus prompt and request fee in equal shares."""
    cached = prices.input if prices.cached_input is None else prices.cached_input
    written = prices.input if prices.cache_write is None else prices.cache_write
    thought = prices.output if prices.reasoning is None else prices.reasoning
    plain = request.prompt_tokens - request.cached_prompt_tokens - request.cache_write_tokens
    prompt = (
        plain * prices.input + request.cached_prompt_tokens * cached + request.cache_write_tokens * written
    ) / 1e6 + prices.request
    reasoning = request.reasoning_tokens or (0,) * len(request.completion_tokens)
    marginal = tuple(
        ((tokens - hidden) * prices.output + hidden * thought) / 1e6
        for tokens, hidden in zip(request.completion_tokens, reasoning, strict=True)
    )
    return SampleCosts(prompt, marginal, tuple(cost + prompt / len(marginal) for cost in marginal))


def token_cost_usd(requests: Sequence[TokenRequest], prices: TokenPrices) -> float:
    """Dollars of all requests; each prompt is paid once per request, every completion in full."""
    costs = [sample_costs_usd(request, prices) for request in requests]
    return math.fsum(part for cost in costs for part in (cost.prompt, *cost.marginal))


def prices_on(sheets: Sequence[tuple[date, TokenPrices]], day: date) -> TokenPrices | None:
    """The price sheet in force on a day: the latest that starts on or before it; None before the first."""
    valid = [(start, prices) for start, prices in sheets if start <= day]
    return max(valid, key=lambda sheet: sheet[0])[1] if valid else None


def gpu_cost_usd(tokens: float, tokens_per_second: float, usd_per_hour: float, gpus: int = 1) -> float:
    """Dollars to generate tokens at a rate of `gpus` devices together, each paid by the hour."""
    require(tokens_per_second > 0, f"tokens_per_second must be positive, got {tokens_per_second}")
    require(tokens >= 0 and usd_per_hour >= 0 and gpus >= 0, "tokens, usd_per_hour and gpus must not be negative")
    return gpu_seconds_cost_usd(tokens / tokens_per_second, usd_per_hour, gpus)


def gpu_seconds_cost_usd(seconds: float, usd_per_hour: float, gpus: int = 1) -> float:
    """Dollars of GPU time: seconds x price an hour x devices."""
    require(seconds >= 0, f"seconds must not be negative, got {seconds}")
    return seconds / 3600 * usd_per_hour * gpus


def inference_flops(
    num_parameters: int, num_layers: int, token_dim: int, prompt_tokens: int, decode_tokens: Sequence[int]
) -> int:
    """Floating-point operations to read one prompt once and decode completions of `decode_tokens` lengths; exact.

    Closed form of the count in Brown et al. (arXiv 2407.21787): prompt 2Np + 2Ld p(p+1), each completion
    2Nq + 4Ld pq + 2Ld q(q+1), for N parameters, L layers and width d.
    """
    whole_numbers("FLOP counts", [num_parameters, num_layers, token_dim, prompt_tokens, *decode_tokens])
    num_parameters, p, width = int(num_parameters), int(prompt_tokens), int(num_layers) * int(token_dim)
    decode_tokens = [int(q) for q in decode_tokens]
    require(min([num_parameters, width, p, *decode_tokens]) >= 0, "FLOP counts take no negative numbers")
    total = 2 * num_parameters * p + 2 * width * p * (p + 1)
    for q in decode_tokens:
        total += 2 * num_parameters * q + 4 * width * p * q + 2 * width * q * (q + 1)
    return total
