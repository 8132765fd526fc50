"""What the surrogate policy learns from runs that were recorded before the job, or beside it.

A whole run teaches its cost per epoch, and its epochs. A run of which only the epochs are known feeds the belief about
epochs, and nothing else. Either may be told of at any time, and is taken to be older than the job: it says nothing of
the machine that the job has now, nor of how costs have drifted since.
"""

from __future__ import annotations

import math
from dataclasses import replace

from zeus_bso.policy.retirement import after_stop
from zeus_bso.policy.state import (
    Knobs,
    Lesson,
    Progress,
    Retirement,
    RunState,
    Sizes,
    SizeState,
    SurrogateArmState,
    SurrogateState,
)
from zeus_bso.policy.surrogate.beliefs import warm_ups_of
from zeus_bso.policy.surrogate.learning import add_cost, add_epochs, add_epochs_noise, add_success, split_cost
from zeus_bso.policy.surrogate.surrogate_algorithm import IDLE_POWER_SHARE, STOPPED_FACTOR
from zeus_bso.protocol.words import Outcome, Stage

_OWN_FAILURES = frozenset({Retirement.OOM, Retirement.FAILURES})
"""Sizes that the job's own trials have retired so stay retired, whatever past runs say."""


def learn_past_run(
    knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome, *, reward: float
) -> Lesson:
    """Learn from a past run whose cost and epochs are known.

    The job has not paid for it, and owes no retry for it. It does not count as a recurrence either: how often the job
    will recur is judged by its own recurrences. The incumbent is not worked out anew: whoever has learnt all past runs
    does that once.

    Args:
        knobs: The job's knobs.
        progress: How far the job is.
        sizes: What is known about each size.
        run: The run.
        outcome: Whether it has converged, or missed its target.
        reward: The observation that its arm gets [-J].
    """
    state, before = progress.surrogate, sizes[run.batch_size]
    found = split_cost(run, warm_ups_of(sizes, (run.batch_size,)).get(run.batch_size, 0.0))
    after = add_cost(before, run, found, reward, _seen(state, before.surrogate))
    if outcome is Outcome.CONVERGED:
        state = add_epochs_noise(state, after.surrogate, found.log_needed)
        after = add_success(knobs, state, after, run, found)
        least = run.cost if progress.min_cost is None else min(progress.min_cost, run.cost)
        progress = replace(progress, stage=Stage.MAB, min_cost=least)
    else:
        state = _with_hint(progress, run)
        after = _after_miss(knobs, state, after, run)
    # The next run of the job is compared with the job's own run before it.
    after = replace(after, surrogate=replace(after.surrogate, last_pace=before.surrogate.last_pace))
    return Lesson(replace(progress, surrogate=state), {**sizes, run.batch_size: _still_retired(before, after)}, reward)


def learn_past_epochs(
    progress: Progress, sizes: Sizes, batch_size: int, epochs: int, outcome: Outcome
) -> tuple[Progress, Sizes]:
    """Learn from a past run of which only the epochs are known.

    Args:
        progress: How far the job is.
        sizes: What is known about each size.
        batch_size: Batch size of the run.
        epochs: Its epochs: to the target, or until it ended without it.
        outcome: Whether it has converged, or missed its target.
    """
    arm, state = sizes[batch_size].surrogate, progress.surrogate
    seen = _seen(state, arm)
    if outcome is Outcome.CONVERGED:
        log_epochs = math.log(max(1, epochs))
        state = add_epochs_noise(state, arm, log_epochs)
        arm = replace(add_epochs(state, arm, log_epochs), guess=None)
    elif not arm.runs:
        arm = replace(_with_guess(arm, epochs), seen=seen)
    after: Sizes = {**sizes, batch_size: replace(sizes[batch_size], surrogate=arm)}
    return replace(progress, surrogate=state), after


def _seen(state: SurrogateState, arm: SurrogateArmState) -> int:
    """To be told of a past run of a known size is not to look at the size again."""
    return arm.seen if arm.epoch_sum or arm.runs else state.started


def _with_hint(progress: Progress, run: RunState) -> SurrogateState:
    """The state, which holds before any run has converged whether to try larger sizes first."""
    if progress.stage is not Stage.PRUNING:
        return progress.surrogate
    idle = run.power_share is not None and run.power_share < IDLE_POWER_SHARE
    return replace(progress.surrogate, larger_first=idle)


def _after_miss(knobs: Knobs, state: SurrogateState, size: SizeState, run: RunState) -> SizeState:
    """The size after a past run that ended without its target.

    With fewer than ``max_epochs`` epochs it was ended for a reason of its own, such as another target: it needs more
    epochs, and that is all. With as many it retires its size, unless that has ever converged in the job.
    """
    arm = size.surrogate
    missed = run.epoch >= knobs.max_epochs
    if not arm.runs:
        size = replace(size, surrogate=_with_guess(arm, run.epoch))
    elif missed:
        size = replace(size, surrogate=add_epochs(state, arm, math.log(STOPPED_FACTOR * run.epoch)))
    return after_stop(size, Outcome.TARGET_MISSED) if missed and not size.ever_converged else size


def _with_guess(arm: SurrogateArmState, epochs: int) -> SurrogateArmState:
    """The arm of a size that needs more epochs than that."""
    guess = math.log(STOPPED_FACTOR * max(1, epochs))
    return replace(arm, guess=guess if arm.guess is None else max(arm.guess, guess))


def _still_retired(before: SizeState, after: SizeState) -> SizeState:
    if before.retired not in _OWN_FAILURES:
        return after
    return replace(
        after,
        retired=before.retired,
        no_result_in_row=before.no_result_in_row,
        oom_in_row=before.oom_in_row,
    )
