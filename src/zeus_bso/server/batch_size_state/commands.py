"""Commands for the repository of batch size states. Each command validates its arguments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.words import Count, PositiveCount, Text, Total, TrialStatus, TrialType
from zeus_bso.server.batch_size_state.models import Trial


class CreateTrial(BaseModel):
    """Store a new trial."""

    model_config = ConfigDict(frozen=True)

    trial: Trial

    @model_validator(mode="after")
    def _explorations_hold_a_place(self) -> CreateTrial:
        if (self.trial.type is TrialType.EXPLORATION) != (self.trial.round is not None):
            raise ValueError("an Exploration has a place in a round, and no other trial has one")
        return self


class RecordReport(BaseModel):
    """Store the first report of an epoch.

    Attributes:
        job_id: The job.
        trial_number: The trial.
        epoch: Number of trained epochs.
        time: Training time so far [s].
        energy: Energy used so far [J].
        metric: The metric, or None if it was not finite.
        reported_at: Time of the report on the database's clock.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    trial_number: PositiveCount
    epoch: Count
    time: Total
    energy: Total
    metric: Annotated[float, Field(allow_inf_nan=False)] | None
    reported_at: datetime


class SavePowerProfile(BaseModel):
    """Replace what is known about a batch size at each power limit."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    batch_size: PositiveCount
    profile: PowerProfile

    @model_validator(mode="after")
    def _is_not_empty(self) -> SavePowerProfile:
        if not self.profile.points:
            raise ValueError("a profile without limits says nothing")
        return self


class ReadWindow(BaseModel):
    """Read the latest rewards of one batch size in one generation."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    batch_size: PositiveCount
    generation: PositiveCount
    window_size: PositiveCount


class ReadTrials(BaseModel):
    """A page of the trials of a job, by number."""

    model_config = ConfigDict(frozen=True)

    job_id: Text = Field(description="The job.")
    after: Count = Field(0, description="Number of the last trial of the page before. 0 for the first page.")
    limit: int = Field(1000, ge=1, le=1000, description="Largest number of trials on the page.")
    descending: bool = Field(False, description="Whether the newest trials come first.")
    status: TrialStatus | None = Field(None, description="Only trials with this status.")
    batch_size: PositiveCount | None = Field(None, description="Only trials with this batch size.")
