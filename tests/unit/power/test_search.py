"""The search for the best power limit, on made-up GPUs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_bso.power.goal import PowerGoal, goal_of
from zeus_bso.power.ledger import ProfilingLedger
from zeus_bso.power.search import limits_w, merged, next_limit
from zeus_bso.protocol.job_spec import JobSettings
from zeus_bso.protocol.power import PowerPoint, PowerProfile

COST = PowerGoal("cost", 0.5, 700.0)
LEAST_ENERGY = PowerGoal("energy", 0.5, 700.0)
GOALS = st.builds(
    PowerGoal,
    objective=st.sampled_from(["cost", "energy"]),
    eta_knob=st.floats(0, 1),
    max_power_w=st.floats(100, 1000),
    max_slowdown=st.none() | st.floats(1, 2),
)


def point_at(limit_w: float, *, knee_w: float = 450.0, idle_w: float = 80.0) -> PowerPoint:
    """A GPU whose pace follows the cube root of its dynamic power, up to a knee beyond which it draws no more."""
    power_w = min(limit_w, knee_w)
    return PowerPoint(limit=limit_w, power=power_w, rate=((power_w - idle_w) / (knee_w - idle_w)) ** (1 / 3))


def searched(
    goal: PowerGoal, profile: PowerProfile | None = None, *, knee_w: float = 450.0, most: int = 1000
) -> tuple[PowerProfile, int]:
    """Measure what the search asks for. Returns the profile and the number of windows."""
    profile = profile or PowerProfile(unit="step", lowest=100, highest=700)
    windows = 0
    while windows < most and (limit := next_limit(profile, goal)) is not None:
        windows += 1
        before = profile.at(limit)
        point = point_at(limit, knee_w=knee_w).model_copy(update={"windows": before.windows + 1 if before else 1})
        others = tuple(one for one in profile.points if one.limit != limit)
        profile = profile.model_copy(update={"points": (*others, point)})
    return profile, windows


def test_limits_are_full_power_and_multiples_of_a_step_below() -> None:
    assert limits_w(100, 250) == [250, 225, 200, 175, 150, 125, 100]
    assert limits_w(110, 260) == [260, 250, 225, 200, 175, 150, 125]


@given(st.floats(1, 3000), st.floats(1, 3000))
def test_limits_are_few_and_descend_within_their_bounds(one: float, other: float) -> None:
    lowest_w, highest_w = sorted((one, other))
    limits = limits_w(lowest_w, highest_w)
    assert limits[0] == highest_w
    assert limits == sorted(set(limits), reverse=True)
    assert all(lowest_w <= limit <= highest_w for limit in limits)
    assert len(limits) <= 64


@given(GOALS, st.floats(150, 700))
def test_the_search_ends_close_to_the_best_limit_after_few_windows(goal: PowerGoal, knee_w: float) -> None:
    profile, windows = searched(goal, knee_w=knee_w)
    assert windows <= 18
    best = goal.best(profile)
    assert best is not None
    everything = PowerProfile(
        unit="step", lowest=100, highest=700, points=tuple(point_at(w, knee_w=knee_w) for w in limits_w(100, 700))
    )
    ideal = goal.best(everything)
    assert ideal is not None
    assert goal.judge(everything, best) <= 1.02 * goal.judge(everything, ideal)
    assert abs(best.limit - ideal.limit) <= 25 or goal.per_unit(best) <= 1.001 * goal.per_unit(ideal)


def test_a_slowdown_bound_is_kept_and_used() -> None:
    goal = goal_of(JobSettings(power_goal="energy", max_slowdown=1.05), 700.0)
    profile, _ = searched(goal)
    best, full = goal.best(profile), profile.at(700)
    assert best is not None
    assert full is not None
    assert full.rate / best.rate <= 1.05
    assert best.power < full.power


@given(st.floats(1, 1.5), st.floats(0, 1), st.floats(150, 700))
def test_a_slowdown_bound_leaves_the_goal_as_it_is(most: float, eta: float, knee_w: float) -> None:
    free, bounded = (goal_of(JobSettings(eta_knob=eta, max_slowdown=one), 700.0) for one in (None, most))
    (profile, _), (profile_within, _) = searched(free, knee_w=knee_w), searched(bounded, knee_w=knee_w)
    best, within, full = free.best(profile), bounded.best(profile_within), profile_within.at(700)
    assert best is not None
    assert within is not None
    assert full is not None
    assert bounded.allows(within, full)
    if bounded.allows(best, full):
        assert free.per_unit(within) <= 1.02 * free.per_unit(best)
    assert free.per_unit(within) <= free.per_unit(full) * (1 + 1e-12)


def test_the_two_best_limits_are_measured_twice() -> None:
    profile, _ = searched(COST)
    by_cost = sorted(profile.points, key=lambda point: (COST.judge(profile, point), -point.limit))
    assert [point.windows for point in by_cost[:2]] == [2, 2]
    assert {point.windows for point in by_cost[2:]} == {1}


@given(GOALS, st.integers(0, 12))
def test_a_search_that_was_interrupted_goes_on_where_it_was(goal: PowerGoal, after: int) -> None:
    whole, windows = searched(goal)
    part, done = searched(goal, most=after)
    resumed, more = searched(goal, part)
    assert done + more == windows
    assert set(resumed.points) == set(whole.points)


def test_a_goal_follows_the_settings() -> None:
    assert goal_of(JobSettings(), 700.0).objective == "cost"
    assert goal_of(JobSettings(power_goal="energy"), 700.0).objective == "energy"
    assert goal_of(JobSettings(max_slowdown=1.1), 700.0) == PowerGoal("cost", 0.5, 700.0, 1.1)
    assert goal_of(JobSettings(power_goal="energy", max_slowdown=1.1), 700.0).objective == "energy"


def test_a_complete_profile_is_not_replaced_by_one_that_has_just_begun() -> None:
    complete, _ = searched(COST)
    begun, _ = searched(COST, most=2)
    assert merged(complete, begun, COST) == complete
    assert merged(begun, complete, COST) == complete
    assert merged(None, begun, COST) == begun


def test_profiles_that_have_both_begun_are_joined() -> None:
    begun = PowerProfile(unit="step", lowest=100, highest=700, points=(point_at(700),))
    other = begun.model_copy(update={"points": (point_at(575), point_at(700))})
    assert {point.limit for point in merged(begun, other, COST).points} == {700, 575}
    by_epoch = begun.model_copy(update={"unit": "epoch"})
    assert merged(begun, by_epoch, COST) == by_epoch


def test_a_profile_names_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="only once"):
        PowerProfile(unit="step", lowest=100, highest=700, points=(point_at(500), point_at(500)))
    with pytest.raises(ValueError, match="outside"):
        PowerProfile(unit="step", lowest=100, highest=400, points=(point_at(500),))
    with pytest.raises(ValueError, match="exceed"):
        PowerProfile(unit="step", lowest=500, highest=400)


def test_the_ledger_tells_what_measuring_has_cost_beyond_the_chosen_limit() -> None:
    chosen = PowerPoint(limit=400, power=380, rate=2.0)
    ledger = ProfilingLedger()
    assert ledger.beyond(None).time_s == 0
    ledger.add(units=10, time_s=4.0, energy_j=2800.0)
    ledger.add(units=10, time_s=8.0, energy_j=1600.0)
    difference = ledger.beyond(chosen)
    assert math.isclose(difference.time_s, 12.0 - 10.0)
    assert math.isclose(difference.energy_j, 4400.0 - 10.0 * 380)
