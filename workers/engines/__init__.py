"""Engines that draw samples, all behind one door; a backend is imported only when it is opened."""

from collections.abc import Mapping
from typing import Any

from workers.engines.door import (
    Engine,
    EngineIdentity,
    EngineLoad,
    Generated,
    GenerationRequest,
    SamplingParameters,
)
from workers.errors import EngineMisconfigured

__all__ = [
    "BACKENDS",
    "Engine",
    "EngineIdentity",
    "EngineLoad",
    "Generated",
    "GenerationRequest",
    "SamplingParameters",
    "open_engine",
]

#: What `open_engine` can open: vLLM in this process, or any OpenAI-compatible endpoint.
BACKENDS = ("vllm", "openai")


def open_engine(model: str, backend: str = "vllm", options: Mapping[str, Any] | None = None) -> Engine:
    """Load a model (a folder or hub name; for "openai" the name the endpoint knows) with the backend's options.

    Raises EngineMisconfigured for an unknown backend, and what the backend raises: ModelNotFound, EngineNotInstalled,
    EngineFailed.
    """
    if backend == "vllm":
        from workers.engines.vllm_engine import VllmEngine

        return VllmEngine(model, options)
    if backend == "openai":
        from workers.engines.openai_engine import OpenAIEngine

        return OpenAIEngine(model, options)
    raise EngineMisconfigured(f"no engine backend {backend!r}; there are {', '.join(BACKENDS)}")
