"""What a checkpoint keeps of a run, so that a script which is launched again goes on where it was."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from zeus_bso.common import Count, PositiveCount, Text, Total, Totals, TrialOffer
from zeus_bso.exceptions import ZeusBSOConfigError

logger = logging.getLogger("zeus_bso")


class SavedRun(BaseModel):
    """A run as ``state_dict`` saves it.

    Attributes:
        version: Of the format.
        job_id: The job.
        run_id: Names the recurrence.
        trial_number: The trial; None: none had been asked for.
        time: Training time so far [s].
        energy: Energy used so far [J].
        current_epoch: Epochs trained.
        finished: The run had ended.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    job_id: Text | None
    run_id: Text
    trial_number: PositiveCount | None
    time: Total
    energy: Total
    current_epoch: Count
    finished: bool

    @classmethod
    def read(cls, state: Mapping[str, object] | None) -> SavedRun | None:
        """Read what ``state_dict`` gave; None stays None.

        Raises:
            ZeusBSOConfigError: It is something else.
        """
        if state is None:
            return None
        try:
            return cls.model_validate(dict(state))
        except (ValidationError, TypeError, ValueError):
            raise ZeusBSOConfigError("resume takes what state_dict() gave, which this is not.") from None

    @property
    def checkpoint(self) -> Totals:
        """Where the run goes on."""
        return Totals(time=self.time, energy=self.energy, current_epoch=self.current_epoch)

    def usable(self, job_id: str, run_id: str) -> bool:
        """Whether this run of this job may go on from here; what speaks against it is said."""
        if self.trial_number is None:
            return False
        if self.job_id != job_id:
            return self._ignore(f"it is of the job {self.job_id}, and this is {job_id}")
        if self.run_id != run_id:
            return self._ignore(f"it is of the run {self.run_id}, and this is {run_id}")
        return self._ignore(f"its trial {self.trial_number} has ended") if self.finished else True

    def goes_on_in(self, offer: TrialOffer) -> bool:
        """Whether the offered trial is the saved one, still open; what speaks against it is said."""
        if offer.trial_number != self.trial_number:
            return self._ignore(f"its trial {self.trial_number} has ended")
        return self._ignore(f"its trial {self.trial_number} has converged") if offer.finished else True

    def _ignore(self, why: str) -> Literal[False]:
        logger.warning("The state given as resume is ignored: %s. This run counts from zero.", why)
        return False
