"""Rounds of pruning, recurrences that overlap, and the way into the bandit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.policy.policy_job import CONCURRENT, EXPLORATION, MAB, SIZES, concurrent, pruning

from zeus_bso.policy.state import Retirement
from zeus_bso.protocol.words import Outcome, Stage


def test_the_first_recurrence_explores_the_default_size() -> None:
    choice = pruning().ask()

    assert (choice.batch_size, choice.trial_type, choice.round) == (32, EXPLORATION, 1)


def test_the_second_round_walks_the_survivors_from_the_cheapest_of_the_first() -> None:
    job = pruning()
    given = job.play({8: 100.0, 16: 80.0, 32: 90.0, 64: 95.0}, 9)

    assert given == [32, 16, 8, 64, 128, 16, 8, 32, 64]


def test_the_next_default_is_the_cheapest_of_its_own_round_whatever_was_cheapest_before() -> None:
    job = pruning((16, 32), 32, num_pruning_rounds=3)
    job.play({16: 80.0, 32: 90.0}, 2)
    job.play({16: 95.0, 32: 85.0}, 2)

    assert job.ask().batch_size == 32


def test_after_the_last_round_the_survivors_are_the_arms() -> None:
    job = pruning()
    job.play({8: 100.0, 16: 80.0, 32: 90.0, 64: 95.0}, 9)
    choice = job.ask()

    assert (job.progress.stage, choice.trial_type, choice.round) == (Stage.MAB, MAB, None)
    assert job.arms() == [8, 16, 32, 64]


def test_a_size_that_misses_in_the_last_round_is_no_arm() -> None:
    job = pruning((16, 32), 32)
    job.play({16: 80.0, 32: 90.0}, 2)
    job.play({16: 80.0}, 2)
    job.ask()

    assert (job.arms(), job.retired()) == ([16], {32: Retirement.MISSED})


@pytest.mark.parametrize("outcome", [Outcome.COST_BOUND, Outcome.TARGET_MISSED, Outcome.DIVERGED])
def test_whatever_kept_a_run_from_converging_it_ends_its_direction(outcome: Outcome) -> None:
    job = pruning()
    job.end(job.ask(), 100.0)
    job.miss(job.ask(), outcome)

    assert job.ask().batch_size == 64


def test_an_exploration_that_ends_without_a_result_is_given_again() -> None:
    job = pruning()
    job.fail(job.ask())
    choice = job.ask()

    assert (choice.batch_size, choice.trial_type) == (32, EXPLORATION)


def test_pruning_draws_no_random_numbers() -> None:
    job = pruning()
    before = job.rng.bit_generator.state
    job.play({32: 100.0, 16: 100.0, 64: 100.0}, 8)

    assert job.progress.stage is Stage.PRUNING
    assert job.rng.bit_generator.state == before


def test_without_rounds_of_pruning_every_size_is_an_arm_at_once() -> None:
    job = pruning(num_pruning_rounds=0)
    choice = job.ask()

    assert (choice.trial_type, job.arms()) == (MAB, list(SIZES))


def test_without_rounds_of_pruning_every_size_is_run_before_any_is_run_for_its_cost() -> None:
    job = pruning(num_pruning_rounds=0, mab_num_explorations=1)

    assert sorted(job.play(dict.fromkeys(SIZES, 100.0), len(SIZES))) == list(SIZES)


def test_rounds_that_are_taken_back_in_the_middle_make_arms_of_the_sizes_of_the_round() -> None:
    job = pruning((16, 32, 64), 32, num_pruning_rounds=3)
    job.play({16: 80.0, 32: 90.0}, 4)
    job.knobs = replace(job.knobs, num_pruning_rounds=1)
    choice = job.ask()

    assert (choice.trial_type, job.arms()) == (MAB, [16, 32])


def test_a_round_that_is_now_the_last_is_walked_to_its_end() -> None:
    job = pruning((16, 32, 64), 32, num_pruning_rounds=3)
    job.play({16: 80.0, 32: 90.0}, 4)
    job.knobs = replace(job.knobs, num_pruning_rounds=2)

    assert [job.play({16: 80.0, 32: 90.0}, 1), job.ask().trial_type] == [[32], MAB]


def test_rounds_that_are_added_in_the_middle_are_walked() -> None:
    job = pruning((16, 32), 32, num_pruning_rounds=1)
    job.play({16: 80.0, 32: 90.0}, 1)
    job.knobs = replace(job.knobs, num_pruning_rounds=2)

    assert (job.play({16: 80.0, 32: 90.0}, 3), job.ask().trial_type) == ([16, 16, 32], MAB)


def test_before_a_size_has_converged_others_run_the_size_under_exploration() -> None:
    job = pruning()
    job.ask()
    choice = job.ask()

    assert (choice.batch_size, choice.trial_type, choice.round) == (32, CONCURRENT, None)


def test_while_an_exploration_is_open_others_run_the_cheapest_converged_size() -> None:
    job = pruning()
    job.play({32: 90.0, 16: 80.0}, 2)
    job.ask()

    assert [(choice.batch_size, choice.trial_type) for choice in (job.ask(), job.ask())] == [(16, CONCURRENT)] * 2


def test_what_a_concurrent_run_costs_counts_towards_the_cheapest() -> None:
    job = pruning()
    job.play({32: 90.0, 16: 80.0}, 2)
    job.ask()
    job.end(concurrent(job, 32), 70.0)

    assert job.ask().batch_size == 32


def test_a_retired_size_is_not_run_concurrently_however_cheap_it_was() -> None:
    job = pruning()
    job.play({32: 90.0, 16: 80.0}, 2)
    job.ask()
    job.miss(concurrent(job, 16))

    assert job.ask().batch_size == 32


def test_while_the_size_under_exploration_is_retired_and_nothing_has_converged_others_run_a_live_one() -> None:
    job = pruning()
    job.ask()
    job.miss(concurrent(job, 32))
    choice = job.ask()

    assert (choice.batch_size, choice.trial_type) == (16, CONCURRENT)


def test_a_concurrent_success_does_not_advance_the_walk() -> None:
    job = pruning()
    exploration = job.ask()
    job.end(job.ask(), 100.0)
    job.fail(exploration)
    choice = job.ask()

    assert (choice.batch_size, choice.trial_type) == (32, EXPLORATION)


def test_a_concurrent_miss_does_not_end_a_direction() -> None:
    job = pruning()
    job.play({32: 100.0}, 1)
    exploration = job.ask()
    job.miss(concurrent(job, 16))
    job.end(exploration, 90.0)

    assert job.ask().batch_size == 8


def test_a_size_that_a_concurrent_miss_retired_before_its_turn_is_skipped() -> None:
    job = pruning()
    job.play({32: 100.0}, 1)
    job.miss(concurrent(job, 16))

    assert job.ask().batch_size == 8


def test_a_concurrent_miss_after_its_size_converged_takes_the_size_out_of_the_next_round() -> None:
    job = pruning((16, 32), 32)
    job.play({16: 80.0, 32: 90.0}, 2)
    job.miss(concurrent(job, 16))

    assert job.play({32: 90.0}, 1) == [32]
    assert job.ask().trial_type is MAB
    assert job.arms() == [32]


def test_a_concurrent_success_sets_the_least_cost() -> None:
    job = pruning()
    job.ask()
    job.end(job.ask(), 100.0)

    assert job.progress.min_cost == 100.0
