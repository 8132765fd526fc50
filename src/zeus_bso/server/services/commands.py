"""What the service is asked; each command validates its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from zeus_bso.common import AskForTrial, EnergySource, Totals, TrialId
from zeus_bso.policy.values import Sizes
from zeus_bso.server.job.models import JobState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A locked job and the states of its batch sizes; changed copies are saved at the end of the request."""

    job: JobState
    sizes: Sizes


class TakeUpTrial(BaseModel):
    """A process takes up a trial that was begun before.

    Attributes:
        ask: What it asked.
        anew: The process is another one than before; it starts from ``checkpoint``, and work beyond is discarded.
    """

    model_config = ConfigDict(frozen=True)

    ask: AskForTrial
    anew: bool

    @property
    def checkpoint(self) -> Totals:
        """Where the process starts from."""
        return self.ask.checkpoint or Totals()


class RecordResult(BaseModel):
    """A report that is news, with totals that never fall.

    Attributes:
        trial: The trial.
        time: Training time so far [s].
        energy: Energy used so far [J].
        metric: The metric; None when it was not finite.
        epoch: Epochs trained.
        new_epoch: It is the first report of its epoch.
        non_finite_in_row: Metrics in a row, up to this one, that were not finite.
        target_reached: The metric has reached its target.
        energy_source: What the energy reading rests on.
        message: The answer.
    """

    model_config = ConfigDict(frozen=True)

    trial: TrialId
    time: float
    energy: float
    metric: float | None
    epoch: Annotated[int, Field(ge=0)]
    new_epoch: bool
    non_finite_in_row: Annotated[int, Field(ge=0)]
    target_reached: bool
    energy_source: EnergySource | None
    message: str
