"""What each knob of a scenario does to runs and to the oracle; figures reckoned by hand from the tiny traces."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.traces import tiny_pair
from tests.unit.simulator.scripted import Scripted

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.simulator.made_up import SmoothWorkload, made_up_pair
from zeus_bso.simulator.peers import decider_of
from zeus_bso.simulator.runner import SimulatedRecurrence, simulate
from zeus_bso.simulator.scenario import Cliff, Dip, Drift, Scenario, Tail
from zeus_bso.simulator.trace_rows import TraceError
from zeus_bso.simulator.traces import Pair
from zeus_bso.simulator.world import SimulatedWorkload


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return tiny_pair(tmp_path)


def run(
    pair: Pair, *sizes: int, scenario: Scenario, recurrences: int = 1, **settings: int
) -> tuple[Scripted, list[SimulatedRecurrence]]:
    decider = Scripted(*sizes, **settings)  # type: ignore[arg-type]
    return decider, simulate(SimulatedWorkload(pair, scenario), decider, seed=0, recurrences=recurrences)


def test_the_first_epoch_of_every_run_costs_a_warm_up_more(pair: Pair) -> None:
    decider, done = run(pair, 16, scenario=Scenario(warm_up=2.0), recurrences=2)

    for number in (1, 2):
        assert [report.time_s for report in decider.reports[number]] == [3 * 16, 64, 80, 96]
    assert done[1].energy_j == 6 * 16 * 120


def test_a_warm_up_may_differ_by_batch_size(pair: Pair) -> None:
    world = SimulatedWorkload(pair, Scenario(warm_up=2.0, warm_ups={16: 0.5}))

    assert (world.warm_up(16), world.warm_up(64)) == (0.5, 2.0)


def test_a_preempted_run_pays_its_warm_up_twice(pair: Pair) -> None:
    _, (_, second) = run(pair, 16, scenario=Scenario(preempt_rate=1.0, warm_up=2.0), recurrences=2)

    assert second.time_s == (5 + 2 * 2) * 16


def test_the_oracle_knows_of_warm_ups(pair: Pair) -> None:
    assert SimulatedWorkload(pair, Scenario(warm_up=2.0)).oracle().time_s == (4 + 2) * 10
    # 16 takes 4 epochs of 16 s, 32 now 4 + 40 of 10 s.
    assert SimulatedWorkload(pair, Scenario(warm_ups={32: 40.0})).oracle().batch_size == 16


def test_an_epoch_is_dearer_where_the_size_does_not_suit_the_hardware(pair: Pair) -> None:
    world = SimulatedWorkload(pair, Scenario(cliff=Cliff(1.5, 32)))

    assert world.paces[16][200].time_s == 1.5 * 16
    assert world.paces[32][200].time_s == 10
    _, (only,) = run(pair, 16, scenario=world.scenario)
    assert only.time_s == 1.5 * 64


def test_a_dip_makes_a_second_minimum(pair: Pair) -> None:
    world = SimulatedWorkload(pair, Scenario(dip=Dip(64, 0.25, octaves=0.5)))

    assert world.epochs_factor(64, 0) == 0.25
    assert world.epochs_factor(32, 0) == pytest.approx(0.25 ** math.exp(-2))
    assert world.oracle().batch_size == 64
    _, (only,) = run(pair, 64, scenario=world.scenario)
    assert only.attempts[0].epochs == 2


def test_costs_grow_from_run_to_run(pair: Pair) -> None:
    world = SimulatedWorkload(pair, Scenario(growth=0.1))
    _, done = run(pair, 16, scenario=world.scenario, recurrences=3)

    assert [each.time_s for each in done] == pytest.approx([64, 1.1 * 64, 1.21 * 64])
    assert world.oracle(2).cost_j == pytest.approx(1.21 * world.oracle(0).cost_j)


def test_a_size_that_never_reaches_the_target_stops_short_of_it(pair: Pair) -> None:
    workload = SmoothWorkload(noise=0.0).pair()
    decider, (only,) = run(workload, 64, 128, scenario=Scenario(never=(64,)), target=0.8, max_epochs=40)  # type: ignore[arg-type]

    assert [one.target_reached for one in only.attempts] == [False, True]
    assert max(report.metric for report in decider.reports[1]) == pytest.approx(0.8 * 12 / 20)
    assert SimulatedWorkload(workload, Scenario(never=(64,))).expected(64, 300.0) is None
    assert SimulatedWorkload(pair, Scenario(never=(16,))).expected(16, 200.0) is None


def test_noise_and_tails_stretch_the_whole_learning_curve(pair: Pair) -> None:
    decider, (only,) = run(pair, 16, scenario=Scenario(tail=Tail(1.0, 2.0)))

    assert only.attempts[0].epochs == 8
    assert [report.metric for report in decider.reports[1]][2:5] == pytest.approx([0.1, 0.5, 0.5])


def test_a_tail_may_be_that_of_single_sizes(pair: Pair) -> None:
    _, (first, second) = run(pair, 16, 64, scenario=Scenario(tail=Tail(1.0, 2.0, batch_sizes=(16,))), recurrences=2)

    assert (first.attempts[0].epochs, second.attempts[0].epochs) == (8, 8)


def test_a_power_law_has_no_largest_run() -> None:
    tail = Tail(0.5, 2.0, index=1.0)

    assert tail.factor_at(8, 0.5) == 1.0
    assert [tail.factor_at(8, rank) for rank in (0.0, 0.25, 0.45)] == pytest.approx([2.0, 4.0, 20.0])


def test_noise_leaves_the_recorded_runs_and_the_accidents_as_they_are(pair: Pair) -> None:
    calm = Scenario(crash_rate=0.3)
    noisy = replace(calm, noise=0.4, pace_noise=0.2, tail=Tail(0.2))
    outcomes = [
        [one.outcome is None for each in run(pair, 16, scenario=scenario, recurrences=40, max_epochs=10**6)[1]
         for one in each.attempts]
        for scenario in (calm, noisy)
    ]  # fmt: skip

    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(noise=0.4),
        Scenario(pace_noise=0.3),
        Scenario(tail=Tail(0.2, 2.0, index=3.0)),
        Scenario(warm_up=3.0, noise=0.2),
        Scenario(growth=0.01, tail=Tail(0.1, 3.0)),
        Scenario(drift=Drift(5, 1.5, tilt=-0.3, over=20), noise=0.2),
    ],
    ids=["noise", "pace noise", "tail", "warm-up", "growth", "slow drift"],
)
def test_the_oracle_pays_what_it_expects_to_pay(scenario: Scenario) -> None:
    world = SimulatedWorkload(SmoothWorkload(epochs=20.0, max_epochs=60).pair(), scenario)
    paid = [
        world.cost(each.energy_j, each.time_s) / world.oracle(each.index).cost_j
        for seed in range(25)
        for each in simulate(world, decider_of("oracle", world, seed), seed, 60)
    ]

    assert np.mean(paid) == pytest.approx(1.0, abs=4 * float(np.std(paid)) / math.sqrt(len(paid)))


def test_drift_may_come_little_by_little(pair: Pair) -> None:
    world = SimulatedWorkload(pair, Scenario(drift=Drift(at=2, factor=4.0, over=2)))

    assert [world.epochs_factor(16, recurrence) for recurrence in range(6)] == pytest.approx([1, 1, 2, 4, 4, 4])


def test_what_happens_on_the_way_happens_sooner_in_a_shorter_experiment() -> None:
    scenario = Scenario(recurrences=100, drift=Drift(at=30, over=40))

    assert scenario.of_length(20).drift == Drift(at=6, over=8)
    assert Scenario().of_length(20) == Scenario(recurrences=20)


def test_without_power_limits_there_is_full_power_alone(pair: Pair) -> None:
    world = SimulatedWorkload(pair, Scenario(power="off"))
    _, (only,) = run(pair, 64, scenario=world.scenario)

    assert (only.time_s, only.energy_j) == (8 * 8, 8 * 8 * 180)
    assert {world.best_limits_w[size] for size in pair.batch_sizes} == {200}
    assert world.oracle().power_limit_w == 200
    assert world.recurrences == SimulatedWorkload(pair).recurrences


def test_a_batch_size_that_the_workload_does_not_have_is_refused(pair: Pair) -> None:
    for scenario in (Scenario(never=(7,)), Scenario(warm_ups={7: 1.0}), Scenario(tail=Tail(0.1, batch_sizes=(7,)))):
        with pytest.raises(ZeusBSOConfigError, match="shapes/mlp on tiny has no batch size 7"):
            SimulatedWorkload(pair, scenario)


def test_numbers_out_of_their_range_are_refused_by_name() -> None:
    for settings, said in (
        ({"noise": math.nan}, "Noise must be between 0 and 3, not nan"),
        ({"growth": -1.0}, "Growth per recurrence must be between -0.5 and 1"),
        ({"warm_ups": {8: -1.0}}, "Warm-up must be between 0 and 1,000"),
        ({"cliff": Cliff(0.0)}, "The factor of a cliff"),
        ({"max_slowdown": 0.5}, "The largest slowdown must be between 1 and 100, not 0.5"),
        ({"cliff": Cliff(2.0, 0)}, "The multiple of a cliff"),
        ({"tail": Tail(2.0)}, "The share of a tail"),
        ({"dip": Dip(0, 0.5)}, "The centre of a dip"),
        ({"overlap": -1}, "Overlap must be"),
        ({"drift": Drift(0, 0.0)}, "The factor of drift"),
    ):
        with pytest.raises(ZeusBSOConfigError, match=said):
            Scenario(**settings)


def test_a_world_without_an_optimum_is_told_before_it_is_simulated(pair: Pair) -> None:
    with pytest.raises(TraceError, match="no run reaches the target"):
        SimulatedWorkload(pair, Scenario(never=pair.batch_sizes)).check()
    with pytest.raises(ZeusBSOConfigError, match="1000 times as much"):
        SimulatedWorkload(pair, Scenario(growth=1.0, recurrences=100)).check()


def test_a_made_up_workload_costs_what_its_formula_says() -> None:
    workload = SmoothWorkload(epochs=10.0, critical_size=256.0, overhead_size=32.0, epoch_s=60.0, noise=0.0)
    world = SimulatedWorkload(workload.pair())

    assert world.pair.paces[32][300.0].time_s == 120
    assert world.pair.runs[256][0].target_epoch == 20
    assert world.pair.paces[8][300.0].power_w < world.pair.paces[1024][300.0].power_w
    assert world.oracle().batch_size in (64, 128)


def test_made_up_runs_have_learning_curves_that_rise_ever_more_slowly() -> None:
    decider, (only,) = run(made_up_pair("table", epochs={8: 30.0}, default_batch_size=8), 8, scenario=Scenario(),
                           max_epochs=100, target=0.8)  # type: ignore[arg-type]  # fmt: skip
    metrics = [report.metric for report in decider.reports[1]]

    assert only.attempts[0].epochs == 30
    assert metrics == sorted(metrics)
    assert metrics[9] > 0.8 / 2
    assert metrics[-2] < 0.8 <= metrics[-1]


def test_the_noise_of_a_made_up_workload_is_in_its_runs() -> None:
    pair = made_up_pair("table", epochs={8: 100.0}, default_batch_size=8, noise=0.5)
    logs = np.log([run.target_epoch or math.nan for run in pair.runs[8]])

    assert np.median(logs) == pytest.approx(math.log(100))
    assert np.std(logs) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"default_batch_size": 7}, "default batch size 7 .* is not among its sizes: 8, 16"),
        ({"epochs": 0.0}, "epochs of a made-up workload must be above 0"),
        ({"noise": -1.0}, "noise of a made-up workload"),
        ({"max_epochs": 0}, "max_epochs of a made-up workload"),
        ({"steepness": 1e6}, "steepness 1e[+]06"),
    ],
)
def test_a_made_up_workload_that_cannot_be_is_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(ZeusBSOConfigError, match=said):
        SmoothWorkload(**settings).pair()  # type: ignore[arg-type]
