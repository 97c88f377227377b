"""An OpenAI-compatible endpoint that misbehaves: limits, faults, fewer choices, odd words; and the key stays secret."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from workers.engines import Engine, GenerationRequest, SamplingParameters, open_engine
from workers.engines.endpoint import hinted_pause, server_message
from workers.engines.openai_protocol import shared_out
from workers.errors import EngineFailed, EngineMisconfigured, GenerationRefused, ModelNotFound, PromptTooLong

KEY = "sk-very-secret"
SAMPLING = SamplingParameters(max_tokens=8)

#: What a scripted server answers: status, body, headers.
Answer = tuple[int, Any, dict[str, str]]


def completion(body: dict[str, Any], choices: int | None = None, **usage: Any) -> Answer:
    count = body["n"] if choices is None else choices
    listed = [
        {"index": i, "text": f"{body['prompt']}:{body['seed'] + i}", "finish_reason": "stop", "stop_reason": None}
        for i in range(count)
    ]
    told = {"prompt_tokens": 5, "completion_tokens": 3 * count, **usage}
    return 200, {"choices": listed[::-1], "usage": told}, {}


class Server(ThreadingHTTPServer):
    """Answers as scripted, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.times: list[float] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.script: Callable[[dict[str, Any], int], Answer] = lambda body, _: completion(body)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self.answer(200, {"data": [{"id": "m", "max_model_len": 100}]}, {})
        else:
            self.answer(404, {"detail": "Not Found"}, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            self.answer(200, {"count": len(body["prompt"])}, {})
            return
        with self.server.lock:
            self.server.asked.append(body | {"path": self.path})
            self.server.keys.add(self.headers.get("Authorization"))
            self.server.times.append(time.monotonic())
            number = len(self.server.asked)
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        try:
            status, content, headers = self.server.script(body, number)
        finally:
            with self.server.lock:
                self.server.at_once -= 1
        self.answer(status, content, headers)

    def answer(self, status: int, content: Any, headers: dict[str, str]) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("PASSATK_OPENAI_API_KEY", KEY)
    monkeypatch.setattr("workers.engines.endpoint._FIRST_PAUSE_SECONDS", 0.01)
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def opened(server: Server) -> Iterator[Callable[..., Engine]]:
    engines: list[Engine] = []

    def opens(**options: Any) -> Engine:
        engines.append(open_engine("m", backend="openai", options={"base_url": server.url, **options}))
        return engines[-1]

    yield opens
    for engine in engines:
        engine.close()


def draw(engine: Engine, *seeds: int, prompt: str = "p", sampling: SamplingParameters = SAMPLING) -> list[Any]:
    return engine.submit(GenerationRequest(prompt, seeds, sampling)).result(20)


def test_samples_are_asked_in_one_request_and_answered_in_the_order_of_seeds(
    server: Server, opened: Callable[..., Engine]
) -> None:
    engine = opened()
    samples = draw(engine, 7, 8, 9)
    assert [(sample.text, sample.seed) for sample in samples] == [("p:7", 7), ("p:8", 8), ("p:9", 9)]
    (asked,) = server.asked
    assert (asked["n"], asked["seed"], asked["max_tokens"], asked["logprobs"]) == (3, 7, 8, 0)
    assert "top_k" not in asked
    assert "stop" not in asked
    assert server.keys == {f"Bearer {KEY}"}
    assert engine.identity.max_model_len == 100


def test_seeds_that_are_not_consecutive_are_asked_apart(server: Server, opened: Callable[..., Engine]) -> None:
    samples = draw(opened(samples_per_request=2), 1, 2, 3, 9)
    assert [sample.text for sample in samples] == ["p:1", "p:2", "p:3", "p:9"]
    assert sorted((asked["seed"], asked["n"]) for asked in server.asked) == [(1, 2), (3, 1), (9, 1)]


def test_token_classes(server: Server, opened: Callable[..., Engine]) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 5}}
    server.script = lambda body, _: completion(body, completion_tokens=10, **details)
    samples = draw(opened(), 1, 2, 3)
    assert [sample.prompt_tokens for sample in samples] == [5, 5, 5]
    assert [sample.cached_prompt_tokens for sample in samples] == [2, 5, 5], "billed once a request"
    assert sum(sample.completion_tokens for sample in samples) == 10
    assert sum(sample.reasoning_tokens for sample in samples) == 5
    assert all(sample.queue_seconds is None and sample.seconds > 0 for sample in samples)


