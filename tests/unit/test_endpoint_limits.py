"""Limits of an endpoint, kept before the server must say so; hints by header; what is asked of it and read from it."""

from __future__ import annotations

import threading
import time

import pytest

from store.prompting import Message
from workers.engines import GenerationRequest, SamplingParameters
from workers.engines.endpoint import hinted_pause, used_up
from workers.engines.openai_protocol import Dialect, body, samples
from workers.engines.rate_limit import RateLimit

OPEN = threading.Event()


def test_no_stretch_of_the_window_holds_more_than_the_limit() -> None:
    limit, window = RateLimit(3, window=0.2), 0.2
    times: list[float] = []
    lock = threading.Lock()

    def ask() -> None:
        for _ in range(4):
            limit.take(1, OPEN)
            with lock:
                times.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    # Taken a moment before it is noted: the fourth after any one is a window later, but for that moment.
    assert all(times[i + 3] - times[i] > window * 0.9 for i in range(len(times) - 3))


def test_what_was_not_used_is_given_back() -> None:
    limit = RateLimit(10, window=60.0)
    limit.settle(limit.take(10, OPEN), 4)
    started = time.monotonic()
    limit.take(6, OPEN)
    assert time.monotonic() - started < 1.0


def test_more_than_the_whole_limit_goes_alone_and_closing_ends_a_wait() -> None:
    limit = RateLimit(10, window=60.0)
    assert limit.take(50, OPEN) is not None
    closed = threading.Event()
    threading.Timer(0.1, closed.set).start()
    assert limit.take(1, closed) is None
    assert RateLimit(None).take(10**9, OPEN) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "9s"}, None),
        ({"X-RateLimit-Remaining-Requests": "0", "X-RateLimit-Reset-Requests": "9s"}, 9.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "250ms"}, 0.25),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "20"}, 20.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1893456000"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"}, None),
    ],
)
def test_a_limit_that_is_used_up_says_how_long(headers: dict[str, str], seconds: float | None) -> None:
    assert used_up(headers) == seconds
    assert hinted_pause(headers, 0.0) == seconds
    assert hinted_pause({**headers, "Retry-After": "2"}, 0.0) == 2.0, "what is said plainly counts more"


def test_a_chat_an_adapter_and_tokens_are_asked_for_by_the_request() -> None:
    sampling = SamplingParameters(token_logprobs=True)
    turns = (Message("system", "Add."), Message("user", "1 + 1 = ?"))
    chat = GenerationRequest("", (5,), sampling, turns, "sums")
    dialect = Dialect("base", vllm=True)
    asked = body(dialect, chat, chat.seeds)
    assert dialect.path(chat) == "/chat/completions"
    assert (asked["model"], asked["logprobs"], asked["return_tokens_as_token_ids"]) == ("sums", True, True)
    assert asked["messages"] == [{"role": "system", "content": "Add."}, {"role": "user", "content": "1 + 1 = ?"}]
    plain = GenerationRequest("p", (5,), SamplingParameters())
    assert dialect.path(plain) == "/completions"
    assert "return_tokens_as_token_ids" not in body(Dialect("base"), chat, chat.seeds)


def test_token_classes_and_tokens_are_read_from_an_answer() -> None:
    answer = {
        "choices": [
            {
                "index": i,
                "message": {"content": "2"},
                "finish_reason": "stop",
                "logprobs": {"content": [{"token": f"token_id:{7 + i}", "logprob": -0.5}]},
            }
            for i in range(2)
        ],
        "usage": {
            "prompt_tokens": 30,
            "completion_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 16, "cache_write_tokens": 12},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
    }
    first, second = samples(answer, (1, 2), 0.5, token_logprobs=True)
    assert (first.prompt_tokens, first.cached_prompt_tokens, first.cache_write_tokens) == (30, 16, 12)
    assert (second.cached_prompt_tokens, second.cache_write_tokens) == (30, 0), "a prompt is paid once a request"
    assert (first.reasoning_tokens, second.reasoning_tokens, first.request_samples) == (2, 2, 2)
    assert (first.token_ids, second.token_ids, first.token_logprobs) == ((7,), (8,), (-0.5,))
