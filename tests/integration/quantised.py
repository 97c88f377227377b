"""Quantised checkpoints of a small model, written as the tools that quantise write them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

#: How compressed-tensors names each of them in config.json.
_GROUPS: dict[str, dict[str, Any]] = {
    "int8": {
        "format": "int-quantized",
        "weights": {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True, "dynamic": False},
        "input_activations": {"num_bits": 8, "type": "int", "strategy": "token", "symmetric": True, "dynamic": True},
    },
    "int4": {
        "format": "pack-quantized",
        "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, "symmetric": True,
                    "dynamic": False},
    },
    "fp8": {
        "format": "float-quantized",
        "weights": {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True, "dynamic": False},
        "input_activations": {"num_bits": 8, "type": "float", "strategy": "token", "symmetric": True, "dynamic": True},
    },
}  # fmt: skip


def quantise(model: Path, folder: Path, kind: str) -> Path:
    """Write a copy of a model folder whose layers' matrices are `kind`: int8, int4 (groups of 32) or fp8."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    tensors: dict[str, Any] = {}
    for name, tensor in load_file(model / "model.safetensors").items():
        matrix = name.startswith("model.layers.") and name.endswith("_proj.weight")
        tensors |= _PACKED[kind](name, tensor) if matrix else {name: tensor}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    group = dict(_GROUPS[kind])
    told = json.loads((folder / "config.json").read_text())
    told["quantization_config"] = {
        "quant_method": "compressed-tensors",
        "format": group.pop("format"),
        "quantization_status": "compressed",
        "ignore": ["lm_head"],
        "config_groups": {"group_0": {"targets": ["Linear"], **group}},
    }
    (folder / "config.json").write_text(json.dumps(told))
    return folder


def _int8(name: str, weight: Any) -> dict[str, Any]:
    import torch

    scale = weight.float().abs().amax(1, keepdim=True) / 127
    return {name: (weight.float() / scale).round().to(torch.int8), f"{name}_scale": scale}


def _int4(name: str, weight: Any) -> dict[str, Any]:
    import torch

    rows, columns = weight.shape
    grouped = weight.float().reshape(rows, columns // 32, 32)
    scale = grouped.abs().amax(2, keepdim=True) / 7
    numbers = (grouped / scale).round().clamp(-8, 7).reshape(rows, columns // 8, 8).to(torch.int64) + 8
    # Eight numbers in one of 32 bits, the first one lowest.
    packed = (numbers << (4 * torch.arange(8))).sum(2)
    packed = torch.where(packed >= 2**31, packed - 2**32, packed).to(torch.int32)
    stem = name.removesuffix("weight")
    return {
        f"{stem}weight_packed": packed,
        f"{stem}weight_scale": scale.squeeze(2).to(weight.dtype),
        f"{stem}weight_shape": torch.tensor([rows, columns]),
    }


def _fp8(name: str, weight: Any) -> dict[str, Any]:
    import torch

    scale = weight.float().abs().amax(1, keepdim=True) / 448
    return {name: (weight.float() / scale).to(torch.float8_e4m3fn), f"{name}_scale": scale}


_PACKED = {"int8": _int8, "int4": _int4, "fp8": _fp8}
