"""One launch of a script, from its ask to its run."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from zeus_bso.client.connection.api import Api, RunIsAliveError
from zeus_bso.client.delivery.spool import Spool
from zeus_bso.client.delivery.spool_flush import flush_in_background, flush_run
from zeus_bso.client.meter import Meter
from zeus_bso.client.power.control import PowerControl
from zeus_bso.client.resume import SavedRun
from zeus_bso.client.run_id import fresh_run_id, reused_name
from zeus_bso.client.stop_rules import JobRules, LocalStopRules
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.client.training_run import TrainingRun
from zeus_bso.power.ledger import NO_DIFFERENCE, Difference
from zeus_bso.protocol.messages import AskForTrial, RunTotals, TrialId, TrialOffer

logger = logging.getLogger("zeus_bso")


@dataclass(frozen=True)
class AskResult:
    """The trial that the server offers, and where the run starts in it.

    Attributes:
        run_id: Name of the recurrence.
        offer: The trial.
        start: Use of the run up to where it starts.
        missing_s: The part of that time without an energy measurement [s].
        profiling: What measuring power limits had cost beyond them.
        resumed: Whether the run goes on from the saved state.
    """

    run_id: str
    offer: TrialOffer
    start: RunTotals
    resumed: bool
    missing_s: float = 0.0
    profiling: Difference = NO_DIFFERENCE


class Launch:
    """One launch of the script. It asks for a trial and takes part in it.

    Args:
        api: The server.
        instance: Name of this process. None in a process that does not ask.
        heartbeat_s: Time between two heartbeats [s]. None to send none.
        run_id: Name of the recurrence.
        named: Whether the script or the environment gave this name. Otherwise it is from the saved run, or new.
        saved: The run from a checkpoint. None if there is none.
        keeps: Whether messages that cannot be sent are kept on disk, for later runs to send.

    Attributes:
        run_id: The run id of the ask.
    """

    def __init__(
        self,
        api: Api,
        *,
        instance: str | None,
        heartbeat_s: float | None,
        run_id: str,
        named: bool,
        saved: SavedRun | None,
        keeps: bool,
    ) -> None:
        self.run_id = run_id
        self._api = api
        self._instance = instance
        self._heartbeat_s = heartbeat_s
        self._named = named
        self._saved = saved
        self._keeps = keeps

    def ask(self, job_id: str, guard: TrainingGuard, *, explore: bool) -> AskResult:
        """Send the spooled messages of dead runs, then ask for a trial: the saved run's if it goes on, else a new one.

        Raises:
            ZeusBSORequestError: The server refuses the question.
            ZeusBSOServerUnreachableError: No server answers, or the server is not ready.
        """
        self._flush(guard)
        asked = self._ask(job_id, explore=explore)
        if asked.offer.finished:
            logger.warning(
                "The run %s has converged already, with batch size %d. Nothing is left to train.",
                asked.run_id,
                asked.offer.batch_size,
            )
        return asked

    def join(
        self, trial: TrialId, meter: Meter, rules: JobRules, power: PowerControl, guard: TrainingGuard, *, epoch: int
    ) -> TrainingRun:
        """Take part in an offered trial, from this epoch on."""
        spool = None
        if self._keeps and self._instance is not None:
            spool = Spool(self._api.transport.address, trial, instance=self._instance, run_id=self.run_id)
        run = TrainingRun(
            self._api,
            trial,
            meter,
            LocalStopRules(rules),
            power,
            guard,
            instance=self._instance,
            spool=spool,
            epoch=epoch,
        )
        if self._heartbeat_s is not None and self._instance is not None:
            run.start_heartbeat(self._heartbeat_s)
        return run

    def _flush(self, guard: TrainingGuard) -> None:
        """Send spooled messages: those of this run at once, because one may end it, and others in the background."""
        if self._keeps:
            with guard("send what earlier runs have left"):
                flush_run(self._api, self.run_id)
                flush_in_background(self._api)

    def _ask(self, job_id: str, *, explore: bool) -> AskResult:
        saved = self._usable_state(job_id)
        question = AskForTrial(
            job_id=job_id,
            run_id=self.run_id,
            heartbeat_s=self._heartbeat_s,
            instance=self._instance,
            checkpoint=saved.checkpoint if saved is not None else None,
            explore=explore,
        )
        try:
            offer = self._api.ask(question)
        except RunIsAliveError:
            taken, self.run_id = self.run_id, fresh_run_id()
            logger.warning("The run %s is trained by another process. This one goes on as %s.", taken, self.run_id)
            return self._ask_again(question)
        name = reused_name(self.run_id)
        if offer.finished and name == self.run_id and self._saved is None:
            self.run_id = fresh_run_id(name)
            logger.warning("A run %s has converged before. This is another run, and goes on as %s.", name, self.run_id)
            return self._ask_again(question)
        if saved is None:
            return AskResult(self.run_id, offer, RunTotals(), resumed=False)
        if saved.goes_on_in(offer):
            return AskResult(
                self.run_id,
                offer,
                saved.checkpoint,
                resumed=True,
                missing_s=saved.missing_s,
                profiling=Difference(saved.profiling_time, saved.profiling_energy),
            )
        if offer.finished and not self._named:
            self.run_id = fresh_run_id()
            return self._ask_again(question)
        return AskResult(self.run_id, offer, RunTotals(), resumed=False)

    def _usable_state(self, job_id: str) -> SavedRun | None:
        """The saved run. None if it cannot be used for this job. A run without a given name then gets a new id."""
        if self._saved is None or self._saved.usable(job_id, self.run_id):
            return self._saved
        if not self._named:
            self.run_id = fresh_run_id()
        return None

    def _ask_again(self, question: AskForTrial) -> AskResult:
        offer = self._api.ask(question.model_copy(update={"run_id": self.run_id, "checkpoint": None}))
        return AskResult(self.run_id, offer, RunTotals(), resumed=False)
