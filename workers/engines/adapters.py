"""LoRA adapters beside a model: where they lie, how large they are, which they are."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.engines.model_files import file_digest
from workers.errors import EngineMisconfigured, ModelNotFound

_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin", "adapter_model.pt")


@dataclass(frozen=True)
class Adapter:
    """An adapter of a model; `number` tells the adapters of one engine apart, from 1."""

    name: str
    folder: Path
    number: int
    rank: int
    revision: str


def find_adapters(given: Mapping[str, str]) -> dict[str, Adapter]:
    """The adapters of the option `adapters`: {name: folder with adapter_config.json and weights}.

    Raises ModelNotFound for a folder without them.
    """
    if not isinstance(given, Mapping):
        raise EngineMisconfigured(f'option adapters must be like {{"name": "folder"}}, not {given!r}')
    return {name: _adapter(name, Path(folder), i) for i, (name, folder) in enumerate(sorted(given.items()), 1)}


def _adapter(name: str, folder: Path, number: int) -> Adapter:
    configuration = folder / "adapter_config.json"
    weights = [folder / file for file in _WEIGHTS if (folder / file).is_file()]
    if not configuration.is_file() or not weights:
        raise ModelNotFound(
            f"adapter {name!r}: {folder} must hold adapter_config.json and {_WEIGHTS[0]}, as PEFT writes them"
        )
    try:
        rank = int(json.loads(configuration.read_text(encoding="utf-8"))["r"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelNotFound(f"adapter {name!r}: {configuration} has no rank r ({error})") from error
    lines = "".join(f"{file_digest(path)}  {path.name}\n" for path in (configuration, weights[0]))
    return Adapter(name, folder, number, rank, "sha256:" + hashlib.sha256(lines.encode()).hexdigest())


#: Ranks that vLLM has kernels for.
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


def engine_options(adapters: Mapping[str, Adapter]) -> dict[str, Any]:
    """vLLM's options for serving these adapters; none where there are none."""
    if not adapters:
        return {}
    largest = max(one.rank for one in adapters.values())
    rank = next((rank for rank in _RANKS if rank >= largest), largest)
    return {"enable_lora": True, "max_lora_rank": rank, "max_loras": min(len(adapters), 4)}


def pick(adapters: Mapping[str, Adapter], name: str) -> Adapter:
    """The adapter called `name`; raises EngineMisconfigured where the engine was opened without it."""
    if name not in adapters:
        known = ", ".join(adapters) or "none"
        raise EngineMisconfigured(f"the engine has no adapter {name!r}; it was opened with {known}: start it again")
    return adapters[name]
