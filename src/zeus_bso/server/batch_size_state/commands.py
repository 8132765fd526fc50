"""What the repository of batch size states is asked; each command validates its arguments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zeus_bso.common import Count, PositiveCount, Text, Total, TrialStatus, TrialType


class CreateTrial(BaseModel):
    """Store a new trial; see :class:`~zeus_bso.server.batch_size_state.models.Trial`."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    trial_number: PositiveCount
    batch_size: PositiveCount
    generation: PositiveCount
    type: TrialType
    round: PositiveCount | None
    uncapped: bool
    message: str
    run_id: str | None
    instance: str | None
    heartbeat_s: float | None
    started_at: datetime
    lease_expires_at: datetime

    @model_validator(mode="after")
    def _explorations_hold_a_place(self) -> CreateTrial:
        if (self.type is TrialType.EXPLORATION) != (self.round is not None):
            raise ValueError("an Exploration holds a place in a round; no other trial does")
        return self


class RecordReport(BaseModel):
    """Store the first report of an epoch.

    Attributes:
        job_id: The job.
        trial_number: The trial.
        epoch: Epochs trained.
        time: Training time so far [s].
        energy: Energy used so far [J].
        metric: The metric; None when it was not finite.
        reported_at: The database's clock.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    trial_number: PositiveCount
    epoch: Count
    time: Total
    energy: Total
    metric: Annotated[float, Field(allow_inf_nan=False)] | None
    reported_at: datetime


class ReadWindow(BaseModel):
    """Read the latest rewards of one batch size in one generation."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    batch_size: PositiveCount
    generation: PositiveCount
    window_size: PositiveCount


class ReadTrials(BaseModel):
    """A page of the trials of a job, by number.

    Attributes:
        job_id: The job.
        after: Number of the last trial of the page before; 0: the first page.
        limit: Trials to read at most.
        descending: The latest first.
        status: Trials of this status only.
        batch_size: Trials of this batch size only.
    """

    model_config = ConfigDict(frozen=True)

    job_id: Text
    after: Count = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000
    descending: bool = False
    status: TrialStatus | None = None
    batch_size: PositiveCount | None = None