def test_a_limit_with_retry_after_is_waited_out_by_every_request(server: Server, opened: Callable[..., Engine]) -> None:
    server.script = lambda body, number: (429, {}, {"Retry-After": "0.4"}) if number == 1 else completion(body)
    engine = opened(concurrency=1)
    futures = [engine.submit(GenerationRequest("p", (seed,), SAMPLING)) for seed in range(3)]
    assert [future.result(20)[0].seed for future in futures] == [0, 1, 2]
    assert server.times[1] - server.times[0] >= 0.39
    assert len(server.asked) == 4


@pytest.mark.parametrize("fault", [(500, {}, {}), (503, b"<html>busy</html>", {}), (200, b"{half", {}), (408, {}, {})])
def test_passing_faults_are_tried_again(server: Server, opened: Callable[..., Engine], fault: Answer) -> None:
    server.script = lambda body, number: fault if number <= 2 else completion(body)
    assert len(draw(opened(), 1, 2)) == 2
    assert len(server.asked) == 3


def test_a_fault_that_stays_ends_in_one_line_with_the_last_reason(
    server: Server, opened: Callable[..., Engine]
) -> None:
    server.script = lambda *_: (500, {"error": {"message": "worker\ncrashed"}}, {})
    with pytest.raises(EngineFailed, match="failed 3 times, the last with 500: worker crashed") as caught:
        draw(opened(attempts=3), 1)
    assert caught.value.retryable
    assert len(server.asked) == 3


def test_a_server_that_ignores_n_is_asked_one_by_one(server: Server, opened: Callable[..., Engine]) -> None:
    server.script = lambda body, _: completion(body, choices=1)
    engine = opened()
    assert [sample.text for sample in draw(engine, 1, 2, 3)] == ["p:1", "p:2", "p:3"]
    assert [asked["n"] for asked in server.asked] == [3, 1, 1]
    server.asked.clear()
    draw(engine, 4, 5)
    assert [asked["n"] for asked in server.asked] == [1, 1], "and from the start the next time"


def test_a_server_that_refuses_n_is_asked_one_by_one(server: Server, opened: Callable[..., Engine]) -> None:
    refusal: Answer = (400, {"error": {"message": "n must be 1"}}, {})
    server.script = lambda body, _: completion(body) if body["n"] == 1 else refusal
    assert [sample.text for sample in draw(opened(), 1, 2)] == ["p:1", "p:2"]


def test_no_choices_at_all_is_a_failure(server: Server, opened: Callable[..., Engine]) -> None:
    server.script = lambda body, _: completion(body, choices=0)
    with pytest.raises(EngineFailed, match="2 samples were asked for, 0 came back"):
        draw(opened(), 1, 2)


def test_a_refusal_is_not_tried_again(server: Server, opened: Callable[..., Engine]) -> None:
    server.script = lambda *_: (422, {"error": {"message": "top_p is odd"}}, {})
    with pytest.raises(GenerationRefused, match="422: top_p is odd"):
        draw(opened(), 1)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 100 tokens.",
        "exceeds the available context size",
        "context_length_exceeded",
    ],
)
def test_a_prompt_that_the_server_finds_too_long(server: Server, opened: Callable[..., Engine], words: str) -> None:
    server.script = lambda *_: (400, {"error": {"message": words}}, {})
    with pytest.raises(PromptTooLong, match="shorten the prompt"):
        draw(opened(), 1)


def test_a_prompt_is_counted_where_the_server_can(server: Server, opened: Callable[..., Engine]) -> None:
    engine = opened()
    engine.check(GenerationRequest("x" * 99, (1,), SAMPLING))
    with pytest.raises(PromptTooLong, match="100 tokens"):
        engine.check(GenerationRequest("x" * 100, (1,), SAMPLING))
    with pytest.raises(PromptTooLong):
        draw(engine, 1, prompt="x" * 100)
    assert not server.asked, "refused before any work"


def test_an_unserved_model_is_named(server: Server) -> None:
    with pytest.raises(ModelNotFound, match="does not serve 'other'; it serves m"):
        open_engine("other", backend="openai", options={"base_url": server.url})


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.engines.endpoint._FIRST_PAUSE_SECONDS", 0.01)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    with pytest.raises(EngineFailed, match="refused"):
        open_engine("m", backend="openai", options={"base_url": url})


