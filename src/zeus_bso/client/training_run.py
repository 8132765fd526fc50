"""One run of a trial: its reports, its heartbeats and its end."""

from __future__ import annotations

import logging
from dataclasses import replace

from zeus_bso.client.connection.api import Api, refusal, response
from zeus_bso.client.delivery.heartbeat import HeartbeatThread, SilenceTimer
from zeus_bso.client.delivery.sender import ReportSender
from zeus_bso.client.delivery.spool import Spool, TrialMessage
from zeus_bso.client.launcher import tell_launcher
from zeus_bso.client.meter import Meter
from zeus_bso.client.power.control import PowerControl
from zeus_bso.client.run_end import RunEnd
from zeus_bso.client.stop_rules import LocalStopRules
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.protocol.messages import Heartbeat, ReportResponse, RunTotals, TrainingResult, TrialEnd, TrialId
from zeus_bso.protocol.transport import Answer
from zeus_bso.protocol.words import FailReason

logger = logging.getLogger("zeus_bso")


class UnreportedRun:
    """A run that no server knows. The local rules decide when it stops.

    Args:
        rules: The local rules.
        meter: The time and energy of the run.

    Attributes:
        unfinished: Whether something is left to send.
        away: Whether the server does not answer.
        name: Name of the run in messages.
    """

    unfinished = False
    away = True
    name = "a run that no server knows"

    def __init__(self, rules: LocalStopRules, meter: Meter) -> None:
        self._rules = rules
        self._meter = meter

    def report(self, metric: float, epoch: int) -> ReportResponse:
        """Decide about an evaluation."""
        self._rules.note(metric)
        return self._rules.decide(metric, epoch=epoch, time_s=self._meter.time_s, energy_j=self._meter.energy_j)

    def end(self, end: RunEnd) -> None:
        """Do nothing: there is no server to tell."""

    def stop_threads(self, patience_s: float = 1.0) -> None:
        """Do nothing: there are no threads."""


