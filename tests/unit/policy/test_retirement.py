"""What takes a batch size out, and what brings it back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zeus_bso.policy.retirement import (
    after_failure,
    after_miss,
    after_stop,
    after_success,
    ended_by_script,
    undo_failure,
)
from zeus_bso.policy.state import Knobs, Retirement, Sizes, SizeState
from zeus_bso.protocol.words import FailReason, Outcome, Stage

NEVER_CONVERGED = SizeState(64)
PROVEN = SizeState(64, converged=3, ever_converged=True, best_cost=100.0, is_arm=True)

BARREN = [FailReason.EXPIRED, FailReason.ERROR]
HARMLESS = [FailReason.PREEMPTED, FailReason.CANCELLED]


def job(*proven: int) -> Sizes:
    return {size: SizeState(size, converged=1, ever_converged=size in proven) for size in (16, 32, 64, 128)}


def retired(sizes: Sizes) -> dict[int, Retirement]:
    return {size: state.retired for size, state in sizes.items() if state.retired is not None}


def fail(sizes: Sizes, *ends: tuple[int, FailReason]) -> Sizes:
    for batch_size, reason in ends:
        sizes = after_failure(sizes, batch_size, reason)
    return sizes


@pytest.mark.parametrize("stage", list(Stage))
def test_a_size_that_misses_before_it_ever_converged_retires_at_once(stage: Stage) -> None:
    assert after_miss(NEVER_CONVERGED, stage).retired is Retirement.MISSED


def test_in_pruning_a_miss_takes_even_a_proven_size_out() -> None:
    assert after_miss(PROVEN, Stage.PRUNING).retired is Retirement.MISSED


def test_in_the_bandit_a_proven_size_may_miss_once() -> None:
    assert after_miss(PROVEN, Stage.MAB).live


def test_in_the_bandit_a_proven_size_retires_when_it_misses_twice_in_a_row() -> None:
    assert after_miss(after_miss(PROVEN, Stage.MAB), Stage.MAB).retired is Retirement.MISSED


def test_a_success_between_two_misses_keeps_a_proven_size() -> None:
    between = after_success(after_miss(PROVEN, Stage.MAB), 100.0)

    assert after_miss(between, Stage.MAB).live


@pytest.mark.parametrize("outcome", [Outcome.COST_BOUND, Outcome.CURVE_STOP])
@pytest.mark.parametrize("size", [NEVER_CONVERGED, PROVEN])
def test_however_often_runs_are_stopped_on_the_way_their_size_does_not_retire(
    size: SizeState, outcome: Outcome
) -> None:
    missed_once = after_stop(PROVEN, Outcome.TARGET_MISSED)
    for before in (size, missed_once):
        stopped = before
        for _ in range(5):
            stopped = after_stop(stopped, outcome)

        assert stopped.live
        assert stopped.missed_in_row == before.missed_in_row


@pytest.mark.parametrize(
    ("size", "outcome", "by_script", "ends"),
    [
        (NEVER_CONVERGED, Outcome.TARGET_MISSED, False, 1),
        (NEVER_CONVERGED, Outcome.TARGET_MISSED, True, 2),
        (PROVEN, Outcome.TARGET_MISSED, False, 2),
        (NEVER_CONVERGED, Outcome.DIVERGED, False, 2),
        (PROVEN, Outcome.DIVERGED, False, 2),
    ],
)
def test_a_size_of_the_surrogate_policy_retires_after_so_many_ends(
    size: SizeState, outcome: Outcome, by_script: bool, ends: int
) -> None:
    for end in range(1, ends + 1):
        size = after_stop(size, outcome, by_script=by_script)
        assert size.retired is (Retirement.MISSED if end == ends else None)


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("size", [NEVER_CONVERGED, PROVEN])
def test_a_scripts_own_word_retires_a_size_the_second_time_in_a_row(stage: Stage, size: SizeState) -> None:
    once = after_miss(size, stage, by_script=True)
    assert once.live
    assert after_miss(once, stage, by_script=True).retired is Retirement.MISSED
    assert after_miss(after_success(once, 100.0), stage, by_script=True).live


@pytest.mark.parametrize(
    ("outcome", "epochs", "by_script"),
    [
        (Outcome.TARGET_MISSED, 3, True),
        (Outcome.TARGET_MISSED, 10, False),
        (Outcome.COST_BOUND, 3, False),
        (Outcome.DIVERGED, 3, False),
        (Outcome.TARGET_MISSED, None, False),
    ],
)
def test_a_script_has_ended_its_run_if_it_missed_below_max_epochs(
    outcome: Outcome, epochs: int | None, by_script: bool
) -> None:
    knobs = Knobs(batch_sizes=(8,), default_batch_size=8, max_epochs=10)
    assert ended_by_script(knobs, outcome, epochs) is by_script


@pytest.mark.parametrize("reason", list(Retirement))
def test_a_success_lifts_any_retirement_of_its_size(reason: Retirement) -> None:
    assert after_success(replace(PROVEN, retired=reason), 100.0).live


def test_a_success_makes_a_size_proven() -> None:
    state = after_success(NEVER_CONVERGED, 100.0)

    assert (state.converged, state.ever_converged, state.best_cost) == (1, True, 100.0)


@pytest.mark.parametrize(("cost", "best"), [(90.0, 90.0), (110.0, 100.0)])
def test_a_success_keeps_the_least_cost_of_its_size(cost: float, best: float) -> None:
    assert after_success(PROVEN, cost).best_cost == best


@pytest.mark.parametrize("last", BARREN)
def test_three_ends_in_a_row_without_a_result_retire_a_size(last: FailReason) -> None:
    sizes = fail(job(), (64, FailReason.ERROR), (64, FailReason.EXPIRED), (64, last))

    assert retired(sizes) == {64: Retirement.FAILURES}


def test_three_ends_without_a_result_retire_a_proven_size_too() -> None:
    assert 64 in retired(fail(job(64), *[(64, FailReason.ERROR)] * 3))


@pytest.mark.parametrize("reason", BARREN)
def test_two_ends_without_a_result_retire_nothing(reason: FailReason) -> None:
    assert retired(fail(job(), (64, reason), (64, reason))) == {}


@pytest.mark.parametrize("reason", HARMLESS)
def test_a_preempted_or_cancelled_run_says_nothing_about_its_size(reason: FailReason) -> None:
    assert fail(job(), *[(64, reason)] * 5) == job()


def test_ends_without_a_result_are_counted_for_each_size() -> None:
    sizes = fail(job(), (64, FailReason.ERROR), (32, FailReason.ERROR), (64, FailReason.ERROR), (32, FailReason.ERROR))

    assert retired(sizes) == {}


def test_a_success_ends_the_row_of_ends_without_a_result() -> None:
    sizes = fail(job(), *[(64, FailReason.ERROR)] * 2)
    sizes = {**sizes, 64: after_success(sizes[64], 100.0)}

    assert retired(fail(sizes, *[(64, FailReason.ERROR)] * 2)) == {}


def test_a_miss_is_a_result_and_ends_the_row_of_ends_without_one() -> None:
    sizes = fail({64: PROVEN}, *[(64, FailReason.ERROR)] * 2)
    sizes = {64: after_miss(sizes[64], Stage.MAB)}

    assert retired(fail(sizes, *[(64, FailReason.ERROR)] * 2)) == {}


def test_running_out_of_memory_retires_the_size_and_all_larger_ones() -> None:
    assert retired(fail(job(), (64, FailReason.OOM))) == {64: Retirement.OOM, 128: Retirement.OOM}


def test_a_size_that_has_converged_before_survives_running_out_of_memory_once() -> None:
    assert retired(fail(job(64), (64, FailReason.OOM))) == {128: Retirement.OOM}


def test_a_size_that_has_converged_before_retires_when_memory_runs_out_twice_in_a_row() -> None:
    assert retired(fail(job(64, 128), (64, FailReason.OOM), (64, FailReason.OOM))) == {
        64: Retirement.OOM,
        128: Retirement.OOM,
    }


def test_a_larger_proven_size_survives_the_first_time_that_a_smaller_one_runs_out_of_memory() -> None:
    assert retired(fail(job(128), (32, FailReason.OOM))) == {32: Retirement.OOM, 64: Retirement.OOM}


def test_running_out_of_memory_says_nothing_about_smaller_sizes() -> None:
    sizes = fail(job(), (64, FailReason.OOM))

    assert (sizes[16], sizes[32]) == (job()[16], job()[32])


def test_a_success_between_two_times_without_memory_keeps_a_proven_size() -> None:
    sizes = fail(job(64), (64, FailReason.OOM))
    sizes = {**sizes, 64: after_success(sizes[64], 100.0)}

    assert 64 not in retired(fail(sizes, (64, FailReason.OOM)))


def test_a_miss_is_a_result_and_ends_the_row_of_times_without_memory() -> None:
    sizes = after_failure({64: PROVEN}, 64, FailReason.OOM)
    sizes = {64: after_miss(sizes[64], Stage.MAB)}

    assert retired(after_failure(sizes, 64, FailReason.OOM)) == {}


def test_running_out_of_memory_outweighs_an_earlier_retirement() -> None:
    sizes = {64: replace(NEVER_CONVERGED, retired=Retirement.MISSED)}

    assert retired(fail(sizes, (64, FailReason.OOM))) == {64: Retirement.OOM}


def test_a_miss_does_not_hide_that_memory_ran_out() -> None:
    state = after_miss(replace(NEVER_CONVERGED, retired=Retirement.OOM), Stage.PRUNING)

    assert state.retired is Retirement.OOM


@pytest.mark.parametrize("reason", BARREN)
def test_an_end_that_turns_out_to_be_none_is_not_counted(reason: FailReason) -> None:
    sizes = fail(job(), (64, reason), (64, reason))
    sizes = undo_failure(sizes, 64, reason)

    assert retired(fail(sizes, (64, reason))) == {}


@pytest.mark.parametrize("reason", BARREN)
def test_a_size_comes_back_when_the_end_that_retired_it_was_none(reason: FailReason) -> None:
    sizes = fail(job(), *[(64, reason)] * 3)

    assert retired(undo_failure(sizes, 64, reason)) == {}


def test_a_size_with_more_than_three_ends_does_not_come_back_for_one() -> None:
    sizes = fail(job(), *[(64, FailReason.EXPIRED)] * 4)

    assert retired(undo_failure(sizes, 64, FailReason.EXPIRED)) == {64: Retirement.FAILURES}


@pytest.mark.parametrize("reason", [Retirement.MISSED, Retirement.OOM])
def test_a_late_sign_of_life_lifts_no_other_retirement(reason: Retirement) -> None:
    sizes = {64: replace(NEVER_CONVERGED, no_result_in_row=1, retired=reason)}

    assert retired(undo_failure(sizes, 64, FailReason.EXPIRED)) == {64: reason}


@pytest.mark.parametrize("reason", HARMLESS)
def test_the_return_of_a_run_whose_end_did_not_count_changes_nothing(reason: FailReason) -> None:
    sizes = fail(job(), *[(64, FailReason.ERROR)] * 3)

    assert undo_failure(sizes, 64, reason) == sizes


def test_the_return_of_a_run_after_a_success_is_not_counted_below_zero() -> None:
    assert undo_failure(job(), 64, FailReason.ERROR) == job()
