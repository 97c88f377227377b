"""A damped Newton search for likelihoods of a few unbounded parameters.

Written out because at two or three parameters the general optimisers spend nearly all their time in threaded linear
algebra, milliseconds a step on a busy machine, and a bootstrap refits hundreds of times.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from store.analytics.statistics.arguments import FloatArray

Objective = Callable[[FloatArray], tuple[float, FloatArray]]
LIMIT = 14.0  # parameters are logarithms or logits: beyond this a distribution is a point mass for every n in use
_LONGEST_STEP = 2.0


def at_limit(x: FloatArray) -> bool:
    """Whether a found point lies at the limit of the search."""
    return bool(np.any(np.abs(x) > LIMIT - 1e-6))


def minimized(objective: Objective, start: FloatArray, iterations: int = 200) -> tuple[FloatArray, float]:
    """Local minimum of `objective` (x -> value, gradient) from `start`, within +-LIMIT: the point and its value.

    Newton steps on a curvature differenced from the gradient, damped until the value falls.
    """
    x = np.clip(np.asarray(start, dtype=np.float64), -LIMIT, LIMIT)
    value, gradient = objective(x)
    damping = 0.0
    for _ in range(iterations):
        free = ~((x >= LIMIT) & (gradient < 0) | (x <= -LIMIT) & (gradient > 0))
        if not free.any() or float(np.abs(gradient[free]).max()) < 1e-11 * (1 + abs(value)):
            break
        trial = _downhill(objective, x, value, gradient, free, damping)
        if trial is None:
            break
        moved = float(np.abs(trial[0] - x).max())
        x, value, gradient, damping = trial
        if moved < 1e-11:
            break
    return x, value


def _downhill(
    objective: Objective, x: FloatArray, value: float, gradient: FloatArray, free: NDArray[np.bool_], damping: float
) -> tuple[FloatArray, float, FloatArray, float] | None:
    """The first damped step that lowers the value, with the damping to go on with; None if none does."""
    bends, turns = np.linalg.eigh(_curvature(objective, x)[np.ix_(free, free)])
    scale = np.abs(bends) + 1e-12 * (1 + np.abs(bends).max())
    for _ in range(40):
        step = np.zeros_like(x)
        step[free] = turns @ ((turns.T @ gradient[free]) / (scale + damping))
        step *= min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        there = np.clip(x - step, -LIMIT, LIMIT)
        found, slope = objective(there)
        if np.isfinite(found) and (found < value or (found == value and np.abs(slope).max() < np.abs(gradient).max())):
            return there, found, slope, damping / 10 if damping > 1e-8 else 0.0
        damping = max(damping * 4, 1e-3 * float(scale.max()))
    return None


def _curvature(objective: Objective, x: FloatArray) -> FloatArray:
    """Symmetrised central difference of the gradient."""
    width = 1e-5
    rows = [objective(x + shift)[1] - objective(x - shift)[1] for shift in np.eye(x.size) * width]
    matrix = np.array(rows) / (2 * width)
    return np.asarray((matrix + matrix.T) / 2)
