"""What the repository of jobs is asked; each command validates its arguments."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zeus_bso.common import EnergySource, JobSettings, JobSpecFromClient
from zeus_bso.policy.values import Progress

_Number = Annotated[int, Field(ge=0)]


class CreateJob(BaseModel):
    """Store a new job.

    Attributes:
        spec: Its spec; ``job_id`` is set.
        derived_id: The job id was derived from the spec.
        progress: Its first generation.
        last_trial_number: Trials are numbered on from here: 0, or where a deleted namesake stopped.
    """

    model_config = ConfigDict(frozen=True)

    spec: JobSpecFromClient
    derived_id: bool
    progress: Progress
    last_trial_number: _Number = 0

    @model_validator(mode="after")
    def _has_an_id(self) -> CreateJob:
        if self.spec.job_id is None:
            raise ValueError("a job is stored under its id")
        return self


class UpdateSettings(BaseModel):
    """Replace a job's settings."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    settings: JobSettings


class SaveProgress(BaseModel):
    """Replace what changes in a job from request to request; see :class:`~zeus_bso.server.job.models.JobState`."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    progress: Progress
    min_cost_since: _Number
    rng_state: dict[str, Any] | None
    last_trial_number: _Number
    last_decision: _Number
    longest_epoch_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    energy_source: EnergySource | None
    foreign_source_in_row: _Number
