"""A job on the pure policy, step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.traces import tiny_pair

from zeus_bso.protocol.words import FailReason, Outcome, Stage, TrialType
from zeus_bso.simulator.job import PolicyJob, PolicyName, knobs_of
from zeus_bso.simulator.peers import decider_of
from zeus_bso.simulator.recorded import DIGITS
from zeus_bso.simulator.runner import EpochReport, GivenTrial, simulate
from zeus_bso.simulator.scenario import Drift, Scenario
from zeus_bso.simulator.traces import Pair, read_traces
from zeus_bso.simulator.world import SimulatedWorkload


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return tiny_pair(tmp_path)


def run_to_target(job: PolicyJob, trial: GivenTrial, epochs: int) -> Outcome | None:
    for epoch in range(1, epochs + 1):
        answer = job.report(trial, EpochReport(10.0 * epoch, 1000.0 * epoch, 0.9 if epoch == epochs else 0.5, epoch))
        if answer.outcome is not None:
            return answer.outcome
    return None


def test_a_job_has_the_knobs_of_its_workload(pair: Pair) -> None:
    knobs = knobs_of(SimulatedWorkload(pair, Scenario(beta_knob=None, curve_stop=False)))

    assert (knobs.batch_sizes, knobs.default_batch_size) == ((16, 32, 64, 128), 64)
    assert (knobs.target_metric, knobs.higher_is_better_metric, knobs.max_epochs) == (0.9, True, 10)
    assert (knobs.beta_knob, knobs.curve_stop) == (None, False)


@pytest.mark.parametrize("policy", ["zeus", "surrogate"])
def test_a_job_begins_with_its_default(pair: Pair, policy: PolicyName) -> None:
    assert PolicyJob(SimulatedWorkload(pair), policy, seed=0).ask() == GivenTrial(1, 64)


def test_the_walk_goes_on_where_an_exploration_has_ended(pair: Pair) -> None:
    job = PolicyJob(SimulatedWorkload(pair), "zeus", seed=0)
    first = job.ask()
    meanwhile = job.ask()

    assert run_to_target(job, first, 4) is Outcome.CONVERGED
    assert [given.type for given in job.trials] == [TrialType.EXPLORATION, TrialType.CONCURRENT]
    assert meanwhile.batch_size == 64
    assert job.ask().batch_size == 32


def test_the_place_of_a_crashed_exploration_is_given_again(pair: Pair) -> None:
    job = PolicyJob(SimulatedWorkload(pair), "zeus", seed=0)
    job.fail(job.ask(), FailReason.ERROR)

    assert job.ask() == GivenTrial(2, 64)
    assert job.trials[-1].type is TrialType.EXPLORATION


def test_a_run_beyond_the_cost_bound_is_stopped(pair: Pair) -> None:
    job = PolicyJob(SimulatedWorkload(pair), "zeus", seed=0)
    run_to_target(job, job.ask(), 2)

    assert run_to_target(job, job.ask(), 9) is Outcome.COST_BOUND


def test_the_surrogate_stops_a_run_by_its_curve(pair: Pair) -> None:
    job = PolicyJob(SimulatedWorkload(pair), "surrogate", seed=0)
    first = job.ask()
    for epoch, metric in enumerate((0.5, 0.6, 0.7, 0.9), start=1):
        job.report(first, EpochReport(10.0 * epoch, 1000.0 * epoch, metric, epoch))
    second = job.ask()

    # What the first run passed in its first epoch, this one has not; double the epochs are another whole run.
    assert second.batch_size != 64
    assert job.report(second, EpochReport(10.0, 1000.0, 0.1, 1)).outcome is None
    assert job.report(second, EpochReport(20.0, 2000.0, 0.1, 2)).outcome is Outcome.CURVE_STOP


def test_the_same_seed_decides_the_same(pair: Pair) -> None:
    world = SimulatedWorkload(pair)

    def sizes(seed: int) -> list[int]:
        return [
            one.batch_size for each in simulate(world, PolicyJob(world, "zeus", seed), 5, 60) for one in each.attempts
        ]

    assert sizes(1) == sizes(1)


@pytest.mark.parametrize("policy", ["zeus", "surrogate"])
@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(recurrences=60),
        Scenario(recurrences=60, overlap=4),
        Scenario(recurrences=60, crash_rate=0.1, preempt_rate=0.1),
        Scenario(recurrences=60, drift=Drift(at=30, factor=2.5)),
    ],
    ids=["plain", "overlapping", "accidents", "drift"],
)
def test_a_policy_settles_near_the_oracle(policy: str, scenario: Scenario) -> None:
    (pair,) = read_traces(DIGITS).pairs()
    world = SimulatedWorkload(pair, scenario)
    late = []
    for seed in range(4):
        done = simulate(world, decider_of(policy, world, seed), seed)
        assert all(each.reached for each in done)
        assert max(len(each.attempts) for each in done) <= 12
        late += [world.cost(each.energy_j, each.time_s) / world.oracle(each.index).cost_j for each in done[-12:]]

    assert np.mean(late) < 1.25


def test_both_stages_are_gone_through(pair: Pair) -> None:
    world = SimulatedWorkload(pair)
    job = PolicyJob(world, "zeus", 0)
    simulate(world, job, 0)

    assert job.progress.stage is Stage.MAB
    assert job.trials[-1].type is TrialType.MAB
