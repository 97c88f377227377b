"""What may be asked of an engine, how seeds are cut, and how models and prompts are recognised."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.engines import BACKENDS, GenerationRequest, SamplingParameters, model_files, open_engine, vllm_settings
from workers.engines.door import consecutive_slices, storable
from workers.engines.prompts import Prompts
from workers.errors import (
    EngineMisconfigured,
    EngineNotInstalled,
    GenerationRefused,
    ModelNotFound,
    PromptTooLong,
)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"temperature": -0.1}, "temperature -0.1"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"top_p": 0.0}, "top_p 0.0"),
        ({"top_p": 1.5}, "top_p 1.5"),
        ({"top_k": -1}, "top_k -1"),
        ({"max_tokens": 0}, "max_tokens 0"),
        ({"stop": ("",)}, "empty stop string"),
    ],
)
def test_senseless_sampling_parameters_are_refused_by_name(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(GenerationRefused, match=named):
        SamplingParameters(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("seeds", [(), (-1,), (0, 2**63)])
def test_seeds_must_be_storable(seeds: tuple[int, ...]) -> None:
    with pytest.raises(GenerationRefused, match="seed"):
        GenerationRequest("p", seeds, SamplingParameters())


@pytest.mark.parametrize(
    ("seeds", "longest", "slices"),
    [
        ((5,), 4, [(5,)]),
        ((5, 6, 7), 4, [(5, 6, 7)]),
        ((5, 6, 7), 2, [(5, 6), (7,)]),
        ((5, 7, 8, 3), 4, [(5,), (7, 8), (3,)]),
        ((3, 2, 1), 4, [(3,), (2,), (1,)]),
        ((1, 2, 3), 1, [(1,), (2,), (3,)]),
    ],
)
def test_consecutive_slices(seeds: tuple[int, ...], longest: int, slices: list[tuple[int, ...]]) -> None:
    assert list(consecutive_slices(seeds, longest)) == slices


def test_storable_text_has_neither_nul_nor_half_a_surrogate_pair() -> None:
    assert storable("a\x00b\ud83dc😀") == "a\ufffdb\ufffdc😀"
    storable("\ud800\x00").encode()


def test_an_unknown_backend_names_those_there_are() -> None:
    with pytest.raises(EngineMisconfigured, match=", ".join(BACKENDS)):
        open_engine("m", backend="sglang")


class Letters:
    """A tokenizer of one token a character that counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        self.calls += 1
        return [1] * add_special_tokens + [ord(letter) for letter in text]


def test_a_prompt_is_cut_once_and_must_leave_room_for_a_token() -> None:
    letters = Letters()
    prompts = Prompts(letters, max_model_len=10)
    assert prompts.tokens("12345678") == prompts.tokens("12345678") == [1, *map(ord, "12345678")]
    assert letters.calls == 1
    with pytest.raises(PromptTooLong, match=r"10 tokens.*holds 10.*shorten the prompt.*max_model_len"):
        prompts.tokens("123456789")


def test_an_empty_prompt_is_refused_unless_the_tokenizer_gives_it_a_token() -> None:
    assert Prompts(Letters(), 10).tokens("") == [1]
    with pytest.raises(GenerationRefused, match="empty"):
        Prompts(Letters(), 10, add_special_tokens=False).tokens("")


def test_kept_prompts_are_bounded() -> None:
    letters = Letters()
    prompts = Prompts(letters, 100)
    for i in range(5000):
        prompts.tokens(str(i))
    prompts.tokens("4999")
    assert letters.calls == 5000
    prompts.tokens("0")
    assert letters.calls == 5001


def folder_with(tmp_path: Path, **files: str) -> Path:
    for name, content in files.items():
        (tmp_path / name.replace("__", ".")).write_text(content)
    return tmp_path


def test_a_folder_is_a_model_when_it_has_a_configuration(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, config__json="{}")
    assert model_files.locate(str(folder)) == str(folder)


@pytest.mark.parametrize("model", ["no/such/folder", "./gone", "/gone", "gone", ""])
def test_an_unknown_path_is_named_with_what_it_must_be(model: str) -> None:
    with pytest.raises(ModelNotFound, match=r"no such folder|without config.json") as caught:
        model_files.locate(model)
    assert repr(model) in str(caught.value)
    assert "config.json" in str(caught.value)
    assert "hub name" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_configuration_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"a folder without config.json"):
        model_files.locate(str(tmp_path))


def test_a_hub_name_is_left_to_the_hub() -> None:
    assert model_files.locate("meta-llama/Llama-3.1-8B") == "meta-llama/Llama-3.1-8B"


ASK = """
import sys
from workers.engines.model_files import ask_hub
from workers.errors import ModelNotFound
try:
    ask_hub("nobody/nothing")
except ModelNotFound as error:
    print(error)
"""