def test_chat_is_asked_and_read_as_chat(server: Server, opened: Callable[..., Engine]) -> None:
    tokens = {"content": [{"token": "4", "logprob": -0.25}, {"token": "2", "logprob": -0.5}]}
    choice = {"index": 0, "message": {"content": "4\x002"}, "finish_reason": "content_filter", "logprobs": tokens}
    server.script = lambda *_: (200, {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}, {})
    sampling = SamplingParameters(max_tokens=8, top_k=5, stop=("\n",))
    engine = opened(
        chat=True, system="Be brief.", extra={"reasoning_effort": "low"}, max_tokens_field="max_completion_tokens"
    )
    (sample,) = draw(engine, 1, sampling=sampling)
    assert sample.text == "4\ufffd2"
    assert sample.cumulative_logprob == -0.75
    assert (sample.finish_reason, sample.stop_reason) == ("abort", "content_filter")
    (asked,) = server.asked
    assert asked["path"] == "/v1/chat/completions"
    assert asked["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "p"}]
    assert (asked["top_k"], asked["stop"], asked["reasoning_effort"]) == (5, ["\n"], "low")
    assert asked["max_completion_tokens"] == 8
    assert asked["logprobs"] is True


def test_no_more_requests_at_once_than_allowed(server: Server, opened: Callable[..., Engine]) -> None:
    def slowly(body: dict[str, Any], _: int) -> Answer:
        time.sleep(0.03)
        return completion(body)

    server.script = slowly
    engine = opened(concurrency=3)
    futures = [engine.submit(GenerationRequest("p", (seed,), SAMPLING)) for seed in range(12)]
    assert [future.result(20)[0].seed for future in futures] == list(range(12))
    assert 1 < server.most_at_once <= 3


def test_the_key_is_never_told(server: Server, opened: Callable[..., Engine], caplog: pytest.LogCaptureFixture) -> None:
    server.script = lambda _, number: (
        (500, {"error": {"message": f"failed for {KEY}"}}, {})
        if number == 1
        else (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}, {})
    )
    engine = opened()
    with caplog.at_level(logging.DEBUG), pytest.raises(EngineMisconfigured, match="PASSATK_OPENAI_API_KEY") as caught:
        draw(engine, 1)
    assert "Incorrect API key provided: ***" in str(caught.value)
    told = caplog.text + str(caught.value) + repr(engine.identity) + repr(vars(engine))
    assert "failed for ***" in caplog.text
    assert KEY not in told


def test_a_redirect_does_not_carry_the_key_away(server: Server, opened: Callable[..., Engine]) -> None:
    server.script = lambda *_: (307, {}, {"Location": "http://127.0.0.1:1/v1/completions"})
    with pytest.raises(GenerationRefused, match="307"):
        draw(opened(), 1)


@pytest.mark.parametrize("url", ["http://me:pw@host/v1", "file:///etc/passwd", "host:8000", "https://"])
def test_addresses_that_are_none_or_hold_secrets(url: str) -> None:
    with pytest.raises(EngineMisconfigured, match="base_url") as caught:
        open_engine("m", backend="openai", options={"base_url": url})
    assert "pw" not in str(caught.value)


def test_unknown_options_are_told_with_the_known() -> None:
    with pytest.raises(EngineMisconfigured, match="concurrency"):
        open_engine("m", backend="openai", options={"parallel": 3})


def test_closing_fails_what_waits_and_does_not_wait_for_the_server(
    server: Server, opened: Callable[..., Engine]
) -> None:
    release = threading.Event()

    def hold(body: dict[str, Any], _: int) -> Answer:
        release.wait(10)
        return completion(body)

    server.script = hold
    engine = opened(concurrency=1)
    waiting = [engine.submit(GenerationRequest("p", (seed,), SAMPLING)) for seed in range(3)]
    begun = time.monotonic()
    engine.close()
    for future in waiting:
        with pytest.raises(EngineFailed, match="closed"):
            future.result(5)
    assert time.monotonic() - begun < 3
    assert not engine.alive()
    with pytest.raises(EngineFailed, match="closed"):
        draw(engine, 9)
    release.set()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After-Ms": "250", "Retry-After": "9"}, 0.25),
        ({"Retry-After": "Thu, 01 Jan 1970 00:01:40 GMT"}, 60.0),
        ({"Retry-After": "soon"}, None),
    ],
)
def test_hinted_pause(headers: dict[str, str], seconds: float | None) -> None:
    assert hinted_pause(headers, now=40.0) == seconds


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"error": {"message": "no\\nway"}}', "no way"),
        (b'{"error": "flat"}', "flat"),
        (b'{"message": "vllm"}', "vllm"),
        (b"<html>" + b"x" * 999, "<html>" + "x" * 294),
        (b"[1]", "[1]"),
    ],
)
def test_server_message(content: bytes, message: str) -> None:
    assert server_message(content) == message


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [(10, [1, 1, 1], [3, 3, 4]), (10, [0, 0], [5, 5]), (7, [3, 4], [3, 4]), (0, [1, 2], [0, 0]), (5, [], [])],
)
def test_shares_add_up(total: int, weights: list[int], shares: list[int]) -> None:
    assert shared_out(total, weights) == shares
