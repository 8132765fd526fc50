"""The state of a run in a checkpoint. A script that is launched again goes on from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from zeus_bso.client.run_id import fresh_run_id, goes_on_as
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.messages import Checkpoint, TrialOffer
from zeus_bso.protocol.power import SignedTotal
from zeus_bso.protocol.words import Count, PositiveCount, Text, Total

logger = logging.getLogger("zeus_bso")


def run_id_of(named: str | None, saved: SavedRun | None) -> str:
    """The run id of a launch: the saved run's id if the launch continues it, else the given id, else a fresh one.

    Args:
        named: The run id in the argument or the environment.
        saved: The run from a checkpoint.
    """
    if saved is not None and (named is None or (goes_on_as(named, saved.run_id) and not saved.finished)):
        return saved.run_id
    return named or fresh_run_id()


class SavedRun(BaseModel):
    """A run as ``state_dict`` saves it.

    Attributes:
        version: Version of the format.
        job_id: The job.
        run_id: Name of the recurrence.
        trial_number: The trial. None before the ask.
        time: Training time so far [s].
        energy: Energy used so far [J].
        missing_s: The part of the time without an energy measurement [s].
        profiling_time: Time beyond it that was spent to measure power limits [s].
        profiling_energy: Energy beyond the used energy that this took [J].
        current_epoch: Number of trained epochs.
        finished: Whether the run had ended.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    job_id: Text | None
    run_id: Text
    trial_number: PositiveCount | None
    time: Total
    energy: Total
    missing_s: Total = 0.0
    profiling_time: SignedTotal = 0.0
    profiling_energy: SignedTotal = 0.0
    current_epoch: Count
    finished: bool

    @classmethod
    def read(cls, state: Mapping[str, object] | None) -> SavedRun | None:
        """Read the result of ``state_dict``. None stays None.

        Raises:
            ZeusBSOConfigError: The state is something else.
        """
        if state is None:
            return None
        try:
            return cls.model_validate(dict(state))
        except (ValidationError, TypeError, ValueError):
            raise ZeusBSOConfigError("resume must be the result of state_dict().") from None

    @property
    def checkpoint(self) -> Checkpoint:
        """The point from which the run goes on."""
        return Checkpoint(
            time=self.time,
            energy=self.energy,
            current_epoch=self.current_epoch,
            trial_number=self.trial_number,
            profiling_time=self.profiling_time,
            profiling_energy=self.profiling_energy,
        )

    def usable(self, job_id: str, run_id: str) -> bool:
        """Whether a run with this job and run id may go on from here. Logs the reason if not."""
        if self.trial_number is None:
            return False
        if self.job_id != job_id:
            return self._ignore(f"it is of the job {self.job_id}, and this is {job_id}")
        if self.run_id != run_id:
            return self._ignore(f"it is of the run {self.run_id}, and this is {run_id}")
        return self._ignore(f"its trial {self.trial_number} has ended") if self.finished else True

    def goes_on_in(self, offer: TrialOffer) -> bool:
        """Whether the offered trial is the saved one, and still open. Logs the reason if not."""
        if offer.trial_number != self.trial_number:
            return self._ignore(f"its trial {self.trial_number} has ended")
        return self._ignore(f"its trial {self.trial_number} has converged") if offer.finished else True

    def _ignore(self, why: str) -> Literal[False]:
        logger.warning("The state given as resume is ignored: %s. This run counts from zero.", why)
        return False
