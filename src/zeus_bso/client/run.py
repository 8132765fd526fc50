"""One run of a trial: its reports, its signs of life, its end."""

from __future__ import annotations

from zeus_bso.client.api import Api, refusal, response
from zeus_bso.client.guard import Guard
from zeus_bso.client.lease import Heart
from zeus_bso.client.meter import Meter
from zeus_bso.client.reporter import Reporter
from zeus_bso.client.transport import Answer
from zeus_bso.common import FailReason, Heartbeat, ReportResponse, TrainingResult, TrialEnd, TrialId


class Run:
    """Speaks to the server for one trial, from the ask to the end.

    Args:
        api: The server.
        trial: The trial.
        meter: What the run has used.
        instance: Names this process; None in a process that did not ask, whose reports are for the same trial.
        guard: Logs refusals.

    Attributes:
        superseded: Another process has taken the trial over; nothing more is reported.
    """

    def __init__(self, api: Api, trial: TrialId, meter: Meter, instance: str | None, guard: Guard) -> None:
        self.superseded = False
        self._api = api
        self._trial = trial
        self._meter = meter
        self._instance = instance
        self._guard = guard
        self._epoch = 0
        self._last: TrainingResult | None = None
        self._reporter = Reporter(api)
        self._heart: Heart | None = None

    def beat(self, interval_s: float) -> None:
        """Begin to send heartbeats."""
        self._heart = Heart(self._api, self._heartbeat, interval_s)
        self._heart.start()

    def report(self, metric: float, epoch: int) -> ReportResponse | None:
        """Report an evaluation.

        Returns:
            What the server decided; None: no decision came.
        """
        self._epoch = epoch
        self._last = TrainingResult(
            **self._trial.model_dump(),
            time=self._meter.time_s,
            energy=self._meter.energy_j,
            metric=metric,
            current_epoch=epoch,
            instance=self._instance,
            energy_source=self._meter.source,
        )
        answer = self._reporter.deliver(self._last)
        return None if answer is None else self._read(answer)

    def close(self, reason: FailReason | None, budget_s: float) -> ReportResponse | None:
        """Tell the server how the run ended.

        A run that ended by itself sends its last report again, marked as final; without any evaluation it is
        cancelled. A process that did not ask speaks up only when memory ran out.

        Args:
            reason: Why it ended; None: by itself.
            budget_s: Time that this may take [s].

        Returns:
            What the server decided; None: nothing.

        Raises:
            TransportError: No answer came.
        """
        self.hush(budget_s / 8)
        if self._instance is None and reason is not FailReason.OOM:
            return None
        if reason is None and self._last is not None:
            final = self._last.model_copy(update={"final": True})
            return self._read(self._api.report(final, budget_s * 3 / 4))
        end = TrialEnd(**self._trial.model_dump(), reason=reason or FailReason.CANCELLED, instance=self._instance)
        self._read(self._api.end(end, budget_s * 3 / 4))
        return None

    def hush(self, patience_s: float = 1.0) -> None:
        """Send nothing more by itself.

        Args:
            patience_s: How long to wait for each call under way [s].
        """
        if self._heart is not None:
            self._heart.stop(patience_s)
        self._reporter.close(patience_s)

    def _read(self, answer: Answer) -> ReportResponse | None:
        if answer.status >= 400:
            self.superseded = answer.status == 409
            effect = "goes on unreported" if self.superseded else "goes on; each report carries the run's totals"
            self._guard.say_once(f"{refusal(answer, self._api.transport.address)} Training {effect}.")
        return response(answer)

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(
            **self._trial.model_dump(),
            time=self._meter.time_s,
            energy=self._meter.energy_j,
            current_epoch=self._epoch,
            instance=self._instance,
        )
