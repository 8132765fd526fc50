"""One run of a trial: its reports, its signs of life, its end."""

from __future__ import annotations

import logging

from zeus_bso.client.api import Api, refusal, response
from zeus_bso.client.courier import Courier
from zeus_bso.client.guard import Guard
from zeus_bso.client.judge import Judge
from zeus_bso.client.lease import Heart
from zeus_bso.client.meter import Meter
from zeus_bso.client.outcome import tell_launcher
from zeus_bso.client.spool import Letter, Spool
from zeus_bso.client.transport import Answer
from zeus_bso.common import FailReason, Heartbeat, ReportResponse, Totals, TrainingResult, TrialEnd, TrialId

logger = logging.getLogger("zeus_bso")


class UnreportedRun:
    """A run that no server knows of, or not any more: it is judged by the rules known here.

    Args:
        judge: By what.
        meter: What the run has used.

    Attributes:
        reported: Whether a server hears of it.
        unfinished: Whether something is left to tell.
    """

    reported = False
    unfinished = False

    def __init__(self, judge: Judge, meter: Meter) -> None:
        self._judge = judge
        self._meter = meter

    def report(self, metric: float, epoch: int) -> ReportResponse:
        """Judge an evaluation."""
        self._judge.note(metric)
        return self._judge.judge(metric, epoch=epoch, time_s=self._meter.time_s, energy_j=self._meter.energy_j)

    def close(self, reason: FailReason | None, insist_s: float | None = None) -> ReportResponse | None:
        """Nothing is told; nothing is decided."""
        return None

    def hush(self, patience_s: float = 1.0) -> None:
        """It is silent."""


