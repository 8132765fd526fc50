"""What a decided trial teaches, and which arms stay in the game."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.policy.policy_job import Job, a_run_of, concurrent, playing, pruning

from zeus_bso.policy.state import Choice, GaussianTsArmState, Knobs, Progress, Retirement, SizeState
from zeus_bso.policy.zeus.zeus_algorithm import conclude
from zeus_bso.protocol.words import Outcome, Stage, TrialType


def reward_of(job: Job) -> float:
    """What the latest trial was observed as."""
    return job.learnt[-1][-1].reward


@pytest.mark.parametrize(("cost", "least"), [(90.0, 90.0), (150.0, 100.0)])
def test_the_least_cost_is_that_of_the_cheapest_converged_trial(cost: float, least: float) -> None:
    job = playing()
    job.end(a_run_of(job, 8), cost)

    assert job.progress.min_cost == least


@pytest.mark.parametrize("outcome", [Outcome.COST_BOUND, Outcome.TARGET_MISSED, Outcome.DIVERGED])
def test_only_a_converged_trial_sets_the_least_cost(outcome: Outcome) -> None:
    job = playing()
    job.miss(a_run_of(job, 8), outcome, cost=1.0)

    assert job.progress.min_cost == 100.0


@pytest.mark.parametrize("outcome", [Outcome.CONVERGED, Outcome.COST_BOUND, Outcome.TARGET_MISSED])
@pytest.mark.parametrize("trial_type", list(TrialType))
def test_every_decided_trial_of_whatever_type_is_an_observation_of_minus_its_cost(
    trial_type: TrialType, outcome: Outcome
) -> None:
    job = playing()
    choice = Choice(8, trial_type, job.progress, job.sizes)
    job.running.append(choice)
    job.end(choice, 190.0, outcome)

    assert reward_of(job) == -190.0
    assert job.sizes[8].arm == GaussianTsArmState(2, -130.0, 0.0).observe(-190.0)


@pytest.mark.parametrize(("cost", "reward"), [(3.0, -200.0), (260.0, -260.0)])
def test_a_diverged_run_counts_as_one_at_the_bound_at_least(cost: float, reward: float) -> None:
    job = playing()
    job.end(a_run_of(job, 8), cost, Outcome.DIVERGED)

    assert reward_of(job) == reward


def test_without_a_bound_a_diverged_run_counts_as_the_least_cost_at_least() -> None:
    job = playing(beta_knob=None)
    job.end(a_run_of(job, 8), 3.0, Outcome.DIVERGED)

    assert reward_of(job) == -100.0


def test_before_a_trial_has_converged_a_diverged_run_counts_as_what_it_cost() -> None:
    job = pruning()
    job.end(job.ask(), 3.0, Outcome.DIVERGED)

    assert reward_of(job) == -3.0


def test_an_observation_of_one_size_says_nothing_about_the_others() -> None:
    job = playing()
    others = {size: state for size, state in job.sizes.items() if size != 8}
    job.end(a_run_of(job, 8), 140.0)

    assert {size: state for size, state in job.sizes.items() if size != 8} == others


def test_a_proven_arm_that_misses_once_stays_in_the_game() -> None:
    job = playing()
    job.miss(a_run_of(job, 8))

    assert job.retired() == {}


def test_a_proven_arm_that_misses_twice_in_a_row_retires() -> None:
    job = playing()
    job.miss(a_run_of(job, 8))
    job.miss(a_run_of(job, 8))

    assert job.retired() == {8: Retirement.MISSED}


def test_misses_of_two_arms_are_no_row() -> None:
    job = playing()
    job.miss(a_run_of(job, 8))
    job.miss(a_run_of(job, 16))

    assert job.retired() == {}


def test_a_miss_in_pruning_does_not_count_against_an_arm() -> None:
    job = pruning((16, 32), 32, num_pruning_rounds=1)
    exploration = job.ask()
    job.miss(concurrent(job, 32))
    job.end(exploration, 100.0)
    job.play({16: 90.0}, 1)
    job.miss(job.ask())

    assert job.retired() == {}


def test_an_arm_that_never_converged_retires_at_its_first_miss() -> None:
    job = pruning(num_pruning_rounds=0)
    choice = job.ask()
    job.miss(choice)

    assert job.retired() == {choice.batch_size: Retirement.MISSED}


def test_a_retired_arm_is_not_given() -> None:
    job = playing({8: 100.0, 16: 100.0, 32: 100.0})
    job.miss(a_run_of(job, 16))
    job.miss(a_run_of(job, 16))

    assert set(job.play({8: 100.0, 32: 100.0}, 30)) <= {8, 32}


def test_a_size_that_is_live_but_no_arm_is_not_given_in_stage_mab() -> None:
    job = playing({8: 100.0, 16: 50.0})
    job.sizes = {**job.sizes, 16: replace(job.sizes[16], is_arm=False)}

    assert set(job.play({8: 100.0}, 20)) == {8}


@pytest.mark.parametrize(("epochs", "observed"), [(1, 200.0), (99, 200.0), (100, 3.0)])
def test_a_run_that_its_script_ended_early_is_no_bargain(epochs: int, observed: float) -> None:
    knobs = Knobs(batch_sizes=(8, 16), default_batch_size=8, max_epochs=100, beta_knob=2.0)
    progress = replace(Progress.begin((8, 16), 8), stage=Stage.MAB, min_cost=100.0)
    sizes = {8: SizeState(8, converged=1, is_arm=True), 16: SizeState(16, converged=1, is_arm=True)}
    learnt = conclude(knobs, progress, sizes, batch_size=8, outcome=Outcome.TARGET_MISSED, cost=3.0, epochs=epochs)
    assert learnt.reward == -observed
