"""What a new job believes because of its ancestor: its beliefs are a hypothesis beside knowing nothing.

Both are weighed by how well they foretell what the new job observes, so an ancestor that misleads is soon outweighed.
The level is free: only how costs change from size to size is handed on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from zeus_bso.policy.ancestor import Ancestor, AncestorSize, Kinship
from zeus_bso.policy.surrogate import hypotheses
from zeus_bso.policy.surrogate.gaussian_process import (
    FittedHypothesis,
    Hypothesis,
    Kernel,
    Matrix,
    Observation,
    Vector,
    fit,
    octaves_of,
)
from zeus_bso.protocol.words import INT32_MAX

PACE_DOUBT = {Kinship.IDENTICAL: 0.1, Kinship.SIMILAR: 0.5}
"""How probable it is, before the job has run, that its ancestor tells it nothing of the cost of an epoch."""

EPOCHS_DOUBT = 0.5
"""The same of the epochs to its target. They vary from run to run, so what a few runs say of a size may be luck."""

OTHERWISE = Kernel(slope_std=0.15, curvature_std=0.05, wiggle_std=0.1, own_std=0.001)
"""How far a job may deviate from its ancestor, around a level that is free."""

SAME_EPOCHS = Kernel(slope_std=0.05, curvature_std=0.02, wiggle_std=0.05, own_std=0.001)
"""The same for the epochs of an identical task."""

BOUND_IN_EPOCHS = 2.0
"""A first run at the ancestor's best size is stopped after so many times the epochs that the ancestor needed there."""

LEAST_BOUND = 2
"""But not before so many epochs."""


@dataclass(frozen=True, slots=True)
class _Deviation:
    """Covariance of a job's course with an ancestor whose own is not known for certain.

    Attributes:
        source: What the ancestor believes.
        shift: Octaves from its default to the new job's.
        otherwise: How far the job may deviate from it.
        weight: See :class:`~zeus_bso.policy.surrogate.gaussian_process.Covariance`.
    """

    source: FittedHypothesis
    shift: float
    otherwise: Kernel
    weight: float = 1.0

    def mean(self, octaves: Vector, least: float, most: float) -> tuple[Matrix, Vector]:
        """What the ancestor expects of each place: one supposition."""
        return self.source.mean(octaves + self.shift)[np.newaxis], np.ones(1)

    def covariances(self, left: Vector, right: Vector) -> Matrix:
        """Prior covariance of every place on the left with every one on the right."""
        known = self.source.covariances(left + self.shift, right + self.shift)
        return known + self.otherwise.covariances(left, right)

    def variances(self, octaves: Vector) -> Vector:
        """Prior variance at each place."""
        return self.source.variances(octaves + self.shift) + self.otherwise.variances(octaves)


@dataclass(frozen=True, slots=True)
class FirstRun:
    """The size that a job runs first, since its ancestor has found it the cheapest.

    Attributes:
        batch_size: The size.
        epoch_bound: The run is stopped after so many epochs, as the tasks may differ after all; None: at the default.
    """

    batch_size: int
    epoch_bound: int | None


@lru_cache(maxsize=16)
def pace_hypotheses(ancestor: Ancestor | None, default: int, sizes: tuple[int, ...]) -> tuple[Hypothesis, ...]:
    """What a job may expect of the log cost per epoch.

    Args:
        ancestor: Its ancestor, if it has one.
        default: The size that its octaves are counted from.
        sizes: Its sizes.
    """
    if ancestor is None:
        return (hypotheses.PACE,)
    observed = _observations([(size, size.log_pace) for size in ancestor.sizes], ancestor.pace_variance)
    doubt = PACE_DOUBT[ancestor.kinship]
    return _with_ancestor(hypotheses.PACE, ancestor, default, sizes, observed, OTHERWISE, doubt)


@lru_cache(maxsize=16)
def epochs_hypotheses(ancestor: Ancestor | None, default: int, sizes: tuple[int, ...]) -> tuple[Hypothesis, ...]:
    """What a job may expect of the log epochs to its target; arguments as of :func:`pace_hypotheses`."""
    if ancestor is None:
        return (hypotheses.EPOCHS,)
    observed = _observations([(size, size.log_epochs) for size in ancestor.sizes], ancestor.noise_variance)
    otherwise = SAME_EPOCHS if ancestor.kinship is Kinship.IDENTICAL else OTHERWISE
    return _with_ancestor(hypotheses.EPOCHS, ancestor, default, sizes, observed, otherwise, EPOCHS_DOUBT)


def first_run(ancestor: Ancestor, default: int, sizes: tuple[int, ...], live: Sequence[int]) -> FirstRun | None:
    """What an identical task runs first; None: the ancestor has no advice for it.

    Args:
        ancestor: Its ancestor.
        default: The job's default size.
        sizes: Its sizes.
        live: Those that may be given.
    """
    least, most = ancestor.sizes[0].batch_size, ancestor.sizes[-1].batch_size
    within = [size for size in live if least <= size <= most]
    # Whatever lies beyond, the job is to leave its default only for a size that is believed to be cheaper.
    known = sorted({*within, default} & set(live))
    if ancestor.kinship is not Kinship.IDENTICAL or not within:
        return None
    both = pace_hypotheses(ancestor, default, sizes), epochs_hypotheses(ancestor, default, sizes)
    if any(len(every) < 2 for every in both):
        return None
    places = octaves_of(known, default)
    pace, epochs = (every[-1].mean(places, float(places.min()), float(places.max()))[0][0] for every in both)
    cheapest = int(np.argmin(pace + epochs))
    needed = BOUND_IN_EPOCHS * math.exp(min(epochs[cheapest], 50.0))
    bound = None if known[cheapest] == default or needed > INT32_MAX else max(LEAST_BOUND, math.ceil(needed))
    return FirstRun(known[cheapest], bound)


def _observations(known: Sequence[tuple[AncestorSize, float | None]], variance: float) -> dict[int, Observation]:
    """What the ancestor has observed of a quantity, by batch size."""
    return {size.batch_size: Observation(value, variance / size.runs) for size, value in known if value is not None}


def _with_ancestor(
    scratch: Hypothesis,
    ancestor: Ancestor,
    default: int,
    sizes: tuple[int, ...],
    observed: Mapping[int, Observation],
    otherwise: Kernel,
    doubt: float,
) -> tuple[Hypothesis, ...]:
    """The hypotheses of a job with an ancestor: to know nothing, and to be like it as far as ``otherwise`` leaves."""
    if not observed:
        return (scratch,)
    places = octaves_of((*sizes, *observed), ancestor.default_batch_size)
    source = fit(scratch, ancestor.default_batch_size, observed, float(places.min()), float(places.max()))
    deviation = _Deviation(source, math.log2(default / ancestor.default_batch_size), otherwise)
    return (
        Hypothesis(scratch.mean, scratch.kernels, doubt),
        Hypothesis(deviation.mean, (deviation,), 1.0 - doubt),
    )
