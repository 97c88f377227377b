"""Models that score instead of write, through vLLM's pooling runner. Beside vllm_engine the one door to vllm."""

from __future__ import annotations

import copy
import dataclasses
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workers.engines import model_files
from workers.engines.process import ENGINES
from workers.engines.vllm_settings import (
    SMALLEST_CPU_STEP,
    cpu_options,
    gpu_defaults,
    installed_for_cpu,
    prepare_environment,
    reason,
    refuse_unknown,
)
from workers.errors import EngineFailed, ModelNotFound

#: What a pooling model is asked for: one score a text, a score for each of its tokens, or a vector.
TASKS = ("classify", "token_classify", "embed")


class PoolingEngine:
    """A model loaded for one of TASKS. One caller at a time; texts of one call are batched by vLLM."""

    def __init__(self, model: str, task: str, options: Mapping[str, Any] | None = None) -> None:
        """Load a model folder or hub name; `options` are vLLM's engine arguments.

        Raises ModelNotFound, EngineNotInstalled, EngineMisconfigured, or EngineFailed when loading breaks.
        """
        located = model_files.locate(model)
        cpu = installed_for_cpu()
        prepare_environment(cpu)
        if not Path(located).is_dir():
            model_files.ask_hub(located)
        self._task = task
        self._lock = threading.Lock()
        with ENGINES.opening(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # vLLM's imports warn a dozen times, about nothing a user could mend
            self._model = _load(located, task, cpu, dict(options or {}))
            self.tokenizer = copy.deepcopy(self._model.get_tokenizer())
        self.max_model_len = int(self._model.model_config.max_model_len)

    def ask(self, texts: Sequence[Sequence[int]]) -> list[list[list[float]]]:
        """For each text (token ids): rows of numbers, one a token for `token_classify`, else a single row.

        Classification gives probabilities, as the model's configuration asks. Raises EngineFailed.
        """
        if not texts:
            return []
        with self._lock:
            try:
                outputs = self._model.encode(
                    [{"prompt_token_ids": list(tokens)} for tokens in texts], pooling_task=self._task, use_tqdm=False
                )
            except Exception as error:
                raise EngineFailed(f"vLLM broke while scoring: {reason(error)}") from error
        rows = [output.outputs.data.float() for output in outputs]
        return [(row if row.dim() == 2 else row.reshape(1, -1)).tolist() for row in rows]

    def close(self) -> None:
        """Free the model, once no other engine of this process is open."""
        if self._model is not None:
            ENGINES.closed(self._model.llm_engine.engine_core.shutdown)
        self._model = None


def _load(model: str, task: str, cpu: bool, options: dict[str, Any]) -> Any:
    from vllm import LLM
    from vllm.config import PoolerConfig
    from vllm.engine.arg_utils import EngineArgs
    from vllm.exceptions import VLLMClientError

    refuse_unknown(options, [argument.name for argument in dataclasses.fields(EngineArgs)])
    if Path(model).is_dir() and not model_files.weight_files(Path(model)):
        raise ModelNotFound(f"model {model!r} has no weights; *.safetensors (or *.bin, *.pt, *.gguf) must lie there")
    defaults = cpu_options(model) if cpu else gpu_defaults()
    arguments = {**defaults, **({"max_num_batched_tokens": SMALLEST_CPU_STEP} if cpu else {}), **options}
    try:
        return LLM(model=model, runner="pooling", pooler_config=PoolerConfig(task=task), **arguments)
    except (OSError, ValueError, VLLMClientError) as error:
        raise ModelNotFound(f"vLLM cannot load {model!r} for {task}: {reason(error)}") from error
    except Exception as error:
        raise EngineFailed(f"vLLM broke while loading {model!r}: {reason(error)}") from error
