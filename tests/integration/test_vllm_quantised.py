"""Quantised checkpoints drawn from as a user would: a folder as the model, and what is kept of how it was loaded."""

from __future__ import annotations

import importlib.util
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from tests.integration.quantised import quantise
from workers.engines import GenerationRequest, SamplingParameters, open_engine
from workers.engines.vllm_settings import missing_kernel
from workers.errors import KernelMissing, ModelNotFound

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed: pip install -e '.[cpu]' runs these tests", allow_module_level=True)

pytestmark = [
    # vLLM, torch and transformers warn about each other.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(300),
]

DEMO_MODEL = Path(__file__).resolve().parents[2] / "examples" / "arithmetic" / "model"
PROMPTS = (
    "Ann has 3 pens. Ann buys 4 more. How many pens does Ann have?\n",
    "Ben has 38 nuts. Ben buys 4 boxes of 17. Ben loses 9. How many nuts are left?\n",
    "Eva has 120 tiles. They are split into 4 equal parts and one is kept. How many tiles are left?\n",
    "Kim has 45 eggs. Soon there are 3 times as many. Kim sells 12. How many eggs does Kim have?\n",
)


def greedy(folder: Path, **options: object) -> tuple[list[str], dict[str, object], str]:
    """The likeliest completion of each prompt, how the model was loaded, and its revision."""
    engine = open_engine(str(folder), options=options)
    try:
        sampling = SamplingParameters(temperature=0.0, max_tokens=60)
        futures = [engine.submit(GenerationRequest(prompt, (0,), sampling)) for prompt in PROMPTS]
        texts = [future.result(120)[0].text for future in futures]
        return texts, dict(engine.identity.settings), engine.identity.model_revision
    finally:
        engine.close()


@pytest.fixture(scope="module")
def full() -> tuple[list[str], dict[str, object], str]:
    return greedy(DEMO_MODEL)


def likeness(some: list[str], others: list[str]) -> float:
    return sum(SequenceMatcher(None, a, b).ratio() for a, b in zip(some, others, strict=True)) / len(some)


@pytest.mark.parametrize(("kind", "options"), [("int8", {}), ("fp8", {"quantization": "compressed-tensors"})])
def test_a_quantised_folder_draws_much_as_the_whole_model_does(tmp_path, full, kind, options) -> None:
    texts, settings, revision = greedy(quantise(DEMO_MODEL, tmp_path / kind, kind), **options)
    whole, of_whole, revision_of_whole = full
    assert (of_whole["quantization"], settings["quantization"]) == (None, "compressed-tensors")
    assert revision != revision_of_whole
    assert likeness(texts, whole) > 0.8
    assert likeness(texts, whole[1:] + whole[:1]) < 0.8  # and not as it does on other problems


def test_four_bits_are_drawn_where_there_is_a_kernel_and_refused_in_one_line_where_not(tmp_path, full) -> None:
    import torch
    from vllm.platforms import current_platform

    folder = quantise(DEMO_MODEL, tmp_path / "int4", "int4")
    if not current_platform.is_cpu() or hasattr(torch.ops._C, "cpu_gemm_wna16"):
        texts, settings, _ = greedy(folder)
        assert settings["quantization"] == "compressed-tensors"
        assert likeness(texts, full[0]) > 0.6
        return
    with pytest.raises(
        KernelMissing, match=r"no kernel cpu_gemm_wna16, .* compressed-tensors .*: draw on a GPU"
    ) as told:
        greedy(folder)
    assert "\n" not in str(told.value)
    assert not told.value.retryable  # another try on this machine does not help


def test_a_format_that_is_not_the_folders_is_refused_in_one_line(tmp_path) -> None:
    with pytest.raises(ModelNotFound, match=r"(?s)cannot load .*awq") as told:
        greedy(quantise(DEMO_MODEL, tmp_path / "int8", "int8"), quantization="awq")
    assert "\n" not in str(told.value)


def test_other_missing_attributes_are_no_missing_kernel() -> None:
    assert missing_kernel(AttributeError("'Engine' object has no attribute 'step'"), "awq") is None
