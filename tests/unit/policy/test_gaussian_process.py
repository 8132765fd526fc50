"""A Gaussian process along the batch size: its posterior against other ways of working it out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zeus_bso.policy.gaussian_process import Kernel, Observed, posterior

SIZES = [8, 16, 32, 64, 128, 256]
KERNEL = Kernel(slope_std=0.5, curvature_std=0.15, wiggle_std=0.2)
OBSERVED = {16: Observed(4.9, 0.05), 32: Observed(4.6, 0.02), 128: Observed(5.4, 0.09)}


def kernel(x: float, y: float) -> float:
    """The covariance as the design writes it."""
    return (
        100
        + 0.5**2 * x * y
        + 0.15**2 * x**2 * y**2
        + 0.2**2 * math.exp(-((x - y) ** 2) / 2)
        + (1e-6 if x == y else 0.0)
    )


def test_the_posterior_is_that_of_the_textbook() -> None:
    """Mean k' (K + N)^-1 y and variance k - k' (K + N)^-1 k, with the inverse worked out and every entry by hand."""
    default = 64
    seen = [math.log2(size / default) for size in OBSERVED]
    y = np.array([each.value for each in OBSERVED.values()])
    noise = np.diag([each.variance for each in OBSERVED.values()])
    inverse = np.linalg.inv(np.array([[kernel(a, b) for b in seen] for a in seen]) + noise)
    beliefs = posterior(KERNEL, SIZES, default, OBSERVED)

    for size in SIZES:
        x = math.log2(size / default)
        cross = np.array([kernel(x, a) for a in seen])
        assert beliefs[size].mean == pytest.approx(y.mean() + cross @ inverse @ (y - y.mean()), rel=1e-9)
        assert beliefs[size].variance == pytest.approx(kernel(x, x) - cross @ inverse @ cross, rel=1e-6)


def test_one_observation_is_believed_and_says_the_same_of_all_sizes() -> None:
    beliefs = posterior(KERNEL, SIZES, 32, {32: Observed(5.0, 0.09)})
    level = 100 + 0.2**2 + 1e-6

    assert beliefs[32].mean == pytest.approx(5.0)
    assert beliefs[32].variance == pytest.approx(level - level**2 / (level + 0.09), rel=1e-6)
    assert [beliefs[size].mean for size in SIZES] == pytest.approx([5.0] * len(SIZES), abs=0.01)


def test_a_belief_is_the_vaguer_the_farther_it_is_from_what_was_seen() -> None:
    beliefs = posterior(KERNEL, SIZES, 8, {8: Observed(5.0, 0.01)})
    variances = [beliefs[size].variance for size in SIZES]

    assert variances == sorted(variances)


def test_precise_observations_are_met() -> None:
    observed = {size: Observed(value, 1e-9) for size, value in zip(SIZES, [5.5, 5.0, 4.7, 4.8, 5.1, 6.0], strict=True)}
    beliefs = posterior(KERNEL, SIZES, 32, observed)

    for size, each in observed.items():
        assert beliefs[size].mean == pytest.approx(each.value, abs=1e-2)


def test_what_is_added_to_all_observations_is_added_to_all_beliefs() -> None:
    shifted = {size: Observed(each.value + math.log(1e6), each.variance) for size, each in OBSERVED.items()}
    before, after = posterior(KERNEL, SIZES, 64, OBSERVED), posterior(KERNEL, SIZES, 64, shifted)

    for size in SIZES:
        assert after[size].mean - before[size].mean == pytest.approx(math.log(1e6), rel=1e-9)
        assert after[size].variance == pytest.approx(before[size].variance, rel=1e-9)
