"""When a run ends: judged at every report."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zeus_bso.common import Outcome
from zeus_bso.policy.values import Knobs, Run

NON_FINITE_LIMIT = 3
"""So many metrics in a row that are not finite: the run has diverged."""


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


def target_reached(knobs: Knobs, metric: float | None) -> bool:
    """Whether the metric is at its target or beyond; a metric that is not finite is not."""
    if metric is None or not math.isfinite(metric):
        return False
    return metric >= knobs.target_metric if knobs.higher_is_better_metric else metric <= knobs.target_metric


def judge(
    knobs: Knobs,
    *,
    cost: float,
    metric: float | None,
    epoch: int,
    bound: float | None,
    non_finite_before: int,
    final: bool = False,
) -> Verdict:
    """Judge a report.

    The cost bound comes first, as in the reference: a run that reached its target over the bound was stopped by its
    cost, and is not a success.

    Args:
        knobs: The job's knobs.
        cost: Cost of the run so far [J].
        metric: Its metric; None counts as one that is not finite.
        epoch: Epochs trained so far.
        bound: Cost bound [J], of :func:`cost_bound`.
        non_finite_before: Metrics in a row before this one that were not finite.
        final: The script has ended by itself.

    Source:
        Zeus (NSDI'23), section 4.4, on early stopping.
    """
    reached = target_reached(knobs, metric)
    finite = metric is not None and math.isfinite(metric)
    non_finite = 0 if finite else non_finite_before + 1
    if bound is not None and cost > bound:
        outcome = Outcome.COST_BOUND
        message = f"Stopped: the cost of {cost:.6g} J is over the bound of {bound:.6g} J (beta_knob x least cost)."
        if reached:
            message += " The target was reached, but too expensively to count."
    elif reached:
        outcome = Outcome.CONVERGED
        message = f"Converged: the target metric was reached at a cost of {cost:.6g} J."
    elif epoch >= knobs.max_epochs:
        outcome = Outcome.TARGET_MISSED
        message = f"Stopped: the target was not reached within max_epochs ({knobs.max_epochs})."
    elif non_finite >= NON_FINITE_LIMIT:
        outcome = Outcome.DIVERGED
        message = f"Stopped: the metric was not finite {non_finite} times in a row."
    elif final:
        outcome = Outcome.TARGET_MISSED
        message = f"The run ended at epoch {epoch} of at most {knobs.max_epochs} without reaching its target."
    else:
        return Verdict(None, reached, non_finite, "Go on training.")
    return Verdict(outcome, reached, non_finite, message)


def judge_alone(knobs: Knobs, run: Run) -> Verdict:
    """Judge a report of a trial of an older generation: by target and epochs, whatever others have cost."""
    return judge(
        knobs,
        cost=run.cost,
        metric=run.metric,
        epoch=run.epoch,
        bound=None,
        non_finite_before=run.non_finite_before,
        final=run.final,
    )
