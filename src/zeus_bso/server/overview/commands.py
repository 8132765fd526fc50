"""The queries of the overview. Each command validates its arguments."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from zeus_bso.protocol.words import INT32_MAX, Count, Text

_PageSize = Annotated[int, Field(ge=1, le=1000)]


class JobOrder(str, Enum):
    """The order of a list of jobs. A minus puts the greatest first."""

    JOB_ID = "job_id"
    JOB_ID_DOWN = "-job_id"
    CREATED = "created_at"
    CREATED_DOWN = "-created_at"
    UPDATED = "updated_at"
    UPDATED_DOWN = "-updated_at"
    TRIALS = "trials"
    TRIALS_DOWN = "-trials"
    SAVED = "saved"
    SAVED_DOWN = "-saved"


class ListJobs(BaseModel):
    """A page of the list of jobs."""

    model_config = ConfigDict(frozen=True)

    search: Annotated[str, Field(max_length=255)] | None = Field(
        None, description="Part of the job id or of the GPU model, in any case. All jobs without it."
    )
    sort: JobOrder = Field(
        JobOrder.JOB_ID, description="The order. Jobs without a saving come last in either direction."
    )
    offset: Count = Field(0, description="Number of jobs to skip at the beginning.")
    limit: _PageSize = Field(1000, description="Largest number of jobs on the page.")


class ReadReports(BaseModel):
    """A page of the reports of a trial, by epoch."""

    model_config = ConfigDict(frozen=True)

    job_id: Text = Field(description="The job.")
    trial_number: Count = Field(description="The trial.")
    after: int = Field(-1, ge=-1, le=INT32_MAX, description="The last epoch of the page before. -1 for the first page.")
    limit: _PageSize = Field(1000, description="Largest number of reports on the page.")
