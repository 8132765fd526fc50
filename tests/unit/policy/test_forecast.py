from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from zeus_bso.common import Stage, TrialType
from zeus_bso.policy.forecast import foresee
from zeus_bso.policy.values import GaussianTsArmState, Knobs, Place, PlaceState, Progress, Sizes, SizeState
from zeus_bso.policy.zeus import choose

KNOBS = Knobs(batch_sizes=(8, 16, 32), default_batch_size=16)
PRUNING = Progress.begin(KNOBS.batch_sizes, KNOBS.default_batch_size)
MAB = replace(PRUNING, stage=Stage.MAB, round=2, min_cost=90.0)


def arm(size: int, rewards: Iterable[float]) -> SizeState:
    seen = GaussianTsArmState()
    for reward in rewards:
        seen = seen.observe(reward)
    return SizeState(size, arm=seen, is_arm=True, converged=seen.num_observations, best_cost=90.0)


def arms(**rewards: list[float]) -> Sizes:
    return {size: arm(size, given) for size, given in zip(KNOBS.batch_sizes, rewards.values(), strict=True)}


def test_in_pruning_the_next_size_is_certain() -> None:
    sizes = {size: SizeState(size) for size in KNOBS.batch_sizes}
    forecast = foresee(KNOBS, PRUNING, sizes, [Place(16, PlaceState.CONVERGED, 100.0)])

    assert forecast.certain
    assert dict(forecast.chances) == {8: 1.0}
    assert forecast.choice.trial_type is TrialType.EXPLORATION


def test_while_arms_lack_observations_each_of_them_is_as_likely() -> None:
    forecast = foresee(KNOBS, MAB, arms(a=[-100.0], b=[-100.0, -90.0], c=[]), [])

    assert dict(forecast.chances) == {8: 0.5, 32: 0.5}
    assert forecast.unproven == (8, 32)


def test_chances_are_those_of_the_bandit_itself() -> None:
    sizes = arms(a=[-100.0, -120.0], b=[-105.0, -110.0], c=[-150.0, -180.0])
    chances = foresee(KNOBS, MAB, sizes, []).chances
    rng = np.random.default_rng(1)
    taken = [choose(KNOBS, MAB, sizes, [], rng=rng).batch_size for _ in range(3000)]

    assert list(chances.values()) == sorted(chances.values(), reverse=True)
    assert sum(chances.values()) == pytest.approx(1.0)
    for size in KNOBS.batch_sizes:
        assert chances.get(size, 0.0) == pytest.approx(taken.count(size) / 3000, abs=0.04)


def test_the_same_state_is_foreseen_alike_every_time() -> None:
    sizes = arms(a=[-100.0, -120.0], b=[-105.0, -110.0], c=[-150.0, -180.0])

    assert foresee(KNOBS, MAB, sizes, []).chances == foresee(KNOBS, MAB, sizes, []).chances


def test_a_suspected_drift_runs_the_best_arm_for_certain() -> None:
    sizes = arms(a=[-100.0, -120.0], b=[-80.0, -85.0], c=[-150.0, -180.0])
    forecast = foresee(KNOBS, replace(MAB, cost_bound_in_row=2), sizes, [])

    assert dict(forecast.chances) == {16: 1.0}
    assert forecast.choice.uncapped
