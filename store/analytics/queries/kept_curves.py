"""Selection curves kept beside the mirror: of a large run they take from half a second to seconds.

A value depends on one problem's votes and k alone, so it is kept under a digest of the votes and of the code that
computes it: a refresh that leaves a problem as it was leaves its curve, and nothing ever has to be declared stale.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_Values = dict[str, dict[str, float]]
_MODULES = (
    "best_of",
    "binomial",
    "majority",
    "plurality",
    "plurality_curves",
    "plurality_factors",
    "plurality_rivals",
    "plurality_transform",
    "ranked_run",
    "weighted_vote",
)


@cache
def _code() -> bytes:
    """A digest of the code behind the values."""
    sources = "".join(inspect.getsource(import_module(f"store.analytics.statistics.{name}")) for name in _MODULES)
    return hashlib.sha256(sources.encode()).digest()


def digest(*parts: NDArray[np.int64] | int) -> str:
    """A key for one problem's votes."""
    mark = hashlib.sha256(_code())
    for part in parts:
        mark.update(np.asarray(part, dtype=np.int64).tobytes() + b"|")
    return mark.hexdigest()[:24]


def kept_curves(
    file: Path, keys: Sequence[str], ks: Sequence[int], compute: Callable[[list[int], list[int]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The matrix [P, K] of values; `compute(problems, ks)` [P', K'] is asked only for those not kept in `file` yet.

    A mirror that may not be written is read as well as may be.
    """
    known = _read(file)
    kept: _Values = {key: dict(known.get(key, {})) for key in keys}
    lacking: dict[tuple[int, ...], list[int]] = {}
    for place, key in enumerate(keys):
        missing = tuple(k for k in ks if str(k) not in kept[key])
        if missing:
            lacking.setdefault(missing, []).append(place)
    for missing, places in lacking.items():
        for place, values in zip(places, compute(places, list(missing)).tolist(), strict=True):
            kept[keys[place]] |= zip(map(str, missing), values, strict=True)
    if lacking:
        _write(file, kept)
    return np.array([[kept[key][str(k)] for k in ks] for key in keys]).reshape(len(keys), len(ks))


def _read(file: Path) -> _Values:
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {
                key: {k: math.nan if value is None else value for k, value in values.items()}
                for key, values in found.items()
            }
    return {}


def _write(file: Path, kept: _Values) -> None:
    spelled = {
        key: {k: None if math.isnan(value) else value for k, value in values.items()} for key, values in kept.items()
    }
    made = file.with_name(f"{file.name}.{os.getpid()}-{secrets.token_hex(4)}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(json.dumps(spelled), encoding="utf-8")
        made.replace(file)
    with suppress(OSError):
        made.unlink(missing_ok=True)