class Run:
    """Speaks to the server for one trial, from the ask to the end.

    Args:
        api: The server.
        trial: The trial.
        meter: What the run has used.
        judge: Judges while the server says nothing.
        guard: Logs refusals.
        instance: Names this process; None in a process that did not ask, whose reports are for the same trial.
        spool: Keeps what the server did not take; None: nothing does.
        epoch: Epochs trained before it starts.

    Attributes:
        reported: Whether a server hears of it.
    """

    reported = True

    def __init__(
        self,
        api: Api,
        trial: TrialId,
        meter: Meter,
        judge: Judge,
        guard: Guard,
        *,
        instance: str | None,
        spool: Spool | None,
        epoch: int = 0,
    ) -> None:
        self._api = api
        self._trial = trial
        self._meter = meter
        self._judge = judge
        self._guard = guard
        self._instance = instance
        self._spool = spool
        self._superseded = False
        self._told = Totals(time=meter.time_s, energy=meter.energy_j, current_epoch=epoch)
        self._last: TrainingResult | None = None
        self._last_words: Letter | None = None
        self._courier = Courier(api, spool, self._say_refusal)
        self._heart: Heart | None = None

    @property
    def unfinished(self) -> bool:
        """Whether its end or result is still to be told."""
        return self._last_words is not None and (self._courier.undelivered or self._courier.keeps)

    def beat(self, interval_s: float) -> None:
        """Begin to send heartbeats."""
        self._heart = Heart(self._api, self._heartbeat, interval_s)
        self._heart.start()

    def report(self, metric: float, epoch: int) -> ReportResponse:
        """Report an evaluation, and say what was decided: by the server, or by its rules while it says nothing."""
        self._judge.note(metric)
        result = TrainingResult(
            **self._trial.model_dump(),
            time=self._meter.time_s,
            energy=self._meter.energy_j,
            metric=metric,
            current_epoch=epoch,
            instance=self._instance,
            energy_source=self._meter.source,
            within_epoch=self._last is not None and epoch == self._last.current_epoch,
        )
        self._last = result
        said = None if self._superseded else self._read(self._courier.deliver(Letter(report=result)))
        # Not before: a heartbeat that overtakes its report would make it look like an old one.
        self._told = Totals(time=result.time, energy=result.energy, current_epoch=epoch)
        if said is None:
            said = self._decide(result)
        elif said.stop_train:
            self.hush()
        if said.stop_train:
            self._tell_launcher(said, None)
        return said

    def close(self, reason: FailReason | None, insist_s: float | None = None) -> ReportResponse | None:
        """Tell the server how the run ended; called again, tell it once more if it has not heard.

        A run that ended by itself sends its last report again, marked as final; without any evaluation it is
        cancelled. A process that did not ask speaks up only when memory ran out.

        Args:
            reason: Why it ended; None: by itself.
            insist_s: Keep trying for so long, and say where the rest is kept [s]; None: as with a report.

        Returns:
            What was decided; None: nothing.
        """
        patience_s = self._patience_s() if insist_s is None else insist_s / 8
        if self._heart is not None:
            self._heart.stop(patience_s)
        final = reason is None and self._last is not None
        first = self._last_words is None
        if first:
            self._last_words = self._parting_letter(reason, final=final)
        words = self._last_words
        if words is None or (not first and not self.unfinished):
            self.hush(patience_s)
            return None
        answer = self._courier.deliver(words, None if insist_s is None else insist_s * 3 / 4)
        if insist_s is not None and self.unfinished:
            self._say_where_it_is_kept()
        if insist_s is not None or not self.unfinished:
            self.hush(patience_s)
        said = None
        if first and final:
            said = self._read(answer) or self._judge_again(words.report, final=True)
        if first:
            self._tell_launcher(said, reason)
        return said

    def hush(self, patience_s: float = 1.0) -> None:
        """Send nothing more by itself.

        Args:
            patience_s: How long to wait for each call under way [s].
        """
        if self._heart is not None:
            self._heart.stop(patience_s)
        self._courier.close(patience_s)

    def _decide(self, result: TrainingResult) -> ReportResponse:
        """Judge an evaluation that no server judged; a decision is told in the background."""
        said = self._judge_again(result)
        if not said.stop_train:
            return said
        if self._heart is not None:
            self._heart.stop(self._patience_s())
        if self._superseded or self._instance is None:
            self.hush(self._patience_s())
            return said
        self._last_words = Letter(report=result.model_copy(update={"decided": said.outcome}))
        self._courier.post(self._last_words)
        return said

    def _patience_s(self) -> float:
        """For how long a call of the script waits for what is under way beside it [s]."""
        return 0.01 if self._courier.away else 0.25

    def _judge_again(self, result: TrainingResult | None, *, final: bool = False) -> ReportResponse:
        assert result is not None
        return self._judge.judge(
            result.metric, epoch=result.current_epoch, time_s=result.time, energy_j=result.energy, final=final
        )

    def _parting_letter(self, reason: FailReason | None, *, final: bool) -> Letter | None:
        if self._superseded or (self._instance is None and reason is not FailReason.OOM):
            return None
        if final:
            assert self._last is not None
            return Letter(report=self._last.model_copy(update={"final": True}))
        untold = self._courier.undelivered or self._courier.keeps
        end = TrialEnd(**self._trial.model_dump(), reason=reason or FailReason.CANCELLED, instance=self._instance)
        return Letter(report=self._last if untold else None, end=end)

    def _tell_launcher(self, said: ReportResponse | None, reason: FailReason | None) -> None:
        if self._instance is not None:
            tell_launcher(self._trial, said, reason)

    def _read(self, answer: Answer | None) -> ReportResponse | None:
        return None if answer is None else response(answer)

    def _say_refusal(self, answer: Answer) -> None:
        self._superseded = answer.status == 409
        effect = "goes on unreported" if self._superseded else "goes on; each report carries the run's totals"
        self._guard.say_once(f"{refusal(answer, self._api.transport.address)} Training {effect}.")

    def _say_where_it_is_kept(self) -> None:
        if self._spool is None or not self._courier.keeps:
            logger.warning("The server at %s could not be told how the run ended.", self._api.transport.address)
            return
        logger.warning(
            "The server at %s could not be told how the run ended. It is kept in %s; once the server answers, send it "
            "with: zeus-bso flush",
            self._api.transport.address,
            self._spool.path,
        )

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(**self._trial.model_dump(), **self._told.model_dump(), instance=self._instance)
