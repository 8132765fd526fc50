"""A job on the pure policy, step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.traces import tiny_pair

from zeus_bso.common import FailReason, Outcome, Stage, TrialType
from zeus_bso.simulator.job import PolicyJob, knobs_of
from zeus_bso.simulator.peers import decider_of
from zeus_bso.simulator.recorded import DIGITS
from zeus_bso.simulator.runner import Report, Trial, simulate
from zeus_bso.simulator.traces import Pair, read_traces
from zeus_bso.simulator.world import Drift, Scenario, World


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return tiny_pair(tmp_path)


def run_to_target(job: PolicyJob, trial: Trial, epochs: int) -> Outcome | None:
    for epoch in range(1, epochs + 1):
        answer = job.report(trial, Report(10.0 * epoch, 1000.0 * epoch, 0.9 if epoch == epochs else 0.5, epoch))
        if answer.outcome is not None:
            return answer.outcome
    return None


def test_a_job_has_the_knobs_of_its_workload(pair: Pair) -> None:
    knobs = knobs_of(World(pair, Scenario(beta_knob=None, curve_stop=False)))

    assert (knobs.batch_sizes, knobs.default_batch_size) == ((16, 32, 64, 128), 64)
    assert (knobs.target_metric, knobs.higher_is_better_metric, knobs.max_epochs) == (0.9, True, 10)
    assert (knobs.beta_knob, knobs.curve_stop) == (None, False)


@pytest.mark.parametrize("policy", ["zeus", "surrogate"])
def test_a_job_begins_with_its_default(pair: Pair, policy: str) -> None:
    assert PolicyJob(World(pair), policy, seed=0).ask() == Trial(1, 64)


def test_the_walk_goes_on_where_an_exploration_has_ended(pair: Pair) -> None:
    job = PolicyJob(World(pair), "zeus", seed=0)
    first = job.ask()
    meanwhile = job.ask()

    assert run_to_target(job, first, 4) is Outcome.CONVERGED
    assert [choice.trial_type for choice in job.choices] == [TrialType.EXPLORATION, TrialType.CONCURRENT]
    assert meanwhile.batch_size == 64
    assert job.ask().batch_size == 32


def test_the_place_of_a_crashed_exploration_is_given_again(pair: Pair) -> None:
    job = PolicyJob(World(pair), "zeus", seed=0)
    job.fail(job.ask(), FailReason.ERROR)

    assert job.ask() == Trial(2, 64)
    assert job.choices[-1].trial_type is TrialType.EXPLORATION


def test_a_run_beyond_the_cost_bound_is_stopped(pair: Pair) -> None:
    job = PolicyJob(World(pair), "zeus", seed=0)
    run_to_target(job, job.ask(), 2)

    assert run_to_target(job, job.ask(), 9) is Outcome.COST_BOUND


def test_the_surrogate_stops_a_run_by_its_curve(pair: Pair) -> None:
    job = PolicyJob(World(pair), "surrogate", seed=0)
    first = job.ask()
    for epoch, metric in enumerate((0.5, 0.6, 0.7, 0.9), start=1):
        job.report(first, Report(10.0 * epoch, 1000.0 * epoch, metric, epoch))
    second = job.ask()

    # What the first run passed in its first epoch, this one has not; double the epochs are another whole run.
    assert second.batch_size != 64
    assert job.report(second, Report(10.0, 1000.0, 0.1, 1)).outcome is None
    assert job.report(second, Report(20.0, 2000.0, 0.1, 2)).outcome is Outcome.CURVE_STOP


def test_the_same_seed_decides_the_same(pair: Pair) -> None:
    world = World(pair)

    def sizes(seed: int) -> list[int]:
        return [one.batch_size for each in simulate(world, PolicyJob(world, "zeus", seed), 5, 60) for one in each.tries]

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
    world = World(pair, scenario)
    late = []
    for seed in range(4):
        done = simulate(world, decider_of(policy, world, seed), seed)
        assert all(each.reached for each in done)
        assert max(len(each.tries) for each in done) <= 12
        late += [world.cost(each.energy_j, each.time_s) / world.oracle(each.index).cost_j for each in done[-12:]]

    assert np.mean(late) < 1.25


def test_both_stages_are_gone_through(pair: Pair) -> None:
    world = World(pair)
    job = PolicyJob(world, "zeus", 0)
    simulate(world, job, 0)

    assert job.progress.stage is Stage.MAB
    assert job.choices[-1].trial_type is TrialType.MAB
