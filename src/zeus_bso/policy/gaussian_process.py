"""A Gaussian process over the logarithm of cost, along the logarithm of the batch size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEVEL_VARIANCE = 100.0
"""Nothing is known about the level."""

OWN_VARIANCE = 1e-6
"""What a size has for itself alone; also keeps the matrix regular."""

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A prior: a parabola in octaves of the batch size, of unknown level, with a smooth deviation from it.

    Attributes:
        slope_std: Spread of the slope [1/octave].
        curvature_std: Spread of the curvature [1/octave^2].
        wiggle_std: Spread of the deviation, which has a length of one octave.
    """

    slope_std: float
    curvature_std: float
    wiggle_std: float

    def variances(self, octaves: Vector) -> Vector:
        """Prior variance at each place."""
        return (
            LEVEL_VARIANCE
            + self.slope_std**2 * octaves**2
            + self.curvature_std**2 * octaves**4
            + self.wiggle_std**2
            + OWN_VARIANCE
        )

    def covariances(self, left: Vector, right: Vector) -> Matrix:
        """Prior covariance of every place on the left with every one on the right."""
        product = np.multiply.outer(left, right)
        apart = np.subtract.outer(left, right)
        return np.asarray(
            LEVEL_VARIANCE
            + self.slope_std**2 * product
            + self.curvature_std**2 * product**2
            + self.wiggle_std**2 * np.exp(-(apart**2) / 2)
            + OWN_VARIANCE * (apart == 0)
        )


@dataclass(frozen=True, slots=True)
class Observed:
    """What runs say about one batch size.

    Attributes:
        value: What is observed, a logarithm.
        variance: Variance of the observation.
    """

    value: float
    variance: float


@dataclass(frozen=True, slots=True)
class Belief:
    """Posterior belief about one batch size.

    Attributes:
        mean: Posterior mean, a logarithm.
        variance: Posterior variance.
    """

    mean: float
    variance: float


def posterior(
    kernel: Kernel, sizes: Sequence[int], default: int, observed: Mapping[int, Observed]
) -> dict[int, Belief]:
    """Belief about each size, given what is observed at some of them.

    Args:
        kernel: The prior.
        sizes: Sizes to tell about.
        default: The size that octaves are counted from.
        observed: The observations by size; at least one.

    Source:
        Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithm 2.1.
    """
    seen = _octaves(list(observed), default)
    asked = _octaves(sizes, default)
    values = np.array([each.value for each in observed.values()])
    level = values.mean()
    noise = np.diag([each.variance for each in observed.values()])
    cross = kernel.covariances(asked, seen)
    # Not a Cholesky factor: noise keeps the matrix well conditioned, and solve is quicker to read.
    solved = np.linalg.solve(kernel.covariances(seen, seen) + noise, np.column_stack([values - level, cross.T]))
    means = level + cross @ solved[:, 0]
    variances = kernel.variances(asked) - np.einsum("ij,ji->i", cross, solved[:, 1:])
    return {
        size: Belief(float(mean), max(float(variance), 1e-12))
        for size, mean, variance in zip(sizes, means, variances, strict=True)
    }


def _octaves(sizes: Sequence[int], default: int) -> Vector:
    return np.log2(np.array(sizes, dtype=np.float64) / default)
