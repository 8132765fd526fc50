"""Exports and imports whole jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from zeus_bso.exceptions import DatabaseUnavailableError, JobExistsError
from zeus_bso.server.job.models import JobState
from zeus_bso.server.security.job_access import JobAccess
from zeus_bso.server.services.service import ZeusService
from zeus_bso.server.transfer.check import Row
from zeus_bso.server.transfer.export_format import FORMAT, VERSION, write_line, write_row
from zeus_bso.server.transfer.repository import TABLES, JobTable, TransferRepository
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
        access: The jobs that the caller can reach.
    """

    def __init__(self, service: ZeusService, repository: TransferRepository, access: JobAccess) -> None:
        self._service = service
        self._repository = repository
        self._access = access

    @classmethod
    def of(cls, unit: UnitOfWork) -> Transfer:
        """Exports and imports within a transaction."""
        return cls(unit.service, TransferRepository(unit.connection), unit.access)

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

    def begin_import(self, staged: StagedJob, token: str, *, replace: bool) -> bool:
        """Begin to store a job, unseen by others.

        Returns:
            Whether it has begun; if not, the import replaces a job, and has to store everything at once.

        Raises:
            JobExistsError: A job of this id exists and ``replace`` is false, or another import of it is under way.
        """
        job_id = staged.job_id
        self._access.require(job_id)
        if self._repository.keep_placeholder(job_id, token):
            return True  # the connection broke during the commit, and this is the next attempt
        if self._repository.is_unfinished(job_id):
            raise JobExistsError(
                f"Job {job_id!r} is being imported already. Wait for the end of that import. If its server has ended, "
                "try again after 5 minutes."
            )
        if self._existing(job_id, replace=replace) is not None:
            return False
        self._repository.insert_placeholder(_adopted(staged.row, job_id, 0), token, staged.rows)
        return True

    def continue_import(self, staged: StagedJob, token: str, table: JobTable, rows: Sequence[Row]) -> None:
        """Store some rows of a job that others do not see yet.

        Raises:
            DatabaseUnavailableError: Somebody has taken the import for an abandoned one.
        """
        self._require_placeholder(self._repository.keep_placeholder(staged.job_id, token, stored=len(rows)))
        self._repository.insert_bound(table, rows)

    def progress(self, job_id: str) -> tuple[int, int]:
        """How many rows of a job that is being imported are stored, and of how many; 0 of 0: it is not imported."""
        self._access.require(job_id)
        return self._repository.progress(job_id)

    def end_import(self, staged: StagedJob, token: str) -> Imported:
        """Let others see the job.

        Raises:
            DatabaseUnavailableError: Somebody has taken the import for an abandoned one.
        """
        job_id = staged.job_id
        row = _adopted(staged.row, job_id, self._service.forget_deleted(job_id))
        self._require_placeholder(self._repository.replace_placeholder(row, token))
        return Imported(job_id, staged.trials, replaced=False)

    def import_at_once(self, staged: StagedJob, *, replace: bool) -> Imported:
        """Store a job in one transaction, so that the job which it replaces is there until then.

        Raises:
            JobExistsError: A job of this id exists, and ``replace`` is false.
        """
        job_id = staged.job_id
        existing = self._existing(job_id, replace=replace)
        if existing is not None:
            self._service.delete_job(existing)
        self._repository.insert_job(_adopted(staged.row, job_id, self._service.forget_deleted(job_id)))
        written = None
        for table, rows in staged.parts():
            if written is not None and written is not table:
                self._repository.gather_statistics(written)
            self._repository.insert_bound(table, rows)
            written = table
        return Imported(job_id, staged.trials, replaced=existing is not None)

    def _existing(self, job_id: str, *, replace: bool) -> JobState | None:
        existing = self._service.find_job(job_id, for_update=True)
        if existing is not None and not replace:
            raise JobExistsError(
                f"Job {job_id!r} exists. Import under another id (as=NEW_ID), or replace it (replace=true)."
            )
        return existing

    def _require_placeholder(self, is_there: bool) -> None:
        if not is_there:
            raise DatabaseUnavailableError("The import has stood still for too long and was given up. Send it again.")


def _adopted(row: Row, job_id: str, numbers_before: int) -> Row:
    """The job with its new id. Its trial numbers continue after those of an earlier job of the same id."""
    return row | {
        "job_id": job_id,
        "derived_id": row["derived_id"] and row["job_id"] == job_id,
        "last_trial_number": max(row["last_trial_number"], numbers_before),
    }
