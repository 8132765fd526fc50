"""A Gaussian process along the batch size: its posterior against other ways of working it out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from zeus_bso.policy.surrogate.gaussian_process import (
    MOST_OBSERVATIONS,
    CostBelief,
    Hypothesis,
    Kernel,
    Matrix,
    Observation,
    Vector,
    posterior,
)

SIZES = [8, 16, 32, 64, 128, 256]
KERNEL = Kernel(slope_std=0.5, curvature_std=0.15, wiggle_std=0.2, own_std=1e-3)
OBSERVED = {16: Observation(4.9, 0.05), 32: Observation(4.6, 0.02), 128: Observation(5.4, 0.09)}


def level(octaves: Vector, least: float, most: float) -> tuple[Matrix, Vector]:
    """Nothing is expected but a level."""
    return np.zeros((1, len(octaves))), np.ones(1)


def believed(observed: Mapping[int, Observation], default: int = 64, *kernels: Kernel) -> Mapping[int, CostBelief]:
    """The posterior around a level."""
    return posterior([Hypothesis(level, tuple(kernels or (KERNEL,)))], SIZES, default, observed)


def kernel(x: float, y: float) -> float:
    """The covariance, entry by entry, as its formula has it."""
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
    beliefs = believed(OBSERVED, default)

    for size in SIZES:
        x = math.log2(size / default)
        cross = np.array([kernel(x, a) for a in seen])
        assert beliefs[size].mean == pytest.approx(y.mean() + cross @ inverse @ (y - y.mean()), rel=1e-9)
        assert beliefs[size].variance == pytest.approx(kernel(x, x) - cross @ inverse @ cross, rel=1e-6)


def test_one_observation_is_believed_and_says_the_same_of_all_sizes() -> None:
    beliefs = believed({32: Observation(5.0, 0.09)}, 32)
    prior = 100 + 0.2**2 + 1e-6

    assert beliefs[32].mean == pytest.approx(5.0)
    assert beliefs[32].variance == pytest.approx(prior - prior**2 / (prior + 0.09), rel=1e-6)
    assert [beliefs[size].mean for size in SIZES] == pytest.approx([5.0] * len(SIZES), abs=0.01)


def test_a_belief_is_the_vaguer_the_farther_it_is_from_what_was_seen() -> None:
    beliefs = believed({8: Observation(5.0, 0.01)}, 8)
    variances = [beliefs[size].variance for size in SIZES]

    assert variances == sorted(variances)


def test_precise_observations_are_met() -> None:
    observed = {
        size: Observation(value, 1e-9) for size, value in zip(SIZES, [5.5, 5.0, 4.7, 4.8, 5.1, 6.0], strict=True)
    }
    beliefs = believed(observed, 32)

    for size, each in observed.items():
        assert beliefs[size].mean == pytest.approx(each.value, abs=1e-2)


def test_what_is_added_to_all_observations_is_added_to_all_beliefs() -> None:
    shifted = {size: Observation(each.value + math.log(1e6), each.variance) for size, each in OBSERVED.items()}
    before, after = believed(OBSERVED), believed(shifted)

    for size in SIZES:
        assert after[size].mean - before[size].mean == pytest.approx(math.log(1e6), rel=1e-9)
        assert after[size].variance == pytest.approx(before[size].variance, rel=1e-9)


def test_the_supposition_that_foretells_the_observations_takes_over() -> None:
    """A cliff between 32 and 64: a smooth process carries it on to what lies beyond, one of single sizes does not."""
    smooth = Kernel(slope_std=0.3, curvature_std=0.1, wiggle_std=0.1, own_std=1e-3)
    single = Kernel(slope_std=0.3, curvature_std=0.1, wiggle_std=0.1, own_std=0.5, weight=0.1)
    cliff = {
        8: Observation(5.5, 1e-3),
        16: Observation(5.5, 1e-3),
        32: Observation(5.5, 1e-3),
        64: Observation(5.0, 1e-3),
    }
    alone, mixed = believed(cliff, 8, smooth), believed(cliff, 8, smooth, single)

    assert mixed[64].mean == pytest.approx(5.0, abs=0.02)
    assert mixed[128].variance > 2 * alone[128].variance


def bends(octaves: Vector, least: float, most: float) -> tuple[Matrix, Vector]:
    """A rise from the default on, or from two octaves above it on, which is less probable."""
    return np.array([np.maximum(0.0, octaves), np.maximum(0.0, octaves - 2.0)]), np.array([0.75, 0.25])


def test_before_runs_tell_them_apart_a_supposition_counts_as_it_is_probable() -> None:
    beliefs = posterior([Hypothesis(bends, (KERNEL,))], SIZES, 8, {8: Observation(5.0, 1e-6)})

    assert beliefs[32].mean == pytest.approx(5.0 + 0.75 * 2, abs=1e-3)


def test_of_means_that_are_supposed_the_likelier_one_counts_more() -> None:
    stiff = Kernel(slope_std=0.01, curvature_std=0.01, wiggle_std=0.01, own_std=1e-3)
    observed = {
        8: Observation(5.0, 0.01),
        16: Observation(5.0, 0.01),
        32: Observation(5.0, 0.01),
        64: Observation(6.0, 0.01),
    }
    beliefs = posterior([Hypothesis(bends, (stiff,))], SIZES, 8, observed)

    assert beliefs[128].mean == pytest.approx(7.0, abs=0.1)


def test_many_observations_are_taken_together_and_each_is_still_believed() -> None:
    sizes = list(range(100, 1100))
    observed = {size: Observation(5.0 + (0.4 if size % 32 else 0.0), 1e-3) for size in sizes}
    beliefs = posterior([Hypothesis(level, (KERNEL,))], sizes, 100, observed)

    assert len(observed) > MOST_OBSERVATIONS
    assert beliefs[512].mean < beliefs[511].mean
    assert all(math.isfinite(belief.mean) and belief.variance > 0 for belief in beliefs.values())
