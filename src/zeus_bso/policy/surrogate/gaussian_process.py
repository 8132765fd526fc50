"""A Gaussian process over the logarithm of cost, along the logarithm of the batch size.

What the process deviates from, and how far, is not known either: there are several suppositions of both, weighed by how
well they foretell what was observed. What another job knows may be one of the hypotheses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

LEVEL_VARIANCE = 100.0
"""Nothing is known about the level."""

MOST_OBSERVATIONS = 48
"""Neighbours are taken together until there are so many at most, so that the matrices stay small."""

LEAST_VARIANCE = 1e-12

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


Mean = Callable[[Vector, float, float], tuple[Matrix, Vector]]
"""What is expected of each place before any is observed, up to a constant: suppositions x places.

And how probable each supposition is: numbers above 0 that add up to 1. It is given the places in octaves, and the least
and the largest of the job's sizes.
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


class Covariance(Protocol):
    """How far what is expected may be missed: a :class:`Kernel`, or what another job leaves open.

    Attributes:
        weight: How probable it is before anything is observed, against the others of its hypothesis.
    """

    @property
    def weight(self) -> float:
        """See above."""

    def covariances(self, left: Vector, right: Vector) -> Matrix:
        """Prior covariance of every place on the left with every one on the right."""

    def variances(self, octaves: Vector) -> Vector:
        """Prior variance at each place."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What is expected of all places, and how far that may be missed.

    Attributes:
        mean: What is expected.
        kernels: How far that may be missed; their weights add up to 1.
        weight: How probable the hypothesis is before anything is observed, against others.
    """

    mean: Mean
    kernels: tuple[Covariance, ...]
    weight: float = 1.0


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
    hypotheses: Sequence[Hypothesis], sizes: Sequence[int], default: int, observed: Mapping[int, Observation]
) -> Mapping[int, CostBelief]:
    """Belief about each size, given what is observed at some of them.

    The latest answers are kept: an ask mostly follows upon the report that changed what is observed.

    Args:
        hypotheses: What is expected, and how far that may be missed.
        sizes: Sizes to tell about.
        default: The size that octaves are counted from.
        observed: The observations by size; at least one.

    Source:
        Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithm 2.1 and equation 2.30.
    """
    return _posterior(tuple(hypotheses), tuple(sizes), default, tuple(observed.items()))


@lru_cache(maxsize=16)
def _posterior(
    hypotheses: tuple[Hypothesis, ...],
    sizes: tuple[int, ...],
    default: int,
    observations: tuple[tuple[int, Observation], ...],
) -> Mapping[int, CostBelief]:
    observed = dict(observations)
    asked = octaves_of(sizes, default)
    places = octaves_of(tuple(observed), default)
    seen, values, noise = _taken_together(places, tuple(observed.values()))
    extent = float(asked.min()), float(asked.max())
    fits = [FittedHypothesis(hypothesis, seen, values, noise, *extent) for hypothesis in hypotheses]
    beliefs = dict(zip(sizes, _mixed(fits, asked), strict=True))
    if len(seen) == len(places):
        return beliefs
    # A group says little about each of its sizes: what was observed there is added.
    return {size: _with(belief, observed[size]) if size in observed else belief for size, belief in beliefs.items()}


def fit(
    hypothesis: Hypothesis, default: int, observed: Mapping[int, Observation], least: float, most: float
) -> FittedHypothesis:
    """Fit a hypothesis to observations.

    Args:
        hypothesis: What is expected, and how far that may be missed.
        default: The size that octaves are counted from.
        observed: The observations by size; at least one.
        least: The least place that is told about [octaves].
        most: The largest.
    """
    places = octaves_of(tuple(observed), default)
    return FittedHypothesis(hypothesis, *_taken_together(places, tuple(observed.values())), least, most)


