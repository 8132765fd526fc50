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
    """A page of the list of jobs.

    Attributes:
        search: Part of the job id or of the GPU model, in any case. None for all jobs.
        sort: The order. Jobs without a saving come last in either direction.
        offset: Number of jobs to skip at the beginning.
        limit: Largest number of jobs on the page.
    """

    model_config = ConfigDict(frozen=True)

    search: Annotated[str, Field(max_length=255)] | None = None
    sort: JobOrder = JobOrder.JOB_ID
    offset: Count = 0
    limit: _PageSize = 1000


class ReadReports(BaseModel):
    """A page of the reports of a trial, by epoch.

    Attributes:
        job_id: The job.
        trial_number: The trial.
        after: The last epoch of the previous page, or -1 for the first page.
        limit: Largest number of reports on the page.
    """

    model_config = ConfigDict(frozen=True)

    job_id: Text
    trial_number: Count
    after: Annotated[int, Field(ge=-1, le=INT32_MAX)] = -1
    limit: _PageSize = 1000
