"""What every statistic asks of its arguments, and the scalar and array forms that statistics of (n, c, k) share."""

import functools
import math
from collections.abc import Callable
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.errors import InvalidStatisticArgument as InvalidStatisticArgument
from store.errors import PassatkError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class NoUnbiasedEstimator(PassatkError):
    """Under this sampling design the statistic asked for has no unbiased estimator."""


def require(condition: bool, message: str) -> None:
    """Raise InvalidStatisticArgument with `message` unless `condition` holds."""
    if not condition:
        raise InvalidStatisticArgument(message)


def whole_numbers(name: str, value: ArrayLike) -> IntArray:
    """`value` as an int64 array; counts given as 3.0 are taken, 3.5 or NaN are refused."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unequal length
        raise InvalidStatisticArgument(f"{name} must be a table of whole numbers, got {value!r:.80}") from None
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iuf" or (
        array.dtype.kind == "f" and not bool(np.all(np.isfinite(array) & (array == np.floor(array))))
    ):
        raise InvalidStatisticArgument(f"{name} must be whole numbers, got {value!r:.80}")
    return array.astype(np.int64)


def require_counts(n: ArrayLike, c: ArrayLike) -> tuple[IntArray, IntArray]:
    """n and c as int64 arrays, with 0 <= c <= n everywhere."""
    samples, correct = whole_numbers("n", n), whole_numbers("c", c)
    require(not bool(np.any(correct < 0)), "c (correct samples) must not be negative")
    require(not bool(np.any(correct > samples)), "c (correct samples) must not exceed n (judged samples)")
    return samples, correct


def require_budgets(k: ArrayLike) -> IntArray:
    """k as an int64 array without negative entries."""
    budgets = whole_numbers("k", k)
    require(not bool(np.any(budgets < 0)), "k (samples a problem) must not be negative")
    return budgets


def require_budget(k: int) -> int:
    """A single budget k >= 0."""
    return int(require_budgets(k))


def require_share(name: str, value: float, low: float = 0.0, high: float = 1.0) -> float:
    """`value` within [low, high], NaN refused."""
    require(low <= value <= high, f"{name} must lie between {low:g} and {high:g}, got {value!r}")
    return float(value)


def require_level(level: float) -> float:
    """A confidence level strictly between 0 and 1."""
    require(0.0 < level < 1.0, f"level must lie strictly between 0 and 1, got {level!r}")
    return float(level)


def optional(value: float) -> float | None:
    """A float, or None where it is NaN: a missing statistic is never a number."""
    return None if math.isnan(value) else float(value)


class CountStatistic(Protocol):
    """A statistic of n judged samples, c of them correct, at budget k: scalars give float | None, arrays broadcast."""

    @overload
    def __call__(self, n: int, c: int, k: int) -> float | None: ...
    @overload
    def __call__(self, n: NDArray[Any], c: NDArray[Any] | int, k: NDArray[Any] | int) -> FloatArray: ...
    @overload
    def __call__(self, n: int, c: NDArray[Any], k: NDArray[Any] | int) -> FloatArray: ...
    @overload
    def __call__(self, n: int, c: int, k: NDArray[Any]) -> FloatArray: ...


def count_statistic(kernel: Callable[[IntArray, IntArray, IntArray], FloatArray]) -> CountStatistic:
    """Give a kernel over flat int64 arrays [M] the scalar form (None where NaN) and the broadcasting array form."""

    @functools.wraps(kernel)
    def statistic(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> float | FloatArray | None:
        samples, correct = require_counts(n, c)
        budgets = require_budgets(k)
        shape = np.broadcast_shapes(samples.shape, correct.shape, budgets.shape)
        flat = [np.broadcast_to(part, shape).reshape(-1) for part in (samples, correct, budgets)]
        values = kernel(*flat)
        return optional(float(values[0])) if shape == () else values.reshape(shape)

    return statistic  # type: ignore[return-value]
