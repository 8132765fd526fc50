"""What the server would say of a report, while it says nothing: the same rules, the same sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zeus_bso.common import Outcome, ReportResponse
from zeus_bso.cost import zeus_cost


@dataclass(frozen=True)
class Rules:
    """By what a run is judged.

    Attributes:
        target_metric: The metric at which it has converged.
        higher_is_better_metric: Whether the metric rises as the model improves.
        max_epochs: Epochs after which it has missed its target.
        eta_knob: Weight of energy against time in its cost.
        max_power_w: Summed maximum power limit of the devices [W].
        cost_bound_j: Cost at which it is stopped [J]; None: it is not, or the bound is not known.
    """

    target_metric: float
    higher_is_better_metric: bool
    max_epochs: int
    eta_knob: float
    max_power_w: float
    cost_bound_j: float | None = None


class Judge:
    """Judges one run; it is told of every evaluation, whoever judges it, as some rules look back.

    Args:
        rules: By what.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._non_finite_before = 0
        self._non_finite = 0

    def note(self, metric: float) -> None:
        """Hear of an evaluation."""
        self._non_finite_before = self._non_finite
        self._non_finite = 0 if math.isfinite(metric) else self._non_finite + 1

    def judge(
        self, metric: float | None, *, epoch: int, time_s: float, energy_j: float, final: bool = False
    ) -> ReportResponse:
        """Judge the evaluation that was noted last.

        Args:
            metric: Its metric; None: it was not finite.
            epoch: Epochs trained.
            time_s: Training time so far [s].
            energy_j: Energy used so far [J].
            final: The script has ended by itself.
        """
        # Loaded when it is needed, which most runs never do.
        from zeus_bso.policy import early_stop
        from zeus_bso.policy.values import Knobs

        rules = self._rules
        verdict = early_stop.judge(
            Knobs(
                batch_sizes=(1,),
                default_batch_size=1,
                target_metric=rules.target_metric,
                higher_is_better_metric=rules.higher_is_better_metric,
                max_epochs=rules.max_epochs,
            ),
            cost=zeus_cost(energy_j, time_s, rules.eta_knob, rules.max_power_w),
            metric=metric,
            epoch=epoch,
            bound=rules.cost_bound_j,
            non_finite_before=self._non_finite_before,
            final=final,
        )
        return ReportResponse(
            stop_train=verdict.outcome is not None,
            converged=verdict.outcome is Outcome.CONVERGED,
            message=verdict.message,
            outcome=verdict.outcome,
            target_reached=verdict.target_reached,
        )
