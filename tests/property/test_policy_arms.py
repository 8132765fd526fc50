"""Storage per arm is O(1): what is updated in place equals what a history would give."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_bso.policy.state import GaussianTsArmState

rewards = st.lists(st.floats(-1e24, 0.0), min_size=1, max_size=50)


@given(rewards)
def test_an_arm_updated_in_place_equals_a_recomputation_from_all_rewards(seen: list[float]) -> None:
    arm = GaussianTsArmState()
    for reward in seen:
        arm = arm.observe(reward)
    exact = [Fraction(reward) for reward in seen]
    mean = sum(exact, Fraction(0)) / len(exact)
    variance = sum(((reward - mean) ** 2 for reward in exact), Fraction(0)) / len(exact)
    # Rewards are rounded numbers: of their squares no more can be known than this.
    rounding = 1e-15 * len(seen) * float(max(abs(reward) for reward in exact)) * float(max(exact) - min(exact))

    assert arm.num_observations == len(seen)
    assert arm.reward_mean == pytest.approx(float(mean), rel=1e-9, abs=1e-300)
    assert arm.reward_variance == pytest.approx(float(variance), rel=1e-9, abs=max(rounding, 1e-300))


@given(st.lists(st.floats(-1e3, -1.0), min_size=2, max_size=50).filter(lambda seen: max(seen) - min(seen) > 1.0))
def test_the_variance_of_rewards_that_differ_visibly_is_exact_to_nine_digits(seen: list[float]) -> None:
    arm = GaussianTsArmState()
    for reward in seen:
        arm = arm.observe(reward)

    assert arm.reward_variance == pytest.approx(float(np.var(np.array(seen))), rel=1e-9, abs=0)


@given(st.floats(-1e24, 0.0), st.integers(1, 50))
def test_rewards_that_never_vary_have_no_variance_at_all(reward: float, count: int) -> None:
    arm = GaussianTsArmState()
    for _ in range(count):
        arm = arm.observe(reward)

    assert (arm.reward_mean, arm.reward_variance) == (reward, 0.0)
