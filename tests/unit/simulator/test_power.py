"""Power limits in simulated runs, measured as the client does it; figures reckoned by hand from the tiny traces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.traces import POWER, tiny_pair
from tests.unit.simulator.scripted import Scripted

from zeus_bso.power.ledger import Difference
from zeus_bso.power.search import next_limit
from zeus_bso.power.windows import SETTLE_S, WINDOW_S
from zeus_bso.simulator.peers import decider_of
from zeus_bso.simulator.runner import Attempt, SimulatedRecurrence, Simulation, simulate
from zeus_bso.simulator.scenario import Scenario
from zeus_bso.simulator.traces import Pace, Pair, pace_at
from zeus_bso.simulator.world import SimulatedWorkload

OPTIMIZE = Scenario(power="optimize")
EPOCHS_OF_64 = 8


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return tiny_pair(tmp_path)


@pytest.fixture(scope="module")
def shared_pair() -> Iterator[Pair]:
    """For properties."""
    with TemporaryDirectory() as folder:
        yield tiny_pair(Path(folder))


def run(
    pair: Pair, *sizes: int, scenario: Scenario = OPTIMIZE, recurrences: int = 1
) -> tuple[Scripted, list[SimulatedRecurrence]]:
    decider = Scripted(*sizes)
    return decider, simulate(SimulatedWorkload(pair, scenario), decider, seed=0, recurrences=recurrences)


def attempts(done: list[SimulatedRecurrence]) -> list[Attempt]:
    return [one for each in done for one in each.attempts]


def test_a_new_size_is_measured_in_windows_and_then_trained_at_the_best_limit(pair: Pair) -> None:
    _, (only,) = run(pair, 64)

    # Each limit from 200 to 100 W has a window, and the two best ones, 100 and 200 W, have another. An epoch takes
    # 8 s at 200 W and 0.5 s more for each 25 W less. 100 W costs least: 0.5 x 1,000 + 0.5 x 200 x 10 = 1,500 J.
    windows = {8.0: 2, 8.5: 1, 9.0: 1, 9.5: 1, 10.0: 2}
    epochs = sum(count * (SETTLE_S + WINDOW_S) / epoch_s for epoch_s, count in windows.items())
    measured_s = 7 * (SETTLE_S + WINDOW_S)
    assert measured_s > 10.0  # they go on in the second epoch
    assert only.time_s == pytest.approx(measured_s + (EPOCHS_OF_64 - epochs) * 10)


def test_the_policy_sees_the_pace_at_the_best_limit(pair: Pair) -> None:
    decider, (only,) = run(pair, 64)

    last = decider.reports[1][-1]
    assert [last.time_s, last.energy_j] == pytest.approx([EPOCHS_OF_64 * 10, EPOCHS_OF_64 * 1000])
    assert only.energy_j > 1.02 * last.energy_j
    # In the first epoch 200 W is still the best limit of those that are known.
    assert decider.reports[1][0].time_s == pytest.approx(8)


def test_a_size_is_measured_once(pair: Pair) -> None:
    decider, done = run(pair, 64, 16, 64, 16, 64, recurrences=5)

    paid = [one.profiling for one in attempts(done)]
    assert Difference() not in paid[:2]
    assert paid[2:] == [Difference()] * 3
    assert [report.time_s for report in decider.reports[3]] == [10.0 * epoch for epoch in range(1, EPOCHS_OF_64 + 1)]


def test_measuring_goes_on_in_the_next_launch(tmp_path: Path) -> None:
    # An epoch at 32 takes 1.0 to 1.2 s, and a run 3 or 5 of them.
    short = POWER.replace("32,sgd,100,12,", "32,sgd,100,1.2,").replace("32,sgd,200,10,", "32,sgd,200,1.0,")
    world = SimulatedWorkload(tiny_pair(tmp_path, power=short), OPTIMIZE)
    simulation = Simulation(world, Scripted(32), seed=0)

    done = simulation.run(30)

    measured = [index for index, each in enumerate(done) if each.attempts[0].profiling != Difference()]
    assert len(measured) > 3
    assert measured[-1] < 20
    assert next_limit(simulation.profiles[32], world.goal) is None


def test_runs_that_overlap_measure_each_for_itself(pair: Pair) -> None:
    _, done = run(pair, 64, scenario=replace(OPTIMIZE, overlap=2), recurrences=5)

    assert [one.profiling.energy_j > 0 for one in attempts(done)] == [True, True, True, False, False]


def test_what_a_crashed_run_had_reported_is_known(pair: Pair) -> None:
    world = SimulatedWorkload(pair, replace(OPTIMIZE, crash_rate=1.0))
    simulation = Simulation(world, Scripted(64), seed=0)

    (only,) = simulation.run(1)

    # Crashes come at any epoch, so that sooner or later a run has reported enough.
    assert next_limit(simulation.profiles[64], world.goal) is None
    assert only.attempts[-1].profiling == Difference()


def test_a_preempted_run_measures_again_what_it_lost(pair: Pair) -> None:
    decider, (only,) = run(pair, 64, scenario=replace(OPTIMIZE, preempt_rate=1.0))

    (attempt,) = only.attempts
    last = decider.reports[1][-1]
    assert last.time_s == pytest.approx(EPOCHS_OF_64 * 10)
    lost_s = attempt.time_s - last.time_s - attempt.profiling.time_s
    assert 8 <= lost_s <= 10 + 1e-9


def test_a_given_limit_is_not_measured(pair: Pair) -> None:
    decider = Scripted(64, power_limit_w=200)

    (only,) = simulate(SimulatedWorkload(pair, OPTIMIZE), decider, seed=0, recurrences=1)

    assert (only.time_s, only.energy_j) == (8 * 8, 8 * 1440)
    assert only.attempts[0].profiling == Difference()


@pytest.mark.parametrize("policy", ["surrogate", "grid", "default", "oracle"])
def test_full_power_costs_nothing_extra(pair: Pair, policy: str) -> None:
    world = SimulatedWorkload(pair)

    for one in attempts(simulate(world, decider_of(policy, world, 1), 1, 20)):
        pace = pair.paces[one.batch_size][200]
        assert one.profiling == Difference()
        assert one.energy_j == pytest.approx(one.epochs * pace.energy_j)
        assert one.energy_j == pytest.approx(one.at_full_power.energy_j)


def test_the_warm_up_is_not_measured(pair: Pair) -> None:
    plain, _ = run(pair, 64)
    warm, _ = run(pair, 64, scenario=replace(OPTIMIZE, warm_up=2.0))

    # It comes at full power, before anything is known.
    assert warm.reports[1][-1].time_s == pytest.approx(plain.reports[1][-1].time_s + 2 * 8)


@pytest.mark.parametrize("policy", ["surrogate", "zeus", "grid"])
def test_the_same_seed_gives_the_same_runs(pair: Pair, policy: str) -> None:
    world = SimulatedWorkload(pair, replace(OPTIMIZE, pace_noise=0.1, overlap=1, preempt_rate=0.2))

    once, again = (simulate(world, decider_of(policy, world, 5), 5, 25) for _ in range(2))

    assert once == again


@given(
    sizes=st.lists(st.sampled_from([16, 32, 64, 128]), min_size=1, max_size=8),
    scenario=st.builds(
        Scenario,
        power=st.just("optimize"),
        eta_knob=st.floats(0, 1),
        power_goal=st.sampled_from([None, "cost", "energy"]),
        max_slowdown=st.none() | st.floats(1, 1.5),
        warm_up=st.floats(0, 3),
        pace_noise=st.floats(0, 2.5),
        noise=st.floats(0, 0.5),
        growth=st.floats(-0.3, 0.3),
        overlap=st.integers(0, 3),
    ),
    seed=st.integers(0, 1000),
)
def test_all_that_is_paid_is_reported_or_paid_for_measuring(
    shared_pair: Pair, sizes: list[int], scenario: Scenario, seed: int
) -> None:
    decider = Scripted(*sizes, 16)
    done = simulate(SimulatedWorkload(shared_pair, scenario), decider, seed, len(sizes))

    for one in attempts(done):
        last = decider.reports[one.trial_number][-1]
        assert one.energy_j == pytest.approx(last.energy_j + one.profiling.energy_j)
        assert one.time_s == pytest.approx(last.time_s + one.profiling.time_s)
        assert min(last.energy_j, last.time_s) > 0


def test_the_goal_decides_which_limit_is_best(pair: Pair) -> None:
    def best_w(scenario: Scenario) -> float:
        return SimulatedWorkload(pair, scenario).best_limits_w[64]

    assert best_w(replace(OPTIMIZE, eta_knob=1.0)) == 100
    assert best_w(replace(OPTIMIZE, eta_knob=0.0)) == 200
    assert best_w(replace(OPTIMIZE, eta_knob=0.0, power_goal="energy")) == 100
    assert best_w(replace(OPTIMIZE, max_slowdown=1.13, power_goal="energy")) == 150
    assert best_w(replace(OPTIMIZE, max_slowdown=1.13)) == 200
    assert best_w(replace(OPTIMIZE, max_slowdown=1.0)) == 200


def test_the_oracle_has_the_best_size_at_its_best_limit(pair: Pair) -> None:
    limited, bounded = (SimulatedWorkload(pair, one).oracle() for one in (OPTIMIZE, replace(OPTIMIZE, max_slowdown=1)))

    assert (limited.batch_size, limited.power_limit_w, limited.cost_j) == (32, 100, 4 * 1740)
    assert (bounded.batch_size, bounded.power_limit_w, bounded.cost_j) == (32, 200, 4 * 1750)
    assert SimulatedWorkload(pair).oracle() == bounded


def test_a_limit_that_was_not_recorded_lies_between_its_neighbours() -> None:
    paces = {100.0: Pace(12.0, 90.0), 200.0: Pace(10.0, 150.0)}

    assert pace_at(paces, 150.0) == Pace(11.0, 120.0)
    assert pace_at(paces, 200.0) is paces[200.0]


def test_a_workload_that_was_recorded_at_one_limit_loses_nothing(pair: Pair) -> None:
    one_limit = replace(pair, paces={size: {200.0: limits[200]} for size, limits in pair.paces.items()})

    _, done = run(one_limit, 64, recurrences=2)

    assert [each.time_s for each in done] == pytest.approx([64, 64])
    assert [each.attempts[0].profiling.time_s for each in done] == pytest.approx([0, 0], abs=1e-9)
