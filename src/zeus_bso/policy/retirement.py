"""Failed batch sizes are not given again: when a size retires, and what brings it back."""

from __future__ import annotations

from dataclasses import replace

from zeus_bso.policy.state import Knobs, Retirement, Sizes, SizeState
from zeus_bso.protocol.words import FailReason, Outcome, Stage

MISSES_TO_RETIRE = 2
BARREN_ENDS_TO_RETIRE = 3
BARREN_REASONS = frozenset({FailReason.EXPIRED, FailReason.ERROR})


def after_success(size: SizeState, cost: float) -> SizeState:
    """A converged trial: all that was held against the size is forgotten."""
    return replace(
        size,
        converged=size.converged + 1,
        ever_converged=True,
        best_cost=cost if size.best_cost is None else min(size.best_cost, cost),
        missed_in_row=0,
        no_result_in_row=0,
        oom_in_row=0,
        retired=None,
    )


def ended_by_script(knobs: Knobs, outcome: Outcome, epochs: int | None) -> bool:
    """Whether a run missed its target because its script trained less than ``max_epochs``, by its own word alone."""
    return outcome is Outcome.TARGET_MISSED and epochs is not None and epochs < knobs.max_epochs


def after_miss(size: SizeState, stage: Stage, *, by_script: bool = False) -> SizeState:
    """A trial that was decided without converging.

    In Pruning it takes the size out, and so it does for a size that has never converged. A proven size may have had bad
    luck, and a script may have ended early for reasons of its own: then the size retires when it misses twice in a row.

    Args:
        size: The size.
        stage: The job's stage.
        by_script: Of :func:`ended_by_script`.
    """
    return _missed(size, at_once=not by_script and (stage is Stage.PRUNING or not size.converged))


def after_stop(size: SizeState, outcome: Outcome, *, by_script: bool = False) -> SizeState:
    """A trial of the surrogate policy that was decided without converging.

    A size that missed its target within ``max_epochs`` before it has ever reached it, or twice in a row, retires, and
    so does one that diverged twice in a row. A run that was stopped on the way has failed by what others cost: its
    size rests. A script may have ended early for reasons of its own: that counts at the second time in a row.

    Args:
        size: The size.
        outcome: What was decided.
        by_script: Of :func:`ended_by_script`.
    """
    if outcome in (Outcome.COST_BOUND, Outcome.CURVE_STOP):
        return replace(size, no_result_in_row=0, oom_in_row=0)
    return _missed(size, at_once=outcome is Outcome.TARGET_MISSED and not size.converged and not by_script)


def after_failure(sizes: Sizes, batch_size: int, reason: FailReason) -> Sizes:
    """A trial that ended without a decision.

    Only running out of memory and repeated failure say anything about the size: three ends in a row without a result
    retire it. Out of memory counts against the size and all larger ones; one that has converged before retires only at
    the second time in a row.
    """
    if reason is FailReason.OOM:
        return {size: _after_oom(state) if size >= batch_size else state for size, state in sizes.items()}
    if reason not in BARREN_REASONS:
        return sizes
    state = sizes[batch_size]
    barren = state.no_result_in_row + 1
    retired = state.retired or (Retirement.FAILURES if barren >= BARREN_ENDS_TO_RETIRE else None)
    return {**sizes, batch_size: replace(state, no_result_in_row=barren, retired=retired)}


def undo_failure(sizes: Sizes, batch_size: int, reason: FailReason) -> Sizes:
    """A trial that had ended for ``reason`` is heard of again: its end was none, and does not count."""
    state = sizes[batch_size]
    if reason not in BARREN_REASONS or not state.no_result_in_row:
        return sizes
    barren = state.no_result_in_row - 1
    lifted = state.retired is Retirement.FAILURES and barren < BARREN_ENDS_TO_RETIRE
    return {
        **sizes,
        batch_size: replace(state, no_result_in_row=barren, retired=None if lifted else state.retired),
    }


def _missed(size: SizeState, *, at_once: bool) -> SizeState:
    missed = size.missed_in_row + 1
    retires = at_once or missed >= MISSES_TO_RETIRE
    return replace(
        size,
        missed_in_row=missed,
        no_result_in_row=0,
        oom_in_row=0,
        retired=(size.retired or Retirement.MISSED) if retires else size.retired,
    )


def _after_oom(state: SizeState) -> SizeState:
    strikes = state.oom_in_row + 1
    retires = strikes >= 2 or not state.ever_converged
    return replace(state, oom_in_row=strikes, retired=Retirement.OOM if retires else state.retired)
