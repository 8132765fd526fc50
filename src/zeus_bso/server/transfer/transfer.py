"""Whole jobs out of a database and into another."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import IO, Any

from pydantic import BaseModel, ConfigDict

from zeus_bso.common import Text
from zeus_bso.exceptions import JobExistsError
from zeus_bso.server.database.schema import job, trial
from zeus_bso.server.services.service import ZeusService
from zeus_bso.server.transfer.check import rows
from zeus_bso.server.transfer.format import FORMAT, VERSION, write_line, write_row
from zeus_bso.server.transfer.repository import PAGE, TABLES, JobTable, TransferRepository

_IN_MEMORY_BYTES = 2**20


class ImportJob(BaseModel):
    """Store a job that was exported.

    Attributes:
        job_id: Under which id.
        replace: In the place of the job that has this id.
    """

    model_config = ConfigDict(frozen=True)

    job_id: Text
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an import.

    Attributes:
        job_id: The job's id here.
        trials: Its trials.
        replaced: It took the place of another job.
    """

    job_id: str
    trials: int
    replaced: bool


class Transfer:
    """Exports and imports jobs within one transaction.

    Args:
        service: The jobs.
        repository: Their rows.
    """

    def __init__(self, service: ZeusService, repository: TransferRepository) -> None:
        self._service = service
        self._repository = repository

    def export(self, job_id: str) -> IO[bytes]:
        """Write a job into a temporary file.

        Raises:
            UnknownJobError: There is no such job.
        """
        self._service.get_job(job_id, status_code=404)
        file = temporary_file()
        counts = dict.fromkeys((table.name for table in TABLES), 0)
        file.write(write_line({"format": FORMAT, "version": VERSION, "job_id": job_id}))
        for table in TABLES:
            for row in self._repository.rows(table, job_id):
                file.write(write_line({"table": table.name, "row": write_row(table, row)}))
                counts[table.name] += 1
        file.write(write_line({"rows": counts}))
        file.seek(0)
        return file

    def import_job(self, command: ImportJob, file: IO[bytes]) -> Imported:
        """Store a job from a file that was found sound.

        Raises:
            JobExistsError: There is a job of this id, and it is not to be replaced.
        """
        existing = self._service.find_job(command.job_id, for_update=True)
        if existing is not None:
            if not command.replace:
                raise JobExistsError(
                    f"Job {command.job_id!r} exists. Import under another id (as=NEW_ID), or replace it (replace=true)."
                )
            self._service.delete_job(existing)
        numbers_before = self._service.forget_deleted(command.job_id)
        trials, pending, table = 0, list[dict[str, Any]](), job
        for owner, row in rows(file):
            if owner is not table or len(pending) == PAGE:
                self._repository.insert(table, pending)
                table, pending = owner, []
            pending.append(_adopted(owner, row, command.job_id, numbers_before))
            trials += owner is trial
        self._repository.insert(table, pending)
        return Imported(command.job_id, trials, replaced=existing is not None)


def temporary_file() -> IO[bytes]:
    """A file that lives in memory while it is small, and is gone when it is closed."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115
    return file


def _adopted(table: JobTable, row: dict[str, Any], job_id: str, numbers_before: int) -> dict[str, Any]:
    """The row under the job's id here; trials are numbered on beyond those of a namesake that was here before."""
    if table is not job:
        return row | {"job_id": job_id}
    return row | {
        "job_id": job_id,
        "derived_id": row["derived_id"] and row["job_id"] == job_id,
        "last_trial_number": max(row["last_trial_number"], numbers_before),
    }
