"""Units of work that find out whether the database can be written."""

from __future__ import annotations

from sqlalchemy import Connection, false, text, update

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.database.revision import VERSION_TABLE, describe_older_schema, head
from zeus_bso.server.database.schema import job

_MANY_REPORTS = """
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, reported_at)
WITH RECURSIVE counted (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM counted WHERE number < 900)
SELECT job_id, trial_number, -number, 0, 0, started_at FROM counted, (SELECT * FROM trial LIMIT 1) AS one
"""
"""More rows than fit into the pages that the table already has. MySQL counts to 1,000."""


def write_nothing(connection: Connection) -> None:
    """Change no row. A read-only database refuses even that, and no other writes anything for it.

    Raises:
        DatabaseUnavailableError: The schema is older than this release's, for example that of a restored backup.
    """
    revision = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) or ""
    if revision[: len(head())] < head():
        raise DatabaseUnavailableError(describe_older_schema(revision))
    connection.execute(update(job).where(false()).values(try_all_sizes=job.c.try_all_sizes))


def write_for_real(connection: Connection) -> None:
    """Change a row and change it back, so that the commit needs the disk; add reports and take them back.

    A full disk may still have room for rows that change, and none for rows that are new.
    """
    with connection.begin_nested() as added:
        connection.execute(text(_MANY_REPORTS))
        added.rollback()
    revision = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    for value in ("-", revision):
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :value"), {"value": value})
