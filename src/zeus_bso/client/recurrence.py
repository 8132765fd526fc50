"""One launch of a script: from its ask to the run that it takes part in."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from zeus_bso.client.api import Api, RunIsAliveError
from zeus_bso.client.flush import flush_in_background, flush_run
from zeus_bso.client.guard import Guard
from zeus_bso.client.judge import Judge, Rules
from zeus_bso.client.meter import Meter
from zeus_bso.client.resume import SavedRun
from zeus_bso.client.run import Run
from zeus_bso.client.run_id import fresh_run_id
from zeus_bso.client.spool import Spool
from zeus_bso.common import AskForTrial, Totals, TrialId, TrialOffer

logger = logging.getLogger("zeus_bso")


@dataclass(frozen=True)
class Asked:
    """A trial, and where the run starts in it.

    Attributes:
        run_id: The recurrence's.
        offer: The trial.
        start: Where the run starts from.
        resumed: It goes on from the saved state.
    """

    run_id: str
    offer: TrialOffer
    start: Totals
    resumed: bool


class Recurrence:
    """One launch of the script, as the server sees it: asks for a trial, and takes part in it.

    Args:
        api: The server.
        instance: Names this process; None in a process that does not ask.
        heartbeat_s: It beats every so many seconds; None: it does not.
        run_id: Names the recurrence.
        named: The script or the environment named it; else the saved run did, or nobody.
        saved: The run that a checkpoint kept; None: there is none.
        keeps: Whether what cannot be told is kept on disk, and sent by later runs.

    Attributes:
        run_id: As it was asked for.
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

    def ask(self, job_id: str, guard: Guard, *, explore: bool) -> Asked:
        """Send what dead runs have left, and ask for a trial: the saved run's, if that goes on, else one of its own.

        Raises:
            ZeusBSORequestError: The server refuses the question.
            ZeusBSOServerUnreachableError: No server answers, or it is not ready.
        """
        self._flush(guard)
        asked = self._ask(job_id, explore=explore)
        if asked.offer.message and not asked.offer.resumed:
            logger.warning("%s", asked.offer.message)
        if asked.offer.finished:
            logger.warning(
                "The run %s has converged already, with batch size %d: nothing is left to train.",
                asked.run_id,
                asked.offer.batch_size,
            )
        return asked

    def join(self, trial: TrialId, meter: Meter, rules: Rules, guard: Guard, *, epoch: int) -> Run:
        """Take part in a trial that was offered, from this epoch on."""
        spool = None
        if self._keeps and self._instance is not None:
            spool = Spool(self._api.transport.address, trial, instance=self._instance, run_id=self.run_id)
        run = Run(self._api, trial, meter, Judge(rules), guard, instance=self._instance, spool=spool, epoch=epoch)
        if self._heartbeat_s is not None and self._instance is not None:
            run.beat(self._heartbeat_s)
        return run

    def _flush(self, guard: Guard) -> None:
        """Send what dead runs have left: of this run at once, as it may have ended; of others in the background."""
        if self._keeps:
            with guard("send what earlier runs have left"):
                flush_run(self._api, self.run_id)
                flush_in_background(self._api)

    def _ask(self, job_id: str, *, explore: bool) -> Asked:
        saved = self._saved
        if saved is not None and not saved.usable(job_id, self.run_id):
            saved = None
            self.run_id = self.run_id if self._named else fresh_run_id()
        start = saved.checkpoint if saved is not None else Totals()
        question = AskForTrial(
            job_id=job_id,
            run_id=self.run_id,
            heartbeat_s=self._heartbeat_s,
            instance=self._instance,
            checkpoint=start if saved is not None else None,
            explore=explore,
        )
        try:
            offer = self._api.ask(question)
        except RunIsAliveError:
            taken, self.run_id = self.run_id, fresh_run_id()
            logger.warning("The run %s is trained by another process; this one goes on as %s.", taken, self.run_id)
            return self._ask_anew(question)
        if saved is None or saved.goes_on_in(offer):
            return Asked(self.run_id, offer, start, resumed=saved is not None)
        if offer.finished and not self._named:
            self.run_id = fresh_run_id()
            return self._ask_anew(question)
        return Asked(self.run_id, offer, Totals(), resumed=False)

    def _ask_anew(self, question: AskForTrial) -> Asked:
        offer = self._api.ask(question.model_copy(update={"run_id": self.run_id, "checkpoint": None}))
        return Asked(self.run_id, offer, Totals(), resumed=False)
