"""The server's stop rules, applied locally while the server does not answer. The messages are the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zeus_bso.cost import zeus_cost
from zeus_bso.protocol.messages import ReportResponse
from zeus_bso.protocol.words import Outcome


@dataclass(frozen=True)
class JobRules:
    """The rules of a job by which its runs stop.

    Attributes:
        target_metric: The metric at which a run has converged.
        higher_is_better_metric: Whether the metric rises as the model improves.
        max_epochs: Number of epochs after which a run has missed its target.
        eta_knob: Weight of energy against time in the cost.
        max_power_w: Sum of the devices' maximum power limits [W].
        cost_bound_j: Cost at which a run is stopped [J]. None if there is no bound, or it is not known.
        epoch_bound: Epoch at which the run is stopped unless it has reached its target. None if there is no bound.
    """

    target_metric: float
    higher_is_better_metric: bool
    max_epochs: int
    eta_knob: float
    max_power_w: float
    cost_bound_j: float | None = None
    epoch_bound: int | None = None


class LocalStopRules:
    """Decides whether one run stops.

    Some rules look back, so this object must get every evaluation, including those that the server decides about.

    Args:
        rules: The rules of the job.
    """

    def __init__(self, rules: JobRules) -> None:
        self._rules = rules
        self._non_finite_before = 0
        self._non_finite = 0

    def note(self, metric: float) -> None:
        """Note an evaluation."""
        self._non_finite_before = self._non_finite
        self._non_finite = 0 if math.isfinite(metric) else self._non_finite + 1

    def decide(
        self, metric: float | None, *, epoch: int, time_s: float, energy_j: float, final: bool = False
    ) -> ReportResponse:
        """Decide about the evaluation that was noted last.

        Args:
            metric: Its metric. None if it was not finite.
            epoch: Number of trained epochs.
            time_s: Training time so far [s].
            energy_j: Energy used so far [J].
            final: Whether the script has ended by itself.
        """
        # Imported here, because most runs never need it.
        from zeus_bso.policy import stop
        from zeus_bso.policy.state import Target

        rules = self._rules
        verdict = stop.judge(
            Target(rules.target_metric, rules.higher_is_better_metric, rules.max_epochs),
            cost=zeus_cost(energy_j, time_s, rules.eta_knob, rules.max_power_w),
            metric=metric,
            epoch=epoch,
            bound=rules.cost_bound_j,
            non_finite_before=self._non_finite_before,
            epoch_bound=rules.epoch_bound,
            final=final,
        )
        return ReportResponse(
            stop_train=verdict.outcome is not None,
            converged=verdict.outcome is Outcome.CONVERGED,
            message=verdict.message,
            outcome=verdict.outcome,
            target_reached=verdict.target_reached,
        )