class FittedHypothesis:
    """A hypothesis that was fitted to observations: every supposition with every kernel, weighed by their evidence.

    Args:
        hypothesis: What is expected, and how far that may be missed.
        seen: Places of the observations [octaves].
        values: What was observed.
        noise: Variances of the observations.
        least: The least place that is told about [octaves].
        most: The largest.
    """

    def __init__(
        self, hypothesis: Hypothesis, seen: Vector, values: Vector, noise: Vector, least: float, most: float
    ) -> None:
        self._hypothesis, self._extent, self._seen = hypothesis, (least, most), seen
        kernels = hypothesis.kernels
        at_seen, probable = hypothesis.mean(seen, least, most)
        self._level, self._offset = values.mean(), at_seen.mean(axis=1, keepdims=True)
        missed = (values - self._level - (at_seen - self._offset)).T
        noise_matrix = np.diag(noise)
        self._factors = np.linalg.cholesky(
            np.array([kernel.covariances(seen, seen) + noise_matrix for kernel in kernels])
        )
        self._whitened = np.linalg.solve(self._factors, np.broadcast_to(missed, (len(kernels), *missed.shape)))
        before = np.log(np.array([kernel.weight for kernel in kernels]) * hypothesis.weight)
        before -= np.log(np.diagonal(self._factors, axis1=1, axis2=2)).sum(axis=1)
        self.evidence: Matrix = np.add.outer(before, np.log(probable)) - (self._whitened**2).sum(axis=1) / 2
        """Logarithm of how probable each is: kernels x suppositions, up to a constant of the observations."""

    @property
    def log_evidence(self) -> float:
        """Logarithm of how probable the hypothesis is, up to a constant of the observations."""
        return float(np.logaddexp.reduce(self.evidence, axis=None))

    def belief(self, places: Vector) -> tuple[Vector, Vector]:
        """Mean and variance of what is believed of each place, all together."""
        weights, (cross, mean, off) = self._weights, self._parts(places)
        before = np.array([kernel.variances(places) for kernel in self._hypothesis.kernels])
        weighted, pulls = self._pulls
        pulled = ((2 * weighted @ off + pulls @ cross) * cross).sum(axis=(0, 1))
        variance: Vector = weights.sum(axis=1) @ before + weights.sum(axis=0) @ off**2 + pulled
        return mean, variance

    def mean(self, places: Vector) -> Vector:
        """What is expected at the places, all together."""
        return self._parts(places)[1]

    def variances(self, places: Vector) -> Vector:
        """Variance of what is believed of each place."""
        return self.belief(places)[1]

    def covariances(self, left: Vector, right: Vector) -> Matrix:
        """Covariance of what is believed of every place on the left with that of every one on the right."""
        weights, kernels = self._weights, self._hypothesis.kernels
        (at_left, _, off_left), (at_right, _, off_right) = self._parts(left), self._parts(right)
        before = np.array([kernel.covariances(left, right) for kernel in kernels])
        between = (off_left * weights.sum(axis=0)[:, np.newaxis]).T @ off_right
        weighted, pulls = self._pulls
        pulled = at_left.transpose(0, 2, 1) @ (weighted @ off_right + pulls @ at_right)
        pulled += (weighted @ off_left).transpose(0, 2, 1) @ at_right
        covariance: Matrix = np.einsum("k,klr->lr", weights.sum(axis=1), before) + between + pulled.sum(axis=0)
        return covariance

    @property
    def _weights(self) -> Matrix:
        weights: Matrix = np.exp(self.evidence - self.log_evidence)
        return weights

    @property
    def _pulls(self) -> tuple[Array, Array]:
        """How the observations pull the suppositions of each kernel, weighed: each, and in pairs.

        The pairs make good for what observations take from the variance. With both, what is believed is worked out
        without an array of kernels x suppositions x places.
        """
        weights = self._weights
        weighted: Array = self._whitened * weights[:, np.newaxis]
        taken = np.multiply.outer(weights.sum(axis=1), np.eye(len(self._seen)))
        return weighted, weighted @ self._whitened.transpose(0, 2, 1) - taken

    def _cross(self, places: Vector) -> Array:
        known = np.array([kernel.covariances(self._seen, places) for kernel in self._hypothesis.kernels])
        cross: Array = np.linalg.solve(self._factors, known)
        return cross

    def _parts(self, places: Vector) -> tuple[Array, Vector, Matrix]:
        """What the observations tell of the places, the mean, and how far from it each supposition is without them."""
        weights, cross, expected = self._weights, self._cross(places), self._expected(places)
        pulls = np.einsum("kns,ks->kn", self._whitened, weights)[:, np.newaxis] @ cross
        mean: Vector = self._level + weights.sum(axis=0) @ expected + pulls.sum(axis=(0, 1))
        return cross, mean, expected + (self._level - mean)

    def _expected(self, places: Vector) -> Matrix:
        expected: Matrix = self._hypothesis.mean(places, *self._extent)[0] - self._offset
        return expected


def _mixed(fits: Sequence[FittedHypothesis], asked: Vector) -> list[CostBelief]:
    """The mixture of all hypotheses, each weighed by its evidence."""
    evidence = np.array([fit.log_evidence for fit in fits])
    weights = np.exp(evidence - np.logaddexp.reduce(evidence))
    means, variances = (np.array(each) for each in zip(*(fit.belief(asked) for fit in fits), strict=True))
    mean = weights @ means
    variance = weights @ (variances + (means - mean) ** 2)
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


def octaves_of(sizes: Sequence[int], default: int) -> Vector:
    """The places of sizes: their binary logarithms, counted from the default [octaves]."""
    octaves: Vector = np.log2(np.array(sizes, dtype=np.float64) / default)
    return octaves