def test_a_hub_that_cannot_be_reached_is_told_at_once(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="comes with vLLM: pip install -e '.[cpu]'")
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    root = Path(__file__).resolve().parents[2]
    told = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, cwd=root, capture_output=True, text=True, timeout=30, check=True
    )
    assert "'nobody/nothing': the hub cannot be reached from this machine (ConnectError)" in told.stdout
    assert told.stdout.count("\n") == 1
    assert told.stderr == ""


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "1 validation error for ModelConfig\n  Value error, too long (9). [type=value_error, input_value=A]\n"
            "    For further information visit https://errors.pydantic.dev/2/v/value_error",
            "too long (9).",
        ),
        ("first\n\nsecond", "first second"),
        ("", "ValueError"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_vllms_messages_become_one_line(message: str, line: str) -> None:
    assert vllm_settings.reason(ValueError(message)) == line


def test_the_revision_follows_weights_and_configuration_and_nothing_else(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, config__json="{}", model__safetensors="w", training_args__bin="t")
    first = model_files.revision(folder)
    folder_with(tmp_path, README__md="words", pytorch_model__bin="not loaded beside safetensors")
    assert model_files.revision(folder) == first
    folder_with(tmp_path, model__safetensors="v")
    changed = model_files.revision(folder)
    assert changed != first
    folder_with(tmp_path, config__json='{"a": 1}')
    assert len({first, changed, model_files.revision(folder)}) == 3
    assert model_files.weight_bytes(str(folder)) == 1


class WordList:
    """A tokenizer without a backend, as some are."""

    def __init__(self, template: str) -> None:
        self.chat_template = template

    def get_vocab(self) -> dict[str, int]:
        return {"b": 1, "a": 0}


class Backed:
    """A tokenizer with a backend that remembers how it was last called."""

    def __init__(self, truncation: object) -> None:
        self.backend_tokenizer = self
        self.truncation = truncation

    def to_str(self) -> str:
        return json.dumps({"model": {"vocab": {"a": 0}}, "truncation": self.truncation, "padding": None})


def test_the_tokenizer_hash_follows_the_chat_template_and_not_the_last_call() -> None:
    assert model_files.tokenizer_hash(WordList("x")) == model_files.tokenizer_hash(WordList("x"))
    assert model_files.tokenizer_hash(WordList("x")) != model_files.tokenizer_hash(WordList("y"))
    assert model_files.tokenizer_hash(Backed(None)) == model_files.tokenizer_hash(Backed({"max_length": 5}))


def test_without_vllm_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vllm_settings.importlib.util, "find_spec", lambda _: None)
    folder = folder_with(tmp_path, config__json="{}")
    with pytest.raises(EngineNotInstalled, match=r"passatk\[cpu\].*passatk\[gpu\]") as caught:
        open_engine(str(folder))
    assert "\n" not in str(caught.value)


def test_an_unknown_option_is_named_with_the_nearest_one() -> None:
    with pytest.raises(EngineMisconfigured, match="did you mean 'max_num_seqs'"):
        vllm_settings.refuse_unknown({"max_num_seq": 3}, ["model", "max_num_seqs"])
    vllm_settings.refuse_unknown({"max_num_seqs": 3}, ["model", "max_num_seqs"])


def test_the_environment_is_set_only_where_the_user_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_ENABLE_V1_MULTIPROCESSING", "TORCH_COMPILE_DISABLE", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(vllm_settings.os, "environ", vllm_settings.os.environ.copy())
    monkeypatch.setitem(vllm_settings.os.environ, "OMP_NUM_THREADS", "7")
    vllm_settings.prepare_environment(cpu=False)
    assert "TORCH_COMPILE_DISABLE" not in vllm_settings.os.environ
    vllm_settings.prepare_environment(cpu=True)
    assert vllm_settings.os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert vllm_settings.os.environ["TORCH_COMPILE_DISABLE"] == "1"
    assert vllm_settings.os.environ["OMP_NUM_THREADS"] == "7"


def test_the_cpu_cache_is_as_large_as_the_weights_within_bounds() -> None:
    small = vllm_settings.cpu_defaults(1)["kv_cache_memory_bytes"]
    assert small == 256 * vllm_settings.MEBIBYTE
    assert vllm_settings.cpu_defaults(300 * vllm_settings.MEBIBYTE)["kv_cache_memory_bytes"] > small
    assert vllm_settings.cpu_defaults(1 << 60)["kv_cache_memory_bytes"] < 1 << 50


def test_where_16_bits_multiply_slowly_weights_that_fit_are_widened() -> None:
    assert "dtype" not in vllm_settings.cpu_defaults(1 << 20)
    assert vllm_settings.cpu_defaults(1 << 20, widen=True)["dtype"] == "float32"
    for size in (0, 1 << 60):  # unknown, and too large for memory
        assert "dtype" not in vllm_settings.cpu_defaults(size, widen=True)


def test_packed_weights_are_told_from_others(tmp_path: Path) -> None:
    assert not model_files.quantised("owner/name")
    folder = folder_with(tmp_path, config__json="{}", model__safetensors="w")
    assert not model_files.quantised(str(folder))
    folder_with(tmp_path, config__json='{"quantization_config": {}}')
    assert model_files.quantised(str(folder))
