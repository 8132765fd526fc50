"""Drift: a run without a bound, when the bound itself is doubted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.policy.policy_job import MAB, Job, a_run_of, playing, pruning

from zeus_bso.policy.state import Retirement
from zeus_bso.protocol.words import Outcome


def drifting() -> Job:
    """A job in stage MAB after two cost-bound ends in a row, of two proven sizes."""
    job = playing()
    for size in (32, 64):
        job.miss(a_run_of(job, size), Outcome.COST_BOUND, cost=201.0)
    return job


def test_after_two_cost_bound_ends_in_a_row_of_proven_sizes_the_best_arm_runs_without_a_bound() -> None:
    job = drifting()
    choice = job.ask()

    assert (choice.batch_size, choice.trial_type, choice.uncapped) == (16, MAB, True)


def test_the_run_without_a_bound_says_why() -> None:
    assert "without a bound" in (drifting().ask().message or "")


def test_the_arm_that_checks_for_drift_is_a_live_one() -> None:
    job = playing()
    job.miss(a_run_of(job, 32), Outcome.COST_BOUND, cost=200.5)
    job.miss(a_run_of(job, 32), Outcome.COST_BOUND, cost=200.5)

    choice = job.ask()

    assert job.retired() == {32: Retirement.MISSED}
    assert (choice.batch_size, choice.uncapped) == (64, True)


def test_one_cost_bound_end_is_no_sign_of_drift() -> None:
    job = playing()
    job.miss(a_run_of(job, 32), Outcome.COST_BOUND)

    assert not job.ask().uncapped


@pytest.mark.parametrize("between", [Outcome.CONVERGED, Outcome.TARGET_MISSED, Outcome.DIVERGED])
def test_another_end_between_two_cost_bound_ends_breaks_the_row(between: Outcome) -> None:
    job = playing()
    job.miss(a_run_of(job, 32), Outcome.COST_BOUND)
    job.end(a_run_of(job, 16), 120.0, between)
    job.miss(a_run_of(job, 64), Outcome.COST_BOUND)

    assert not job.ask().uncapped


def test_cost_bound_ends_of_sizes_that_never_converged_are_no_sign_of_drift() -> None:
    job = pruning(num_pruning_rounds=0)
    job.end(job.ask(), 100.0)
    for _ in range(2):
        job.miss(job.ask(), Outcome.COST_BOUND, cost=201.0)

    assert not job.ask().uncapped


def test_cost_bound_ends_in_pruning_are_no_sign_of_drift() -> None:
    job = pruning((16, 32, 64), 32, num_pruning_rounds=2)
    job.play({16: 100.0, 32: 100.0, 64: 100.0}, 4)
    job.miss(job.ask(), Outcome.COST_BOUND, cost=201.0)
    job.miss(job.ask(), Outcome.COST_BOUND, cost=201.0)

    assert not job.ask().uncapped


def test_one_run_without_a_bound_at_a_time() -> None:
    job = drifting()
    job.ask()

    assert not job.ask().uncapped


def test_a_run_without_a_bound_that_ends_without_a_result_is_tried_again() -> None:
    job = drifting()
    job.fail(job.ask())

    assert job.ask().uncapped


def test_when_the_run_without_a_bound_converges_its_cost_replaces_the_least() -> None:
    job = drifting()
    job.end(job.ask(), 300.0)

    assert job.progress.min_cost == 300.0


def test_when_the_run_without_a_bound_is_cheaper_than_ever_its_cost_is_the_least() -> None:
    job = drifting()
    job.end(job.ask(), 90.0)

    assert job.progress.min_cost == 90.0


def test_when_the_run_without_a_bound_converges_failures_start_to_count_anew() -> None:
    job = drifting()
    job.end(job.ask(), 300.0)
    job.miss(a_run_of(job, 32), Outcome.COST_BOUND, cost=601.0)

    assert job.retired() == {}
    assert not job.ask().uncapped


@pytest.mark.parametrize("outcome", [Outcome.TARGET_MISSED, Outcome.DIVERGED])
def test_when_the_run_without_a_bound_misses_the_least_cost_stays(outcome: Outcome) -> None:
    job = drifting()
    job.miss(job.ask(), outcome, cost=500.0)

    assert job.progress.min_cost == 100.0
    assert not job.ask().uncapped


def missed_out_of_the_game() -> Job:
    """A job in which 32 was retired for missing twice, and the next ask runs without a bound."""
    job = playing()
    for _ in range(2):
        job.miss(a_run_of(job, 32), Outcome.COST_BOUND, cost=201.0)
    return job


def test_arms_that_the_old_bound_retired_come_back_when_costs_have_drifted() -> None:
    job = missed_out_of_the_game()
    job.end(job.ask(), 201.0)

    assert job.retired() == {}


def test_arms_retired_for_missing_stay_out_when_costs_have_not_drifted() -> None:
    job = missed_out_of_the_game()
    job.end(job.ask(), 200.0)

    assert job.retired() == {32: Retirement.MISSED}


@pytest.mark.parametrize("reason", [Retirement.OOM, Retirement.FAILURES])
def test_drift_brings_back_no_size_that_fails_for_another_reason(reason: Retirement) -> None:
    job = missed_out_of_the_game()
    job.sizes = {**job.sizes, 64: replace(job.sizes[64], retired=reason)}
    job.end(job.ask(), 300.0)

    assert job.retired() == {64: reason}


def test_drift_brings_back_no_size_that_pruning_took_out() -> None:
    job = missed_out_of_the_game()
    job.sizes = {**job.sizes, 64: replace(job.sizes[64], is_arm=False, retired=Retirement.MISSED)}
    job.end(job.ask(), 300.0)

    assert job.retired() == {64: Retirement.MISSED}


def test_a_job_whose_costs_rise_for_good_follows_them() -> None:
    job = playing()
    for _ in range(40):
        choice = job.ask()
        cost = 2.5 * {8: 130.0, 16: 120.0, 32: 100.0, 64: 110.0}[choice.batch_size]
        bounded = not choice.uncapped and cost > 2.0 * (job.progress.min_cost or 1e9)
        job.end(choice, 200.1 if bounded else cost, Outcome.COST_BOUND if bounded else Outcome.CONVERGED)

    assert job.progress.generation == 1
    assert job.progress.min_cost is not None
    assert job.progress.min_cost >= 250.0
    assert job.retired() == {}
