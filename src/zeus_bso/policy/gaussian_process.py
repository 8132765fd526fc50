"""A Gaussian process over the logarithm of cost, along the logarithm of the batch size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEVEL_VARIANCE = 100.0
"""Nothing is known about the level of the cost."""

SLOPE_VARIANCE = 0.5**2
CURVATURE_VARIANCE = 0.15**2
WIGGLE_VARIANCE = 0.2**2
OWN_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Observed:
    """What runs say about one batch size.

    Attributes:
        log_cost: Logarithm of the cost [log J].
        variance: Variance of what is observed.
    """

    log_cost: float
    variance: float


@dataclass(frozen=True, slots=True)
class LogCost:
    """Belief about the logarithm of a batch size's cost.

    Attributes:
        mean: Posterior mean [log J].
        variance: Posterior variance.
    """

    mean: float
    variance: float


def posterior(sizes: Sequence[int], default: int, observed: Mapping[int, Observed]) -> dict[int, LogCost]:
    """Belief about the log cost of each size, given what is observed at some of them.

    The prior is a parabola in octaves from the default size, of unknown level, slope and curvature, with a smooth
    deviation from it; so every run teaches about its neighbours too.

    Args:
        sizes: Sizes to tell about.
        default: The size that octaves are counted from.
        observed: The observations by size; at least one.

    Source:
        Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithm 2.1.
    """
    seen = _octaves(list(observed), default)
    asked = _octaves(sizes, default)
    values = np.array([each.log_cost for each in observed.values()])
    level = values.mean()
    noise = np.diag([each.variance for each in observed.values()])
    cross = _kernel(asked, seen)
    # Not a Cholesky factor: noise keeps the matrix well conditioned, and solve is quicker to read.
    solved = np.linalg.solve(_kernel(seen, seen) + noise, np.column_stack([values - level, cross.T]))
    means = level + cross @ solved[:, 0]
    prior = LEVEL_VARIANCE + SLOPE_VARIANCE * asked**2 + CURVATURE_VARIANCE * asked**4 + WIGGLE_VARIANCE + OWN_VARIANCE
    variances = prior - np.einsum("ij,ji->i", cross, solved[:, 1:])
    return {
        size: LogCost(float(mean), max(float(variance), 1e-12))
        for size, mean, variance in zip(sizes, means, variances, strict=True)
    }


def _octaves(sizes: Sequence[int], default: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.log2(np.array(sizes, dtype=np.float64) / default)


def _kernel(
    left: np.ndarray[tuple[int], np.dtype[np.float64]], right: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    product = np.multiply.outer(left, right)
    apart = np.subtract.outer(left, right)
    return np.asarray(
        LEVEL_VARIANCE
        + SLOPE_VARIANCE * product
        + CURVATURE_VARIANCE * product**2
        + WIGGLE_VARIANCE * np.exp(-(apart**2) / 2)
        + OWN_VARIANCE * (apart == 0)
    )
