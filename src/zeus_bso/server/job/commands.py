"""Commands for the repository of jobs. Each command validates its arguments."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zeus_bso.policy.state import Progress
from zeus_bso.protocol.job_spec import JobSettings, JobSpecFromClient
from zeus_bso.protocol.words import EnergySource
from zeus_bso.server.job.inheritance import Inheritance

_Number = Annotated[int, Field(ge=0)]


class CreateJob(BaseModel):
    """Store a new job.

    Attributes:
        spec: The spec of the job, with its ``job_id``.
        derived_id: Whether the server derived the job id from the spec.
        progress: The first generation of the job.
        last_trial_number: Trial numbers continue from here: 0, or the last number of a deleted job of the same id.
        inheritance: What the job takes over from another one, or None.
    """

    model_config = ConfigDict(frozen=True)

    spec: JobSpecFromClient
    derived_id: bool
    progress: Progress
    last_trial_number: _Number = 0
    inheritance: Inheritance | None = None

    @model_validator(mode="after")
    def _has_an_id(self) -> CreateJob:
        if self.spec.job_id is None:
            raise ValueError("a job needs its id before it can be stored")
        return self


class FindRelative(BaseModel):
    """Find the job that has most to hand on to a new one.

    Attributes:
        spec: The spec of the new job, with its ``job_id``.
        least_converged: Converged trials that it needs in its generation.
        least_in_common: Batch sizes that both jobs need to have.
    """

    model_config = ConfigDict(frozen=True)

    spec: JobSpecFromClient
    least_converged: _Number
    least_in_common: _Number


class UpdateSettings(BaseModel):
    """Replace a job's settings."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    settings: JobSettings


class SaveProgress(BaseModel):
    """Replace the values that requests change in a job. See :class:`~zeus_bso.server.job.models.JobState`."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    progress: Progress
    rng_state: dict[str, Any] | None
    last_trial_number: _Number
    last_decision: _Number
    longest_epoch_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    energy_source: EnergySource | None
    foreign_source_in_row: _Number
