"""A decider that gives what it is told, and judges by target and epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zeus_bso.protocol.words import FailReason, Outcome
from zeus_bso.simulator.runner import EpochReport, GivenTrial, ReportAnswer

NEVER: Callable[[EpochReport], bool] = lambda report: False  # noqa: E731


class Scripted:
    """Gives batch sizes in turn, the last one for ever.

    Attributes:
        events: What happened, in order: ``ask 1``, ``end 1``, ``fail 1``.
        reports: All reports, by trial number.
    """

    def __init__(
        self,
        *sizes: int,
        target: float = 0.9,
        max_epochs: int = 10,
        power_limit_w: float | None = None,
        stops: Callable[[EpochReport], bool] = NEVER,
    ) -> None:
        self.power_limit_w = power_limit_w
        self.events: list[str] = []
        self.reports: dict[int, list[EpochReport]] = {}
        self._sizes: Sequence[int] = sizes
        self._target = target
        self._max_epochs = max_epochs
        self._stops = stops

    def ask(self) -> GivenTrial:
        number = len(self.reports) + 1
        self.reports[number] = []
        self.events.append(f"ask {number}")
        return GivenTrial(number, self._sizes[min(number, len(self._sizes)) - 1])

    def report(self, trial: GivenTrial, report: EpochReport) -> ReportAnswer:
        self.reports[trial.number].append(report)
        reached = report.metric >= self._target
        outcome = (
            Outcome.COST_BOUND
            if self._stops(report)
            else Outcome.CONVERGED
            if reached
            else Outcome.TARGET_MISSED
            if report.epoch >= self._max_epochs
            else None
        )
        if outcome is not None:
            self.events.append(f"end {trial.number}")
        return ReportAnswer(outcome, reached)

    def fail(self, trial: GivenTrial, reason: FailReason) -> None:
        self.events.append(f"fail {trial.number}")