class TrainingRun:
    """Talks to the server about one trial, from the ask to the end.

    Args:
        api: The server.
        trial: The trial.
        meter: The time and energy of the run.
        rules: The local rules, which decide while the server does not answer.
        power: The power limit of the run.
        guard: Logs refusals.
        instance: Name of this process. None in a process that did not ask, and reports on the same trial.
        spool: Keeps messages that the server has not received. None to keep none.
        epoch: Number of epochs that were trained before this run started.

    Attributes:
        name: Name of the run in messages.
    """

    def __init__(
        self,
        api: Api,
        trial: TrialId,
        meter: Meter,
        rules: LocalStopRules,
        power: PowerControl,
        guard: TrainingGuard,
        *,
        instance: str | None,
        spool: Spool | None,
        epoch: int = 0,
    ) -> None:
        self.name = f"trial {trial.trial_number} of {trial.job_id}"
        self._api = api
        self._trial = trial
        self._meter = meter
        self._rules = rules
        self._power = power
        self._guard = guard
        self._instance = instance
        self._spool = spool
        self._superseded = False
        self._reported = RunTotals(time=meter.time_s, energy=meter.energy_j, current_epoch=epoch)
        self._last: TrainingResult | None = None
        self._silence = SilenceTimer()
        self._end_message: TrialMessage | None = None
        # The end that was sent, or would be: a decision if it has no reason, and told to the script if it is final.
        self._run_end: RunEnd | None = None
        self._sender = ReportSender(api, spool, self._log_refusal)
        self._heartbeat_s: float | None = None
        self._heartbeat_thread: HeartbeatThread | None = None

    @property
    def away(self) -> bool:
        """Whether the server failed to answer the last time."""
        return self._superseded or self._sender.away

    @property
    def unfinished(self) -> bool:
        """Whether the end or result of the run has not reached the server yet."""
        return self._end_message is not None and (self._sender.pending or self._sender.spooled)

    def start_heartbeat(self, interval_s: float) -> None:
        """Start to send heartbeats."""
        self._heartbeat_s = interval_s
        self._heartbeat_thread = HeartbeatThread(self._api, self._heartbeat, interval_s)
        self._heartbeat_thread.start()

    def report(self, metric: float, epoch: int) -> ReportResponse:
        """Report an evaluation. Returns the decision of the server, or of the local rules if it does not answer."""
        self._take_back_end()
        self._rules.note(metric)
        use = self._power.use()
        result = TrainingResult(
            **self._trial.model_dump(),
            time=self._meter.time_s,
            energy=self._meter.energy_j,
            metric=metric,
            current_epoch=epoch,
            instance=self._instance,
            energy_source=self._meter.source,
            within_epoch=self._last is not None and epoch == self._last.current_epoch,
            power_limit=use.power_limit,
            power_profile=use.power_profile,
            profiling_time=self._meter.profiling.time_s,
            profiling_energy=self._meter.profiling.energy_j,
        )
        self._last = result
        said = None if self._superseded else self._read_answer(self._sender.send_and_wait(TrialMessage(report=result)))
        # Not earlier: if a heartbeat overtakes the report, the server takes the report for an old one.
        self._reported = RunTotals(time=result.time, energy=result.energy, current_epoch=epoch)
        if said is None:
            said = self._decide_locally(result)
        else:
            self._power.acknowledge(use.power_profile)
            if said.stop_train:
                self._run_end = RunEnd(None)
                self.stop_threads()
        if said.stop_train:
            self._tell_launcher(said, None)
        return said

    def end(self, end: RunEnd) -> ReportResponse | None:
        """Tell the server how the run ended. A second call tells it again, if the server has not received the end.

        The first end counts, unless memory ran out later. The next evaluation takes back an end that is no decision,
        and the run goes on.

        A run that ended by itself sends its last report again, marked as final. Without any evaluation it is cancelled.
        A process that did not ask for the trial sends its end only if memory ran out.

        Returns:
            The decision. None if there is none, or an earlier call returned it.
        """
        self._begin_to_tell(end.reason)
        if end.in_background:
            return None
        patience_s, wait_s = self._patience_s(), end.budget_s
        if end.final and end.budget_s is not None:
            patience_s, wait_s = end.budget_s / 8, end.budget_s * 3 / 4
        answer = None if self._end_message is None else self._sender.send_and_wait(self._end_message, wait_s)
        if end.budget_s is not None and self.unfinished:
            self._log_where_spooled()
        if not end.final:
            return None
        if end.budget_s is not None or not self.unfinished:
            self.stop_threads(patience_s)
        return self._conclude(answer)

    def stop_threads(self, patience_s: float = 1.0) -> None:
        """Stop the threads that send messages.

        Args:
            patience_s: How long to wait for each call that is under way [s].
        """
        self._stop_heartbeat(patience_s)
        self._sender.close(patience_s)

    def _begin_to_tell(self, reason: FailReason | None) -> None:
        known = self._run_end
        if known is not None and (known.reason in (None, FailReason.OOM) or reason is not FailReason.OOM):
            return
        self._stop_heartbeat(self._patience_s())
        if reason is None and self._last is None:
            reason = FailReason.CANCELLED
        self._run_end = RunEnd(reason, final=known is not None and known.final)
        self._end_message = self._make_end_message(reason)
        if self._end_message is not None:
            self._sender.send_later(self._end_message)

    def _conclude(self, answer: Answer | None) -> ReportResponse | None:
        """Tell the script and its launcher the result of the end, once."""
        assert self._run_end is not None
        if self._run_end.final:
            return None
        self._run_end = replace(self._run_end, final=True)
        said = None
        if self._end_message is not None and self._run_end.reason is None:
            said = self._read_answer(answer) or self._judge_locally(self._end_message.report, final=True)
        self._tell_launcher(said, self._run_end.reason)
        return said

    def _take_back_end(self) -> None:
        """Let the run go on after an end that is no decision, because it has evaluated."""
        self._silence.heard()
        if self._run_end is None or self._run_end.reason is None:
            return
        self._run_end = self._end_message = None
        if self._heartbeat_s is not None:
            self.start_heartbeat(self._heartbeat_s)

    def _stop_heartbeat(self, patience_s: float) -> None:
        if self._heartbeat_thread is not None:
            self._heartbeat_thread.stop(patience_s)

    def _decide_locally(self, result: TrainingResult) -> ReportResponse:
        """Decide about an evaluation that the server has not answered. Send a decision in the background."""
        said = self._judge_locally(result)
        if not said.stop_train:
            return said
        self._stop_heartbeat(self._patience_s())
        self._run_end = RunEnd(None)
        if self._superseded or self._instance is None:
            self.stop_threads(self._patience_s())
            return said
        self._end_message = TrialMessage(report=result.model_copy(update={"decided": said.outcome}))
        self._sender.send_later(self._end_message)
        return said

    def _patience_s(self) -> float:
        """How long a call of the script waits for other calls that are under way [s]."""
        return 0.01 if self._sender.away else 0.25

    def _judge_locally(self, result: TrainingResult | None, *, final: bool = False) -> ReportResponse:
        assert result is not None
        return self._rules.decide(
            result.metric, epoch=result.current_epoch, time_s=result.time, energy_j=result.energy, final=final
        )

    def _make_end_message(self, reason: FailReason | None) -> TrialMessage | None:
        if self._superseded or (self._instance is None and reason is not FailReason.OOM):
            return None
        if reason is None:
            assert self._last is not None
            return TrialMessage(report=self._last.model_copy(update={"final": True}))
        untold = self._sender.pending or self._sender.spooled
        end = TrialEnd(**self._trial.model_dump(), reason=reason, instance=self._instance)
        return TrialMessage(report=self._last if untold else None, end=end)

    def _tell_launcher(self, said: ReportResponse | None, reason: FailReason | None) -> None:
        if self._instance is not None:
            tell_launcher(self._trial, said, reason)

    def _read_answer(self, answer: Answer | None) -> ReportResponse | None:
        return None if answer is None else response(answer)

    def _log_refusal(self, answer: Answer) -> None:
        self._superseded = answer.status == 409
        effect = "goes on unreported" if self._superseded else "goes on; each report carries the run's totals"
        self._guard.log_once(f"{refusal(answer, self._api.transport.address)} Training {effect}.")

    def _log_where_spooled(self) -> None:
        address = self._api.transport.address
        if self._spool is None or not self._sender.spooled:
            logger.warning("The server at %s did not receive the end of the run, and it is kept nowhere.", address)
            return
        what = "The end is" if self._sender.latest_spooled else "Not the end, but an earlier report of it is"
        logger.warning(
            "The server at %s did not receive the end of the run. %s kept in %s. Once the server answers, send it "
            "with: zeus-bso flush",
            address,
            what,
            self._spool.path,
        )

    def _heartbeat(self) -> Heartbeat | None:
        if self._silence.is_long(self._heartbeat_s or 0.0):
            return None
        return Heartbeat(
            **self._trial.model_dump(),
            **self._reported.model_dump(),
            instance=self._instance,
            power_profile=self._power.use().power_profile,
        )
