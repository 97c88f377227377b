"""vLLM on a CUDA device: loads with a GPU's own options, keeps its promises about seeds and counts."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.engines import Engine, GenerationRequest, SamplingParameters, open_engine

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]

MODEL = Path(__file__).resolve().parents[2] / "examples" / "arithmetic" / "model"
PROMPT = "Ann has 311 books. Soon there are 4 times as many. How many books does Ann have?\n"
SAMPLING = SamplingParameters(max_tokens=64)


def without_cuda() -> str | None:
    """Why these tests cannot run here; None where they can."""
    if importlib.util.find_spec("vllm") is None:
        return "vLLM is not installed: pip install -e '.[gpu]' runs these tests"
    import torch

    return None if torch.cuda.is_available() else "no CUDA device"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The demo model on the first device."""
    if missing := without_cuda():
        pytest.skip(missing)
    opened = open_engine(str(MODEL), options={"gpu_memory_utilization": 0.3})
    yield opened
    opened.close()


def draw(engine: Engine, seeds: range) -> list[str]:
    return [s.text for s in engine.submit(GenerationRequest(PROMPT, tuple(seeds), SAMPLING)).result(300)]


def test_the_device_is_named(engine: Engine) -> None:
    assert engine.identity.device.startswith("cuda:")


def test_equal_requests_give_equal_samples(engine: Engine) -> None:
    first = draw(engine, range(100, 164))
    assert len(first) == 64
    assert len(set(first)) > 1
    assert draw(engine, range(100, 164)) == first


def test_samples_that_follow_from_their_seeds_survive_another_batch(engine: Engine) -> None:
    """Beside other samples a GPU may round a near tie the other way; most samples must not notice."""
    together = draw(engine, range(100, 164))
    apart = [text for low in range(100, 164, 16) for text in draw(engine, range(low, low + 16))]
    same = sum(one == other for one, other in zip(together, apart, strict=True))
    assert same >= 48


def test_ten_thousand_samples_of_one_problem(engine: Engine) -> None:
    samples = engine.submit(GenerationRequest(PROMPT, tuple(range(10_000)), SAMPLING)).result(300)
    assert [sample.seed for sample in samples] == list(range(10_000))
    assert all(sample.finish_reason in ("stop", "length") for sample in samples)
    assert sum(bool(sample.cached_prompt_tokens) for sample in samples) > 9_000
