"""A job is never stuck, since a new generation begins."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.policy.policy_job import CONCURRENT, EXPLORATION, MAB, SIZES, Job, playing, pruning

from zeus_bso.policy.generation import begin_generation
from zeus_bso.policy.state import Retirement, SizeState
from zeus_bso.protocol.words import FailReason, Stage, TrialType


def test_when_every_arm_is_retired_a_new_generation_explores_from_the_default() -> None:
    job = playing({16: 100.0, 32: 110.0})
    job.sizes = {size: replace(state, retired=Retirement.MISSED) for size, state in job.sizes.items()}
    choice = job.ask()

    assert (choice.batch_size, choice.trial_type, job.progress.generation) == (16, EXPLORATION, 2)


def test_when_the_last_live_arm_retires_live_sizes_that_are_no_arms_do_not_keep_the_generation() -> None:
    job = playing({16: 100.0, 32: 110.0})
    job.sizes = {
        16: replace(job.sizes[16], retired=Retirement.MISSED),
        32: replace(job.sizes[32], is_arm=False),
    }
    job.ask()

    assert job.progress.generation == 2


def test_a_round_without_a_survivor_begins_a_new_generation() -> None:
    job = pruning()
    job.play({}, 2)
    job.ask()

    assert job.progress.generation == 2


def test_a_later_round_without_a_survivor_begins_a_new_generation() -> None:
    job = pruning((16, 32), 32)
    job.play({16: 100.0, 32: 100.0}, 2)
    job.play({}, 2)
    choice = job.ask()

    assert (job.progress.generation, choice.batch_size, choice.round) == (2, 32, 1)


def test_a_new_generation_starts_anew() -> None:
    job = playing({16: 100.0, 32: 110.0}, num_pruning_rounds=1)
    job.sizes = {
        16: replace(job.sizes[16], retired=Retirement.MISSED, missed_in_row=2, no_result_in_row=1),
        32: replace(job.sizes[32], retired=Retirement.FAILURES, no_result_in_row=3),
    }
    job.ask()

    assert (job.progress.stage, job.progress.round, job.progress.min_cost) == (Stage.PRUNING, 1, None)
    assert job.sizes == {size: SizeState(size, ever_converged=True) for size in (16, 32)}


def test_a_new_generation_leaves_out_what_does_not_fit_into_memory() -> None:
    job = pruning((16, 32, 64), 32)
    job.sizes = {**job.sizes, 32: replace(job.sizes[32], retired=Retirement.OOM)}
    job.sizes = {**job.sizes, 64: replace(job.sizes[64], retired=Retirement.OOM)}
    job.miss(job.ask())
    choice = job.ask()

    assert (job.progress.generation, choice.batch_size) == (2, 16)
    assert job.retired() == {32: Retirement.OOM, 64: Retirement.OOM}


def test_a_new_generation_with_a_default_that_does_not_fit_starts_at_a_size_that_does() -> None:
    job = playing({8: 100.0, 16: 110.0, 32: 120.0})
    job.sizes = {
        8: replace(job.sizes[8], retired=Retirement.OOM),
        16: replace(job.sizes[16], retired=Retirement.OOM),
        32: replace(job.sizes[32], retired=Retirement.MISSED),
    }
    choice = job.ask()

    assert (choice.batch_size, job.progress.generation, job.progress.try_all_sizes) == (32, 2, False)


def test_after_a_generation_in_which_something_converged_the_next_walks_as_the_first_did() -> None:
    job = playing({8: 100.0, 16: 100.0, 32: 100.0, 64: 100.0})
    job.sizes = {size: replace(state, retired=Retirement.MISSED) for size, state in job.sizes.items()}
    given = job.play({}, 2)

    assert (given, job.progress.try_all_sizes) == ([8, 16], False)


def barren(**settings: object) -> Job:
    """A job in whose first generation no size has converged, at the start of the second."""
    job = pruning(SIZES, 32, **settings)
    while job.ask().progress.generation == 1:
        job.miss(job.running[0])
    job.fail(job.running[0], FailReason.CANCELLED)
    return job


def test_after_a_generation_in_which_nothing_converged_every_size_is_tried_outward_from_the_default() -> None:
    assert barren().play({}, 5) == [32, 16, 64, 8, 128]


def test_every_size_is_tried_outward_even_where_no_round_of_pruning_is_asked_for() -> None:
    job = barren(num_pruning_rounds=0)

    assert job.play({}, 5) == [32, 16, 64, 8, 128]


def test_in_a_wide_generation_what_converged_goes_on_to_the_bandit() -> None:
    job = barren(num_pruning_rounds=1)
    job.play({8: 100.0, 128: 90.0}, 5)
    job.ask()

    assert (job.progress.stage, job.arms()) == (Stage.MAB, [8, 128])


def test_in_a_wide_generation_too_there_are_as_many_rounds_as_asked_for() -> None:
    job = barren(num_pruning_rounds=2)

    assert job.play({8: 100.0, 128: 90.0}, 7)[5:] == [128, 8]


def test_a_generation_after_a_wide_one_without_success_is_wide_again() -> None:
    job = barren()
    job.play({}, 5)

    assert job.play({}, 5) == [32, 16, 64, 8, 128]
    assert job.progress.generation == 3


def test_the_answers_of_a_wide_generation_say_that_no_size_reaches_the_target() -> None:
    job = barren(max_epochs=17)
    exploration, other = job.ask(), job.ask()

    for choice in (exploration, other):
        assert "within max_epochs (17)" in (choice.message or "")


def test_once_a_size_has_converged_the_answers_no_longer_say_that_none_does() -> None:
    job = barren()
    job.end(job.ask(), 100.0)

    assert [job.ask().message, job.ask().message] == [None, None]


def test_usual_answers_have_nothing_to_say() -> None:
    assert (pruning().ask().message, playing().ask().message) == (None, None)


def test_a_new_generation_keeps_the_random_stream() -> None:
    job = playing({16: 100.0})
    job.sizes = {16: replace(job.sizes[16], retired=Retirement.MISSED)}
    before = job.rng.bit_generator.state
    job.ask()

    assert job.rng.bit_generator.state == before


def test_a_reset_forgets_what_ran_out_of_memory_and_walks_as_usual() -> None:
    job = pruning((16, 32), 32)
    job.sizes = {16: SizeState(16), 32: SizeState(32, retired=Retirement.OOM, oom_in_row=2)}
    progress, sizes = begin_generation(job.knobs, job.progress, job.sizes, forget_oom=True)

    assert sizes == {16: SizeState(16), 32: SizeState(32)}
    assert (progress.generation, progress.try_all_sizes, progress.round_start) == (2, False, 32)


def test_a_new_generation_remembers_how_often_memory_ran_out() -> None:
    job = pruning((16, 32), 32)
    job.sizes = {16: SizeState(16), 32: SizeState(32, ever_converged=True, oom_in_row=1)}
    _, sizes = begin_generation(job.knobs, job.progress, job.sizes)

    assert sizes[32].oom_in_row == 1


@pytest.mark.parametrize(("job", "trial_type"), [(pruning(), CONCURRENT), (playing(), MAB)], ids=["Pruning", "MAB"])
def test_when_every_size_has_run_out_of_memory_the_smallest_is_given_and_the_message_says_so(
    job: Job, trial_type: TrialType
) -> None:
    job.sizes = {size: replace(state, retired=Retirement.OOM) for size, state in job.sizes.items()}
    choice = job.ask()

    assert (choice.batch_size, choice.trial_type, job.progress.generation) == (8, trial_type, 1)
    assert "memory" in (choice.message or "")


def test_when_the_smallest_fits_after_all_exploration_goes_on_from_it() -> None:
    job = pruning((8, 16), 16)
    job.sizes = {size: replace(state, retired=Retirement.OOM) for size, state in job.sizes.items()}
    job.end(job.ask(), 100.0)
    choice = job.ask()

    assert (choice.batch_size, choice.trial_type) == (8, EXPLORATION)


def test_when_the_smallest_runs_out_of_memory_again_it_is_given_again() -> None:
    job = pruning((8, 16), 16)
    job.sizes = {size: replace(state, retired=Retirement.OOM) for size, state in job.sizes.items()}
    job.fail(job.ask(), FailReason.OOM)

    assert job.ask().batch_size == 8


def test_when_not_all_sizes_are_out_of_memory_a_new_generation_tries_the_others() -> None:
    job = pruning((8, 16), 16)
    job.sizes = {
        8: replace(job.sizes[8], retired=Retirement.FAILURES),
        16: replace(job.sizes[16], retired=Retirement.OOM),
    }
    choice = job.ask()

    assert (choice.batch_size, job.progress.generation) == (8, 2)


def test_a_generation_that_the_default_s_own_failure_begins_starts_with_another_size() -> None:
    job = playing({16: 100.0, 32: 110.0})
    job.sizes = {**job.sizes, 32: replace(job.sizes[32], retired=Retirement.FAILURES, no_result_in_row=3)}
    for _ in range(2):
        job.miss(job.ask())
    choice = job.ask()

    assert (choice.batch_size, job.progress.generation) == (32, 2)
