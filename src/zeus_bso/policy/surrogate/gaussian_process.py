"""A Gaussian process over the logarithm of cost, along the logarithm of the batch size.

What the process deviates from, and how far, is not known either: there are several suppositions of both, weighed by how
well they foretell what was observed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LEVEL_VARIANCE = 100.0
"""Nothing is known about the level."""

MOST_OBSERVATIONS = 48
"""Neighbours are taken together until there are so many at most, so that the matrices stay small."""

LEAST_VARIANCE = 1e-12

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


Mean = Callable[[Vector, float, float], Matrix]
"""What is expected of each place before any is observed, up to a constant: suppositions x places.

It is given the places in octaves, and the least and the largest of the job's sizes.
"""


@dataclass(frozen=True, slots=True)
class Kernel:
    """How the logarithm may deviate from its expected course, around a level that is not known.

    Attributes:
        slope_std: Spread of the slope [1/octave].
        curvature_std: Spread of the curvature [1/octave^2].
        wiggle_std: Spread of the smooth deviation, which has a length of one octave.
        own_std: Spread of what each size has for itself alone.
        weight: How probable it is before anything is observed, against the other kernels.
    """

    slope_std: float
    curvature_std: float
    wiggle_std: float
    own_std: float
    weight: float = 1.0

    def covariances(self, left: Vector, right: Vector) -> Matrix:
        """Prior covariance of every place on the left with every one on the right."""
        product = np.multiply.outer(left, right)
        apart = np.subtract.outer(left, right)
        covariance: Matrix = (
            LEVEL_VARIANCE
            + self.slope_std**2 * product
            + self.curvature_std**2 * product**2
            + self.wiggle_std**2 * np.exp(-(apart**2) / 2)
            + self.own_std**2 * (apart == 0)
        )
        return covariance

    def variances(self, octaves: Vector) -> Vector:
        """Prior variance at each place."""
        variance: Vector = (
            LEVEL_VARIANCE
            + self.slope_std**2 * octaves**2
            + self.curvature_std**2 * octaves**4
            + self.wiggle_std**2
            + self.own_std**2
        )
        return variance


@dataclass(frozen=True, slots=True)
class Observation:
    """What runs say about one batch size.

    Attributes:
        value: What is observed, a logarithm.
        variance: Variance of the observation.
    """

    value: float
    variance: float


@dataclass(frozen=True, slots=True)
class CostBelief:
    """Posterior belief about one batch size.

    Attributes:
        mean: Posterior mean, a logarithm.
        variance: Posterior variance.
    """

    mean: float
    variance: float


def posterior(
    mean: Mean, kernels: Sequence[Kernel], sizes: Sequence[int], default: int, observed: Mapping[int, Observation]
) -> Mapping[int, CostBelief]:
    """Belief about each size, given what is observed at some of them.

    The latest answers are kept: an ask mostly follows upon the report that changed what is observed.

    Args:
        mean: What is expected; its suppositions are equally probable.
        kernels: How far that may be missed.
        sizes: Sizes to tell about.
        default: The size that octaves are counted from.
        observed: The observations by size; at least one.

    Source:
        Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithm 2.1 and equation 2.30.
    """
    return _posterior(mean, tuple(kernels), tuple(sizes), default, tuple(observed.items()))


@lru_cache(maxsize=16)
def _posterior(
    mean: Mean,
    kernels: tuple[Kernel, ...],
    sizes: tuple[int, ...],
    default: int,
    observations: tuple[tuple[int, Observation], ...],
) -> Mapping[int, CostBelief]:
    observed = dict(observations)
    asked = _octaves(sizes, default)
    places = _octaves(tuple(observed), default)
    seen, values, noise = _taken_together(places, tuple(observed.values()))
    level = values.mean()
    least, most = float(asked.min()), float(asked.max())
    at_asked, at_seen = mean(asked, least, most), mean(seen, least, most)
    offset = at_seen.mean(axis=1, keepdims=True)
    missed = (values - level - (at_seen - offset)).T
    suppositions = len(missed.T)
    noise_matrix = np.diag(noise)
    factors = np.linalg.cholesky(np.array([kernel.covariances(seen, seen) + noise_matrix for kernel in kernels]))
    known = np.array([np.concatenate([missed, kernel.covariances(seen, asked)], axis=1) for kernel in kernels])
    solved = np.linalg.solve(factors, known)
    whitened, cross = solved[:, :, :suppositions], solved[:, :, suppositions:]
    means = level + at_asked - offset + whitened.transpose(0, 2, 1) @ cross
    variances = np.array([kernel.variances(asked) for kernel in kernels]) - (cross**2).sum(axis=1)
    before = np.log(np.array([kernel.weight for kernel in kernels]))
    before -= np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    logarithms = before[:, np.newaxis] - (whitened**2).sum(axis=1) / 2
    beliefs = dict(zip(sizes, _mixed(means, variances, logarithms), strict=True))
    if len(seen) == len(places):
        return beliefs
    # A group says little about each of its sizes: what was observed there is added.
    return {size: _with(belief, observed[size]) if size in observed else belief for size, belief in beliefs.items()}


def _mixed(means: Array, variances: Array, logarithms: Array) -> list[CostBelief]:
    """The mixture of all suppositions, which are weighed by the logarithm of their probability.

    Args:
        means: Of each kernel, supposition and place.
        variances: Of each kernel and place.
        logarithms: Of each kernel and supposition.
    """
    weights = np.exp(logarithms - logarithms.max())
    weights /= weights.sum()
    mean = np.einsum("ks,ksp->p", weights, means)
    variance = weights.sum(axis=1) @ variances + np.einsum("ks,ksp->p", weights, (means - mean) ** 2)
    return [CostBelief(m, max(v, LEAST_VARIANCE)) for m, v in zip(mean.tolist(), variance.tolist(), strict=True)]


def _with(belief: CostBelief, observed: Observation) -> CostBelief:
    trust = belief.variance / (belief.variance + observed.variance)
    mean = belief.mean + trust * (observed.value - belief.mean)
    return CostBelief(mean, max((1 - trust) * belief.variance, LEAST_VARIANCE))


def _taken_together(octaves: Vector, observed: Sequence[Observation]) -> tuple[Vector, Vector, Vector]:
    """Places, values and variances of the observations; where there are too many, of groups of neighbours."""
    values = np.array([each.value for each in observed])
    variances = np.array([each.variance for each in observed])
    if len(octaves) <= MOST_OBSERVATIONS:
        return octaves, values, variances
    order = np.argsort(octaves)
    groups = np.array_split(order, MOST_OBSERVATIONS)
    weights = 1 / variances
    total = np.array([weights[group].sum() for group in groups])

    def averaged(what: Vector) -> Vector:
        average: Vector = np.array([(weights[group] * what[group]).sum() for group in groups]) / total
        return average

    return averaged(octaves), averaged(values), 1 / total


def _octaves(sizes: Sequence[int], default: int) -> Vector:
    octaves: Vector = np.log2(np.array(sizes, dtype=np.float64) / default)
    return octaves
