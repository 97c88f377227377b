"""`passatk worker generate` with a stand-in for vLLM, for tests that start dozens of workers.

Everything but the engine is the product's own. A completion is a function of prompt and seed, as vLLM's is; drawing
takes as long as STANDIN_SECONDS says. The chaos test has rounds with vLLM itself, too.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from workers import generation
from workers.engines import EngineIdentity, EngineLoad, Generated, GenerationRequest

_SECONDS = float(os.environ.get("STANDIN_SECONDS", "0.2"))


class StandinEngine:
    """Speaks the engine's door without a model."""

    identity = EngineIdentity("standin", "1", "none", "none", "cpu", 4096)

    def __init__(self) -> None:
        self._running = 0

    def check(self, request: GenerationRequest) -> None:
        """Every prompt fits."""

    def prompt_text(self, request: GenerationRequest) -> str:
        return request.prompt

    def submit(self, request: GenerationRequest) -> Future[list[Generated]]:
        future: Future[list[Generated]] = Future()
        self._running += len(request.seeds)
        threading.Timer(_SECONDS, self._finish, (request, future)).start()
        return future

    def _finish(self, request: GenerationRequest, future: Future[list[Generated]]) -> None:
        self._running -= len(request.seeds)
        future.set_result([_drawn(request.prompt, seed) for seed in request.seeds])

    def alive(self) -> bool:
        return True

    def load(self) -> EngineLoad:
        return EngineLoad(self._running, 0)

    def close(self) -> None:
        """Nothing to free."""


def _drawn(prompt: str, seed: int) -> Generated:
    digest = hashlib.sha256(f"{prompt}|{seed}".encode()).hexdigest()
    text = f"{digest}\n#### {int(digest[:4], 16) % 50}"
    return Generated(text, len(prompt), None, 10, "stop", None, -1.0, seed, 0.0, 0.0, _SECONDS, _SECONDS)


def _open(location: str, backend: str = "vllm", options: Mapping[str, Any] | None = None) -> StandinEngine:
    return StandinEngine()


if __name__ == "__main__":
    from store.command import passatk

    generation.open_engine = _open  # type: ignore[assignment]
    passatk()
