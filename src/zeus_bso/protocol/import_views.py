"""Read models of the import of a job, which the server and the command line share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ImportProgress(BaseModel):
    """How far an import is. Nothing of nothing: the job is not being imported.

    Attributes:
        stored: Number of rows that are stored.
        rows: Number of all its rows.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    stored: int
    rows: int


class ImportedJob(BaseModel):
    """Answer to an import.

    Attributes:
        job_id: The id of the job on this server.
        trials: Number of its trials.
        replaced: Whether it replaced another job.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: str
    trials: int
    replaced: bool
