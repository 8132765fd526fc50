"""What a job that knows nothing expects of the cost of an epoch, and of how many it takes, from size to size."""

from __future__ import annotations

import math

import numpy as np

from zeus_bso.policy.surrogate.gaussian_process import Hypothesis, Kernel, Matrix, Vector

PACE_KERNELS = tuple(
    Kernel(slope_std=0.15, curvature_std=0.05, wiggle_std=0.1, own_std=own_std, weight=weight)
    for own_std, weight in ((0.001, 0.6), (0.03, 0.3), (0.25, 0.1))
)
EPOCHS_KERNELS = (Kernel(slope_std=0.3, curvature_std=0.1, wiggle_std=0.2, own_std=0.001),)
"""The cost of an epoch is smooth in the batch size mostly; where it is not, as with sizes that do not suit the
hardware, another kernel foretells it better, and takes over. There is one between the extremes, since otherwise sizes
that differ by a few per cent would make whatever was not tried look as if it could cost anything."""

BEYOND_OCTAVES = 2
"""The size at which a curve bends may lie so far beyond the job's sizes."""


def _critical(octaves: Vector, least: float, most: float) -> Matrix:
    """Epochs as E (1 + b / c), whatever c is: beyond the critical size c a larger batch brings no faster progress.

    Source:
        McCandlish, Kaplan and Amodei, An Empirical Model of Large-Batch Training (2018), section 2.
    """
    bends = np.arange(math.floor(least) - BEYOND_OCTAVES, math.ceil(most) + BEYOND_OCTAVES + 1)
    rise: Matrix = np.logaddexp(0.0, math.log(2.0) * np.subtract.outer(octaves, bends)).T
    return rise


def _saturating(octaves: Vector, least: float, most: float) -> Matrix:
    """Cost of an epoch as c (1 + s / b), whatever s is: above the size s the device is fully used."""
    return _critical(-octaves, -most, -least)


PACE = Hypothesis(_saturating, PACE_KERNELS)
"""Cost of an epoch."""

EPOCHS = Hypothesis(_critical, EPOCHS_KERNELS)
"""Epochs to the target."""
