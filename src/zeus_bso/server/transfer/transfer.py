"""Exports and imports whole jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from zeus_bso.exceptions import JobExistsError
from zeus_bso.server.services.service import ZeusService
from zeus_bso.server.transfer.check import Row
from zeus_bso.server.transfer.export_format import FORMAT, VERSION, write_line, write_row
from zeus_bso.server.transfer.repository import TABLES, TransferRepository
from zeus_bso.server.transfer.staging import StagedJob, temporary_file
from zeus_bso.server.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import.

    Attributes:
        job_id: The id of the job in this database.
        trials: Number of its trials.
        replaced: Whether it replaced another job.
    """

    job_id: str
    trials: int
    replaced: bool


class Transfer:
    """Exports and imports jobs within one transaction.

    Args:
        service: Access to jobs.
        repository: Access to their raw rows.
    """

    def __init__(self, service: ZeusService, repository: TransferRepository) -> None:
        self._service = service
        self._repository = repository

    @classmethod
    def of(cls, unit: UnitOfWork) -> Transfer:
        """Exports and imports within a transaction."""
        return cls(unit.service, TransferRepository(unit.connection))

    def export(self, job_id: str) -> IO[bytes]:
        """Write a job to a temporary file.

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

    def import_job(self, staged: StagedJob, *, replace: bool) -> Imported:
        """Store a job.

        Args:
            staged: The job.
            replace: Whether to replace an existing job of this id.

        Raises:
            JobExistsError: A job of this id exists, and ``replace`` is false.
        """
        job_id = staged.job_id
        existing = self._service.find_job(job_id, for_update=True)
        if existing is not None:
            if not replace:
                raise JobExistsError(
                    f"Job {job_id!r} exists. Import under another id (as=NEW_ID), or replace it (replace=true)."
                )
            self._service.delete_job(existing)
        self._repository.insert_job(_adopted(staged.row, job_id, self._service.forget_deleted(job_id)))
        for table, rows in staged.pages():
            self._repository.insert_bound(table, rows)
        return Imported(job_id, staged.trials, replaced=existing is not None)


def _adopted(row: Row, job_id: str, numbers_before: int) -> Row:
    """The job with its new id. Its trial numbers continue after those of an earlier job of the same id."""
    return row | {
        "job_id": job_id,
        "derived_id": row["derived_id"] and row["job_id"] == job_id,
        "last_trial_number": max(row["last_trial_number"], numbers_before),
    }
