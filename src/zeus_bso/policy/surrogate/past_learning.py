"""What the surrogate policy learns from runs that were recorded before the job, or beside it.

A whole run teaches what a run of the job itself would teach. A run of which only the epochs are known feeds the belief
about epochs, and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import replace

from zeus_bso.policy.state import Knobs, Lesson, Progress, Retirement, RunState, Sizes, SizeState
from zeus_bso.policy.surrogate.learning import add_epochs, add_epochs_noise
from zeus_bso.policy.surrogate.surrogate_algorithm import STOPPED_FACTOR, learn_run, recalibrated
from zeus_bso.protocol.words import Outcome

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
    before = progress.surrogate
    if outcome is not Outcome.CONVERGED:
        # How far a run has missed its target is judged by what the best size costs.
        progress = recalibrated(knobs, progress, sizes)
    lesson = learn_run(knobs, progress, sizes, run, outcome, reward=reward)
    state = replace(
        lesson.progress.surrogate,
        retries_owed=before.retries_owed,
        spent=before.spent,
        look_spent=before.look_spent,
    )
    after = _still_retired(sizes[run.batch_size], lesson.sizes)
    return Lesson(replace(lesson.progress, surrogate=state), after, lesson.reward)


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
    log_epochs = math.log(max(1, epochs)) - state.epochs_level
    if outcome is Outcome.CONVERGED:
        state = add_epochs_noise(state, arm, log_epochs)
        arm = replace(add_epochs(arm, log_epochs), guess=None)
    elif not arm.runs:
        arm = replace(arm, guess=log_epochs + math.log(STOPPED_FACTOR), seen=state.started)
    after: Sizes = {**sizes, batch_size: replace(sizes[batch_size], surrogate=arm)}
    return replace(progress, surrogate=state), after


def _still_retired(before: SizeState, sizes: Sizes) -> Sizes:
    if before.retired not in _OWN_FAILURES:
        return sizes
    after = replace(
        sizes[before.batch_size],
        retired=before.retired,
        no_result_in_row=before.no_result_in_row,
        oom_in_row=before.oom_in_row,
    )
    return {**sizes, before.batch_size: after}
