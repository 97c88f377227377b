"""vLLM's own OpenAI-compatible server, as `vllm serve` starts it, for as long as a test needs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.engines.vllm_settings import cpu_options, prepare_environment

KEY = "the-key"


@contextmanager
def vllm_serve(model: Path, name: str, *words: str) -> Iterator[str]:
    """Serve a model under a name, with further words of the command line; its address. It wants KEY."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    prepare_environment(cpu=True)
    # With the numbers that the engine here takes by itself, so that both draw the same samples.
    dtype = str(cpu_options(str(model)).get("dtype", "auto"))
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", name, "--host", "127.0.0.1", "--port", str(port), "--enforce-eager"]
    command += ["--block-size", "32", "--kv-cache-memory-bytes", str(256 << 20), "--no-enable-chunked-prefill"]
    command += ["--max-num-batched-tokens", "4096", "--dtype", dtype, "--api-key", KEY, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        deadline = time.monotonic() + 800
        while not _answers(f"http://127.0.0.1:{port}/health"):
            assert process.poll() is None, b"".join(said).decode()
            assert time.monotonic() < deadline, b"".join(said).decode()
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        reader.join(5)
        if process.stdout:
            process.stdout.close()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
