"""Whatever runs tell in whatever order, no finished profile is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.jobs import spec
from tests.support.power import searched

from zeus_bso.power.full_power import at_full_power
from zeus_bso.power.goal import PowerGoal, goal_of
from zeus_bso.power.search import merged, next_limit
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.messages import Heartbeat, TrainingResult
from zeus_bso.protocol.power import PowerPoint, PowerProfile
from zeus_bso.protocol.words import TrialStatus, TrialType
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.services import power_rules
from zeus_bso.simulator.job_in_memory import JobInMemory

GOALS = st.builds(
    PowerGoal,
    objective=st.sampled_from(["cost", "energy"]),
    eta_knob=st.floats(0, 1),
    max_power_w=st.floats(0, 1000),
    max_slowdown=st.none() | st.floats(1, 2),
)
ANY_POINTS = st.builds(
    PowerPoint,
    limit=st.sampled_from([125.0, 150.0, 175.0, 200.0, 210.5, 225.0, 250.0, 275.0, 300.0]),
    power=st.floats(1e-300, 1e9),
    rate=st.floats(1e-12, 1e12),
    windows=st.integers(1, 3),
)
ANY = st.builds(
    PowerProfile,
    unit=st.sampled_from(["step", "epoch"]),
    lowest=st.sampled_from([100.0, 125.0]),
    highest=st.just(300.0),
    points=st.lists(ANY_POINTS, max_size=9, unique_by=lambda point: point.limit).map(tuple),
)
SEARCHED = st.integers(0, 30).map(lambda windows: PowerProfile.model_validate(searched(windows)))


@given(st.lists(SEARCHED | ANY, min_size=1, max_size=6), GOALS)
def test_no_merge_loses_a_finished_profile(told: list[PowerProfile], goal: PowerGoal) -> None:
    stored: PowerProfile | None = None
    finished = False
    for profile in told:
        stored = merged(stored, profile, goal)
        PowerProfile.model_validate(stored.model_dump())
        finished = finished or next_limit(profile, goal) is None
        assert not finished or next_limit(stored, goal) is None


@given(st.lists(st.tuples(SEARCHED | ANY, st.booleans()), min_size=1, max_size=6))
def test_no_message_loses_a_finished_profile(told: list[tuple[PowerProfile, bool]]) -> None:
    rows = JobInMemory(JobSpecFromClient.model_validate(spec(power_limit="optimize")))
    goal = goal_of(rows.state.spec, rows.state.spec.max_power)
    trial, finished = trial_of(rows), False
    for profile, by_report in told:
        totals = {"job_id": "job", "batch_size": 16, "trial_number": 1, "time": 1.0, "energy": 1.0}
        kind = TrainingResult if by_report else Heartbeat
        message = kind.model_validate(totals | {"metric": 0.1, "current_epoch": 1, "power_profile": profile})
        rows.save(power_rules.learn(rows.load(), trial, message))
        finished = finished or next_limit(profile, goal) is None
        stored = rows.power_profile("job", 16)
        assert stored is not None or not profile.points
        assert not finished or (stored is not None and next_limit(stored, goal) is None)


@given(ANY, st.none() | st.floats(1e-300, 1e6), st.floats(0, 1), st.floats(0, 1e9))
def test_a_run_at_full_power_is_a_number_of_times_as_dear_whatever_was_measured(
    profile: PowerProfile, limit_w: float | None, eta_knob: float, max_power_w: float
) -> None:
    factors = at_full_power(profile, limit_w, eta_knob, max_power_w)

    assert all(0.001 <= factor <= 1000 for factor in (factors.energy, factors.time, factors.cost))
    if limit_w is None or limit_w == profile.highest:
        assert (factors.energy, factors.time, factors.cost) == pytest.approx((1.0, 1.0, 1.0))


def trial_of(rows: JobInMemory) -> Trial:
    now = rows.state.read_at
    return Trial(
        job_id="job",
        trial_number=1,
        batch_size=16,
        generation=1,
        type=TrialType.MAB,
        round=None,
        uncapped=False,
        status=TrialStatus.DISPATCHED,
        message="",
        run_id=None,
        instance=None,
        heartbeat_s=None,
        started_at=now,
        last_report_at=now,
        last_seen_at=now,
        lease_expires_at=now,
    )
