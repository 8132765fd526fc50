"""Jobs in the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.database.schema import ABANDONED_AFTER, EVERY_OTHER_JOB, IS_WHOLE, job, job_tombstone
from zeus_bso.server.database.types import database_now
from zeus_bso.server.job.commands import CreateJob, SaveProgress, UpdateSettings
from zeus_bso.server.job.job_rows import job_of, new_job_values, progress_values, settings_values
from zeus_bso.server.job.models import JobState, Tombstone
from zeus_bso.server.security.job_access import EVERYTHING, JobAccess

_GET = select(job, database_now().label("read_at")).where(job.c.job_id == bindparam("id"), IS_WHOLE)
_GET_FOR_UPDATE = _GET.with_for_update()
_LIST = select(job, database_now().label("read_at")).where(IS_WHOLE)
_SAVE = update(job).where(job.c.job_id == bindparam("id")).values(updated_at=database_now())


class JobStateRepository:
    """Jobs in the database. Every method is part of the caller's transaction.

    Args:
        connection: The transaction.
        reach: The jobs that the caller can reach. Other jobs are not found and cannot be created.
    """

    def __init__(self, connection: Connection, reach: JobAccess = EVERYTHING) -> None:
        self._connection = connection
        self._reach = reach

    def get(self, job_id: str, *, for_update: bool = False) -> JobState | None:
        """Read a job. With ``for_update``, also lock it until the transaction ends.

        A writing request takes no other lock: while it holds this one, no other request changes the trials and batch
        size states of the job.
        """
        if not self._reach.covers(job_id):
            return None
        row = self._connection.execute(_GET_FOR_UPDATE if for_update else _GET, {"id": job_id}).mappings().first()
        return None if row is None else job_of(row)

    def all(self, job_ids: Sequence[str] | None = None) -> list[JobState]:
        """Read the given jobs, or all, sorted by job id."""
        statement = _LIST if job_ids is None else _LIST.where(job.c.job_id.in_(job_ids))
        rows = self._connection.execute(statement).mappings()
        found = [job_of(row) for row in rows if self._reach.covers(row["job_id"])]
        return sorted(found, key=lambda state: state.job_id)

    def create(self, command: CreateJob) -> None:
        """Store a new job.

        Raises:
            ForbiddenError: The job id is out of reach.
            DatabaseUnavailableError: A job of this id is being imported.
        """
        spec = command.spec
        self._reach.require(spec.job_id or "")
        self._make_room(spec.job_id or "")
        created = {"created_at": database_now(), "updated_at": database_now()}
        self._connection.execute(insert(job).values(new_job_values(command) | created))

    def update_settings(self, command: UpdateSettings) -> None:
        """Replace a job's settings."""
        self._connection.execute(_SAVE, {"id": command.job_id} | settings_values(command.settings))

    def save_progress(self, command: SaveProgress) -> None:
        """Replace the values that requests change in a job."""
        self._connection.execute(_SAVE, {"id": command.job_id} | progress_values(command))

    def touch(self, job_id: str) -> None:
        """Note that something of a job has changed, though not its row."""
        self._connection.execute(_SAVE, {"id": job_id})

    def delete(self, job_id: str) -> None:
        """Delete a job with all its trials."""
        self._connection.execute(delete(job).where(job.c.job_id == job_id))

    def _make_room(self, job_id: str) -> None:
        """Delete what an import of this job has left that has lost its server."""
        row = self._connection.execute(
            select(job.c.updated_at, database_now().label("now")).where(job.c.job_id == job_id, ~IS_WHOLE)
        ).first()
        if row is None:
            return
        if row.now - row.updated_at <= ABANDONED_AFTER:
            raise DatabaseUnavailableError(f"Job {job_id!r} is being imported. Try again later.")
        self.delete(job_id)

    def tombstone(self, job_id: str) -> Tombstone | None:
        """Read the tombstone of a deleted job of this id, or of all jobs that a restored database may have lost.

        Raises:
            ForbiddenError: The id is out of reach.
        """
        self._reach.require(job_id)
        row = self._connection.execute(
            select(job_tombstone.c.last_trial_number, job_tombstone.c.generation)
            .where(job_tombstone.c.job_id.in_([job_id, EVERY_OTHER_JOB]))
            .order_by(job_tombstone.c.job_id == EVERY_OTHER_JOB)
        ).first()
        return None if row is None else Tombstone(row.last_trial_number, row.generation)

    def leave_tombstone(self, job_id: str, tombstone: Tombstone) -> None:
        """Store a tombstone, which replaces an older one."""
        self.clear_tombstone(job_id)
        self._connection.execute(
            insert(job_tombstone).values(
                job_id=job_id,
                last_trial_number=tombstone.last_trial_number,
                generation=tombstone.generation,
                deleted_at=database_now(),
            )
        )

    def clear_tombstone(self, job_id: str) -> None:
        """Remove the tombstone, if there is one.

        Raises:
            ForbiddenError: The id is out of reach.
        """
        self._reach.require(job_id)
        self._connection.execute(delete(job_tombstone).where(job_tombstone.c.job_id == job_id))
