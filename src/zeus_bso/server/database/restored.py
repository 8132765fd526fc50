"""Makes a database that was set back to an older state safe to serve again.

Runs that began after that state still report under trial numbers that the database no longer knows. Numbers therefore
continue far above any that may have been given, also those of jobs that the database no longer knows.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.words import INT32_MAX
from zeus_bso.server.database.schema import EVERY_OTHER_JOB, job, job_tombstone
from zeus_bso.server.database.types import database_now

SKIPPED = 10_000
"""How many trial numbers are skipped: more than a job gives between a backup and its restoration."""


def skip_numbers(connection: Connection, skipped: int = SKIPPED) -> None:
    """Raise the last trial number of every job, and that from which new jobs begin.

    Args:
        connection: A transaction that has already begun.
        skipped: How many numbers of each job are skipped.

    Raises:
        ZeusBSOConfigError: A job has not that many numbers left.
    """
    last = max(
        connection.scalar(select(func.coalesce(func.max(table.c.last_trial_number), 0))) or 0
        for table in (job, job_tombstone)
    )
    if last + skipped > INT32_MAX:
        raise ZeusBSOConfigError(f"A job has given {last} trial numbers and has no {skipped} left. Skip fewer.")
    for table in (job, job_tombstone):
        connection.execute(update(table).values(last_trial_number=table.c.last_trial_number + skipped))
    connection.execute(delete(job_tombstone).where(job_tombstone.c.job_id == EVERY_OTHER_JOB))
    connection.execute(
        insert(job_tombstone).values(
            job_id=EVERY_OTHER_JOB, last_trial_number=last + skipped, generation=0, deleted_at=database_now()
        )
    )
