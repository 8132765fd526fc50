"""When a run ends: judged at every report."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zeus_bso.policy.state import Knobs, RunState, Target
from zeus_bso.protocol.words import Outcome
from zeus_bso.units import counted, energy, plain

NON_FINITE_LIMIT = 3
"""So many metrics in a row that are not finite: the run has diverged."""

ROUNDING = 1e-12
"""Relative error that a few operations in double precision may leave."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a report means for the run.

    Attributes:
        outcome: The decision; None: the run goes on.
        target_reached: The metric has reached its target, whatever was decided.
        non_finite_in_row: Metrics in a row, up to this one, that are not finite.
        message: Why, in a sentence.
    """

    outcome: Outcome | None
    target_reached: bool
    non_finite_in_row: int
    message: str


def cost_bound(knobs: Knobs, min_cost: float | None, *, uncapped: bool) -> float | None:
    """Cost at which a run is stopped [J]: ``beta_knob * min_cost``; None: it is not."""
    if uncapped or knobs.beta_knob is None or min_cost is None:
        return None
    bound = knobs.beta_knob * min_cost
    return bound if math.isfinite(bound) else None


def target_reached(target: Target, metric: float | None) -> bool:
    """Whether the metric is at its target or beyond; a metric that is not finite is not.

    A metric that differs from the target by rounding alone is at the target: ``0.03 * 30`` is a little less than 0.9.
    """
    if metric is None or not math.isfinite(metric):
        return False
    if math.isclose(metric, target.metric, rel_tol=ROUNDING):
        return True
    return metric > target.metric if target.higher_is_better else metric < target.metric


def judge(
    target: Target,
    *,
    cost: float,
    metric: float | None,
    epoch: int,
    bound: float | None,
    non_finite_before: int,
    epoch_bound: int | None = None,
    final: bool = False,
) -> Verdict:
    """Judge a report.

    The cost bound comes first, as in the reference: a run that reached its target over the bound was stopped by its
    cost, and is not a success.

    Args:
        target: What it is to reach.
        cost: Cost of the run so far [J].
        metric: Its metric; None counts as one that is not finite.
        epoch: Epochs trained so far.
        bound: Cost bound [J], of :func:`cost_bound`.
        non_finite_before: Metrics in a row before this one that were not finite.
        epoch_bound: Epochs after which it is stopped because another job needed fewer; None: it is not.
        final: The script has ended by itself.

    Source:
        Zeus (NSDI'23), section 4.4, on early stopping.
    """
    reached = target_reached(target, metric)
    finite = metric is not None and math.isfinite(metric)
    non_finite = 0 if finite else non_finite_before + 1
    if bound is not None and cost > bound:
        outcome = Outcome.COST_BOUND
        message = (
            f"Stopped: the cost of {_joules(cost)} is over the bound of {_joules(bound)}, a multiple of what the best "
            "known size costs."
        )
        if reached:
            message += " The target was reached, but too expensively to count."
    elif reached:
        outcome = Outcome.CONVERGED
        message = f"Converged: the target metric was reached at a cost of {_joules(cost)}."
    elif epoch >= target.max_epochs:
        outcome = Outcome.TARGET_MISSED
        message = f"Stopped: the target was not reached within max_epochs ({target.max_epochs})."
    elif epoch_bound is not None and epoch >= epoch_bound:
        outcome = Outcome.COST_BOUND
        message = (
            f"Stopped: the target was not reached within {plain(counted(epoch_bound, 'epoch'))}, "
            "twice as many as the job needs at this batch size whose results this job began with."
        )
    elif non_finite >= NON_FINITE_LIMIT:
        outcome = Outcome.DIVERGED
        message = f"Stopped: the metric was not finite {non_finite} times in a row."
    elif final:
        outcome = Outcome.TARGET_MISSED
        message = (
            f"The run ended at epoch {epoch} of at most {target.max_epochs} without reaching its target. "
            "The second such end of a batch size in a row retires it."
        )
    else:
        return Verdict(None, reached, non_finite, "Go on training.")
    return Verdict(outcome, reached, non_finite, message)


def _joules(cost: float) -> str:
    return plain(energy(cost))


def judge_alone(target: Target, run: RunState) -> Verdict:
    """Judge a report of a trial of an older generation: by target and epochs, whatever others have cost."""
    return judge(
        target,
        cost=run.cost,
        metric=run.metric,
        epoch=run.epoch,
        bound=None,
        non_finite_before=run.non_finite_before,
        final=run.final,
    )
