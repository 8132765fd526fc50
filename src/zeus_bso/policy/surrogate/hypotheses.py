"""What a job that knows nothing expects of the cost of an epoch, and of how many it takes, from size to size."""

from __future__ import annotations

import math

import numpy as np

from zeus_bso.policy.surrogate.gaussian_process import Hypothesis, Kernel, Matrix, Vector

PACE_KERNELS = tuple(
    Kernel(slope_std=0.15, curvature_std=0.05, wiggle_std=0.1, own_std=own_std, weight=weight)
    for own_std, weight in ((0.001, 0.6), (0.03, 0.3), (0.25, 0.1))
)
EPOCHS_KERNELS = tuple(
    Kernel(slope_std=0.3, curvature_std=curvature_std, wiggle_std=wiggle_std, own_std=own_std, weight=smooth * alike)
    for curvature_std, wiggle_std, smooth in ((0.03, 0.08, 0.7), (0.1, 0.2, 0.3))
    for own_std, alike in ((0.001, 0.5), (0.1, 0.3), (0.2, 0.2))
)
"""Cost and number of epochs are smooth in the batch size mostly; where they are not, as with sizes that do not suit the
hardware, another kernel foretells them better, and takes over. There is one between the extremes, since otherwise sizes
that differ by a few per cent would make whatever was not tried look as if it could cost anything."""

TOO_SMALL = 0.25
"""How probable it is, before anything is observed, that small batches need more epochs too."""

BEYOND_OCTAVES = 2
"""The size at which a curve bends may lie so far beyond the job's sizes."""


def _critical(octaves: Vector, least: float, most: float) -> tuple[Matrix, Vector]:
    """Epochs as E (1 + b / c), whatever c is: beyond the critical size c a larger batch brings no faster progress.

    Source:
        McCandlish, Kaplan and Amodei, An Empirical Model of Large-Batch Training (2018), section 2.
    """
    bends = _octaves(math.floor(least) - BEYOND_OCTAVES, math.ceil(most) + BEYOND_OCTAVES + 1)
    return _rise(octaves, bends), np.full(len(bends), 1 / len(bends))


def _between(octaves: Vector, least: float, most: float) -> tuple[Matrix, Vector]:
    """Epochs as E (1 + b / c), or as E (1 + b / c) (1 + s / b), whatever c and s are.

    Below the size s the gradients of a batch are so noisy that the learning rate is too high for them.
    """
    large, probable = _critical(octaves, least, most)
    small = _rise(-octaves, -_octaves(math.floor(least), math.ceil(most)))
    if not len(small):
        return large, probable
    both = (large[:, np.newaxis] + small).reshape(-1, len(octaves))
    weights = (1 - TOO_SMALL) * probable, TOO_SMALL * np.repeat(probable, len(small)) / len(small)
    return np.concatenate([large, both]), np.concatenate(weights)


def _saturating(octaves: Vector, least: float, most: float) -> tuple[Matrix, Vector]:
    """Cost of an epoch as c (1 + s / b), whatever s is: above the size s the device is fully used."""
    return _critical(-octaves, -most, -least)


def _octaves(least: int, beyond: int) -> Vector:
    octaves: Vector = np.arange(least, beyond, dtype=np.float64)
    return octaves


def _rise(octaves: Vector, bends: Vector) -> Matrix:
    rise: Matrix = np.logaddexp(0.0, math.log(2.0) * np.subtract.outer(octaves, bends)).T
    return rise


PACE = Hypothesis(_saturating, PACE_KERNELS)
"""Cost of an epoch."""

EPOCHS = Hypothesis(_between, EPOCHS_KERNELS)
"""Epochs to the target."""
