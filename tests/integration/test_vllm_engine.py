"""Real vLLM on a processor, drawing from a tiny random model: in this process, and behind its own server."""

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.serving import KEY, vllm_serve
from workers.engines import Engine, Generated, GenerationRequest, SamplingParameters, open_engine
from workers.errors import EngineFailed, EngineMisconfigured, GenerationRefused, ModelNotFound, PromptTooLong

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed: pip install -e '.[cpu]' runs these tests", allow_module_level=True)

pytestmark = [
    # vLLM, torch and transformers warn about each other.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(300),
]

CONTEXT = 256
SAMPLING = SamplingParameters(max_tokens=24)
PROMPT = "Ann has 3 apples and buys 4 more; how many are there?"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama over single bytes, so that a prompt has as many tokens as bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny"
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<s>": 0, "</s>": 1} | {letter: i + 2 for i, letter in enumerate(letters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(folder)
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=CONTEXT,
            bos_token_id=0,
            eos_token_id=1,
            tie_word_embeddings=True,
        )
    ).to(torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Iterator[Engine]:
    """One engine, opened in a thread that is not the main one, as a Celery worker may."""
    with ThreadPoolExecutor(1) as other:
        opened = other.submit(open_engine, str(tiny_model)).result()
    yield opened
    opened.close()


def draw(engine: Engine, seeds: range | tuple[int, ...], prompt: str = PROMPT, **sampling: object) -> list[Generated]:
    parameters = SamplingParameters(**{"max_tokens": 24, **sampling})  # type: ignore[arg-type]
    return engine.submit(GenerationRequest(prompt, tuple(seeds), parameters)).result(120)


def texts(samples: list[Generated]) -> list[str]:
    return [sample.text for sample in samples]


def test_the_identity_tells_engine_and_model(engine: Engine, tiny_model: Path) -> None:
    identity = engine.identity
    assert identity.engine == "vllm"
    assert identity.device == "cpu"
    assert identity.max_model_len == CONTEXT
    assert identity.model_revision.startswith("sha256:")
    assert identity.tokenizer_hash.startswith("sha256:")
    assert identity.engine_version[0].isdigit()


def test_one_sample_a_seed_with_its_counts_and_times(engine: Engine) -> None:
    samples = draw(engine, range(100, 120))
    assert [sample.seed for sample in samples] == list(range(100, 120))
    assert len(set(texts(samples))) == 20
    for sample in samples:
        assert sample.prompt_tokens == len(PROMPT)
        assert 1 <= sample.completion_tokens <= 24
        assert sample.cumulative_logprob is not None
        assert sample.cumulative_logprob < 0
        parts = (sample.queue_seconds, sample.prefill_seconds, sample.decode_seconds)
        assert all(part is not None and part >= 0 for part in parts)
        assert sum(part or 0 for part in parts) <= sample.seconds + 1e-3
    assert any(sample.cached_prompt_tokens for sample in samples), "the prompt is shared"


def test_a_sample_follows_from_its_seed_alone(engine: Engine) -> None:
    together = texts(draw(engine, range(500, 564)))
    assert texts(draw(engine, range(500, 564))) == together
    chunks = [draw(engine, range(low, low + 16)) for low in range(500, 564, 16)]
    assert [text for chunk in chunks for text in texts(chunk)] == together
    assert [texts(draw(engine, (seed,)))[0] for seed in range(500, 508)] == together[:8]
    assert texts(draw(engine, (563, 500, 510, 511))) == [together[i] for i in (63, 0, 10, 11)]


def test_a_sample_does_not_depend_on_what_is_drawn_beside_it(engine: Engine) -> None:
    alone = texts(draw(engine, range(7000, 7032)))
    others = [
        engine.submit(GenerationRequest(f"Another prompt {i}. " * (i % 5 + 1), tuple(range(i, i + 9)), SAMPLING))
        for i in range(20)
    ]
    assert texts(draw(engine, range(7000, 7032))) == alone
    assert [len(other.result(120)) for other in others] == [9] * 20


def test_several_threads_submit_at_once(engine: Engine) -> None:
    expected = {first: texts(draw(engine, range(first, first + 4))) for first in range(0, 160, 10)}
    with ThreadPoolExecutor(16) as threads:
        drawn = threads.map(lambda first: (first, texts(draw(engine, range(first, first + 4)))), expected)
        assert dict(drawn) == expected


def test_finish_reasons(engine: Engine) -> None:
    long = draw(engine, range(40), max_tokens=200)
    ended = [sample for sample in long if sample.finish_reason == "stop"]
    cut = [sample for sample in long if sample.finish_reason == "length"]
    assert ended
    assert cut
    assert len(ended) + len(cut) == 40
    assert all(sample.stop_reason is None for sample in ended), "the model's own end has no reason"
    letter = next(
        char for char in long[0].text[1:] if char.isascii() and char.isprintable() and char != long[0].text[0]
    )
    stopped = draw(engine, (0,), max_tokens=200, stop=(letter,))[0]
    assert (stopped.finish_reason, stopped.stop_reason) == ("stop", letter)
    assert stopped.text == long[0].text[: long[0].text.index(letter)]


def test_generation_ends_at_the_context(engine: Engine) -> None:
    sample = draw(engine, (3,), prompt="x" * (CONTEXT - 1))[0]
    assert (sample.finish_reason, sample.completion_tokens) == ("length", 1)


def test_greedy_samples_are_equal_and_counted(engine: Engine) -> None:
    samples = draw(engine, range(3), temperature=0.0)
    assert len({sample.text for sample in samples}) == 1
    assert [sample.seed for sample in samples] == [0, 1, 2]


def test_the_log_probability_is_only_computed_on_request(engine: Engine) -> None:
    assert draw(engine, (1,), logprobs=False)[0].cumulative_logprob is None
    assert texts(draw(engine, (1,), logprobs=False)) == texts(draw(engine, (1,)))


def test_text_can_be_stored(engine: Engine) -> None:
    samples = draw(engine, range(2000, 2200))
    assert not any("\x00" in sample.text for sample in samples)
    assert any("\ufffd" in sample.text for sample in samples), "a random byte model does emit what is no text"


def test_a_prompt_beyond_the_context_is_named_by_its_counts(engine: Engine) -> None:
    long = "x" * CONTEXT
    with pytest.raises(PromptTooLong, match=f"{CONTEXT} tokens.*holds {CONTEXT}"):
        engine.check(GenerationRequest(long, (1,), SAMPLING))
    with pytest.raises(PromptTooLong):
        engine.submit(GenerationRequest(long, (1,), SAMPLING))
    engine.check(GenerationRequest(long[1:], (1,), SAMPLING))


def test_what_vllm_refuses_fails_that_request_alone(engine: Engine) -> None:
    with pytest.raises(GenerationRefused, match="temperature"):
        draw(engine, range(4), temperature=9.0)
    assert len(draw(engine, range(4))) == 4


def test_tokens_are_those_of_vllms_own_door(engine: Engine) -> None:
    inner = engine._thread._thread  # type: ignore[attr-defined]
    assert inner.name == "engine"
    for prompt in (PROMPT, "tabs\t\nand ünïcödé 😀", " "):
        assert draw(engine, (1,), prompt=prompt, max_tokens=1)[0].prompt_tokens == len(prompt.encode())


@pytest.mark.parametrize("options", [{"max_num_seq": 4}, {"model": "other"}])
def test_unknown_options_are_named(tiny_model: Path, options: dict[str, object]) -> None:
    with pytest.raises(EngineMisconfigured, match="vLLM has no option"):
        open_engine(str(tiny_model), options=options)


def test_a_folder_without_weights_is_one_clear_line(tiny_model: Path, tmp_path: Path) -> None:
    for file in tiny_model.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, tmp_path)
    with pytest.raises(ModelNotFound, match=f"{tmp_path}.*has no weights"):
        open_engine(str(tmp_path))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_model_len": 100_000}, r"max_model_len \(100000\) is greater"),
        ({"dtype": "int3"}, "dtype"),
        ({"kv_cache_memory_bytes": 1000}, "No available memory"),
    ],
)
def test_what_vllm_cannot_load_is_one_clear_line(tiny_model: Path, options: dict[str, object], told: str) -> None:
    with pytest.raises(ModelNotFound, match=told) as caught:
        open_engine(str(tiny_model), options=options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_options_reach_vllm(tiny_model: Path) -> None:
    small = open_engine(str(tiny_model), options={"max_model_len": 64, "max_num_seqs": 2, "dtype": "float32"})
    try:
        assert small.identity.max_model_len == 64
        with pytest.raises(PromptTooLong):
            small.check(GenerationRequest("x" * 64, (1,), SAMPLING))
        assert len(draw(small, range(8), prompt="x")) == 8
    finally:
        small.close()


def test_a_dead_engine_fails_what_waits_and_is_replaced(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine(str(tiny_model))
    before = texts(draw(engine, range(4)))
    from vllm.v1.worker.cpu_worker import CPUWorker

    def burst(*_: object, **__: object) -> None:
        raise RuntimeError("the device went away")

    with monkeypatch.context() as broken:
        broken.setattr(CPUWorker, "execute_model", burst)
        waiting = [engine.submit(GenerationRequest(PROMPT, (i,), SAMPLING)) for i in range(5)]
        for future in waiting:
            with pytest.raises(EngineFailed, match="the device went away"):
                future.result(60)
    assert not engine.alive()
    with pytest.raises(EngineFailed, match="opened anew"):
        draw(engine, range(1))
    engine.close()
    anew = open_engine(str(tiny_model))
    assert texts(draw(anew, range(4))) == before
    anew.close()


def test_closing_ends_the_thread_and_fails_what_is_left(tiny_model: Path) -> None:
    engine = open_engine(str(tiny_model))
    endless = [
        engine.submit(GenerationRequest(PROMPT, tuple(range(i, i + 500)), SamplingParameters(max_tokens=200)))
        for i in range(0, 10_000, 500)
    ]
    engine.close(drain_seconds=0.0)  # type: ignore[call-arg]
    assert not engine.alive()
    for future in endless:
        with pytest.raises(EngineFailed, match="closed"):
            future.result(0)
    assert not any(thread.name == "engine" and thread is engine._thread._thread for thread in threading.enumerate())  # type: ignore[attr-defined]


QUIET = """
import signal, sys
before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGCHLD)]
from workers.engines import *
engine = open_engine(sys.argv[1])
engine.submit(GenerationRequest("abc", (1, 2, 3), SamplingParameters(max_tokens=4))).result()
assert before == [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGCHLD)]
print("done")
"""


def test_nothing_is_printed_no_signal_taken_and_a_forgotten_engine_does_not_hang(tiny_model: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VLLM_", "TORCH_CPP"))}
    ended = subprocess.run(
        [sys.executable, "-c", QUIET, str(tiny_model)],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
    assert ended.stderr == ""


@pytest.fixture(scope="module")
def vllm_server(tiny_model: Path) -> Iterator[str]:
    """vLLM's own OpenAI-compatible server with the same model; its address."""
    with vllm_serve(tiny_model, "tiny") as url:
        yield url


@pytest.fixture
def served(vllm_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("PASSATK_OPENAI_API_KEY", KEY)
    engine = open_engine("tiny", backend="openai", options={"base_url": vllm_server, "samples_per_request": 16})
    yield engine
    engine.close()


def test_a_vllm_server_gives_the_samples_of_the_engine_in_this_process(engine: Engine, served: Engine) -> None:
    assert served.identity.engine_version == f"vllm {engine.identity.engine_version}"
    assert served.identity.max_model_len == CONTEXT
    here, there = draw(engine, range(300, 340)), draw(served, range(300, 340))
    assert texts(there) == texts(here)
    assert [sample.seed for sample in there] == [sample.seed for sample in here]
    assert [sample.completion_tokens for sample in there] == [sample.completion_tokens for sample in here]
    assert [sample.finish_reason for sample in there] == [sample.finish_reason for sample in here]
    assert {sample.prompt_tokens for sample in there} == {len(PROMPT)}
    for one, other in zip(here, there, strict=True):
        assert one.cumulative_logprob == pytest.approx(other.cumulative_logprob, abs=0.05)


def test_a_served_prompt_beyond_the_context_is_refused_by_count(served: Engine) -> None:
    long = "x" * CONTEXT
    with pytest.raises(PromptTooLong, match=f"{CONTEXT} tokens"):
        served.check(GenerationRequest(long, (1,), SAMPLING))
    with pytest.raises(PromptTooLong):
        served.submit(GenerationRequest(long, (1,), SAMPLING)).result(60)
    served.check(GenerationRequest("x", (1,), SAMPLING))


def test_a_model_that_the_server_does_not_serve_is_named(vllm_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSATK_OPENAI_API_KEY", KEY)
    with pytest.raises(ModelNotFound, match="does not serve 'other'; it serves tiny"):
        open_engine("other", backend="openai", options={"base_url": vllm_server})


def test_a_wrong_key_is_named_by_its_variable_and_not_shown(vllm_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSATK_OPENAI_API_KEY", "sk-wrong")
    with pytest.raises(EngineMisconfigured, match="PASSATK_OPENAI_API_KEY") as caught:
        open_engine("tiny", backend="openai", options={"base_url": vllm_server})
    assert "sk-wrong" not in str(caught.value)
