"""Jobs in the database."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, case, delete, func, insert, or_, select, update

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.batch_size_state.trial_rows import trial_of
from zeus_bso.server.database.schema import (
    ABANDONED_AFTER,
    EVERY_OTHER_JOB,
    IS_WHOLE,
    batch_size_state,
    job,
    job_tombstone,
    trial,
)
from zeus_bso.server.database.types import database_now
from zeus_bso.server.database.writing import write_rows
from zeus_bso.server.job.commands import CreateJob, FindRelative, SaveProgress, UpdateSettings
from zeus_bso.server.job.job_rows import job_of, new_job_values, progress_values, settings_values
from zeus_bso.server.job.models import JobState, Tombstone
from zeus_bso.server.security.job_access import EVERYTHING, JobAccess

_GET = select(job, database_now().label("read_at")).where(job.c.job_id == bindparam("id"), IS_WHOLE)
_GET_FOR_UPDATE = _GET.with_for_update()
_WITH_TRIAL = (
    select(job, database_now().label("read_at"), trial)
    .join_from(job, trial, trial.c.job_id == job.c.job_id)
    .where(IS_WHOLE)
)
# PostgreSQL reads the latest version only of a row that it locks; so these lock the trials too.
_LOCK_WITH_TRIAL = (
    _WITH_TRIAL.where(job.c.job_id == bindparam("id"), trial.c.trial_number == bindparam("number"))
    .with_for_update()
    .prefix_with("STRAIGHT_JOIN", dialect="mysql")  # the job is locked first, as everywhere
)
_LOCK_FREE = (
    select(job, database_now().label("read_at"))
    .where(job.c.job_id.in_(bindparam("ids", expanding=True)), IS_WHOLE)
    .with_for_update(skip_locked=True)
)
_KEY = ("id", "number")
_TRIAL_COLUMNS = trial.c.keys()
"""The last columns of a job with a trial."""

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

    def lock_with_trial(self, job_id: str, trial_number: int) -> tuple[JobState, Trial] | None:
        """Read a job and one of its trials, and lock them until the transaction ends. None if one is not there."""
        if not self._reach.covers(job_id):
            return None
        row = self._connection.execute(_LOCK_WITH_TRIAL, {"id": job_id, "number": trial_number}).first()
        return None if row is None else _job_and_trial(row)

    def lock_free(self, job_ids: Sequence[str]) -> list[JobState]:
        """Read and lock those of the jobs that no other transaction has locked."""
        rows = self._connection.execute(_LOCK_FREE, {"ids": job_ids}).mappings() if job_ids else ()
        return [job_of(row) for row in rows if self._reach.covers(row["job_id"])]

    def lock_free_with_trials(self, trials: Sequence[tuple[str, int]]) -> list[tuple[JobState, Trial]]:
        """Read and lock jobs, each with one of its trials, that no other transaction has locked.

        Args:
            trials: Job id and trial number of each.
        """
        if not trials:
            return []
        keys = {f"{name}_{i}": value for i, key in enumerate(trials) for name, value in zip(_KEY, key, strict=True)}
        rows = self._connection.execute(_lock_free_with_trials(len(trials)), keys)
        return [_job_and_trial(row) for row in rows if self._reach.covers(row.job_id)]

    def all(self, job_ids: Sequence[str] | None = None) -> list[JobState]:
        """Read the given jobs, or all, sorted by job id."""
        statement = _LIST if job_ids is None else _LIST.where(job.c.job_id.in_(job_ids))
        rows = self._connection.execute(statement).mappings()
        found = [job_of(row) for row in rows if self._reach.covers(row["job_id"])]
        return sorted(found, key=lambda state: state.job_id)

    def reaches(self, job_id: str) -> bool:
        """Whether the caller can reach a job of this id, whether it exists or not."""
        return self._reach.covers(job_id)

    def relative(self, command: FindRelative) -> JobState | None:
        """Read the job that has most to hand on to a new one of the same prefix. None if there is no such job.

        Jobs with the same target and ``max_epochs`` come first, then those with more converged trials.
        """
        spec = command.spec
        converged = func.sum(batch_size_state.c.converged)
        in_common = func.count(case((batch_size_state.c.batch_size.in_(spec.batch_sizes), 1)))
        same = and_(job.c.target_metric == spec.target_metric, job.c.max_epochs == spec.max_epochs)
        rows = self._connection.execute(
            select(job.c.job_id)
            .join_from(job, batch_size_state, batch_size_state.c.job_id == job.c.job_id)
            .where(
                job.c.job_id_prefix == spec.job_id_prefix,
                job.c.higher_is_better_metric == spec.higher_is_better_metric,
                job.c.policy == spec.policy,
                job.c.job_id != spec.job_id,
                IS_WHOLE,
            )
            .group_by(job.c.job_id, job.c.target_metric, job.c.max_epochs, job.c.updated_at)
            .having(and_(converged >= command.least_converged, in_common >= command.least_in_common))
            .order_by(case((same, 0), else_=1), converged.desc(), job.c.updated_at.desc(), job.c.job_id)
        )
        return next((self.get(row.job_id) for row in rows.all() if self._reach.covers(row.job_id)), None)

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

    def save_progress(self, commands: Sequence[SaveProgress]) -> None:
        """Replace the values that requests change in jobs."""
        write_rows(self._connection, _SAVE, [{"id": command.job_id} | progress_values(command) for command in commands])

    def touch(self, job_ids: Sequence[str]) -> None:
        """Note that something of each job has changed, though not its row."""
        write_rows(self._connection, _SAVE, [{"id": job_id} for job_id in job_ids])

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


@functools.cache
def _lock_free_with_trials(number: int) -> Select[Any]:
    # Written out, because SQLite finds no index for pairs in a list.
    of_trial = [
        and_(trial.c.job_id == bindparam(f"id_{i}"), trial.c.trial_number == bindparam(f"number_{i}"))
        for i in range(number)
    ]
    return _WITH_TRIAL.where(or_(*of_trial)).with_for_update(skip_locked=True)


def _job_and_trial(row: Row[Any]) -> tuple[JobState, Trial]:
    return job_of(row._mapping), trial_of(dict(zip(_TRIAL_COLUMNS, row[-len(_TRIAL_COLUMNS) :], strict=True)))
