"""Raw rows of a job, from any table."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, column, delete, insert, select, table, text, tuple_, update
from sqlalchemy.exc import DBAPIError

from zeus_bso.server.database.schema import ABANDONED_AFTER, UNFINISHED, job, job_tombstone, metadata
from zeus_bso.server.database.types import database_now

logger = logging.getLogger(__name__)

PAGE = 1000
"""So many rows of an export are read at a time."""

PART = 500
"""So many rows of an import are stored, or deleted, in one transaction: few enough that it takes little time."""

JobTable: TypeAlias = Table
"""A table with rows of jobs."""

TABLES: tuple[JobTable, ...] = tuple(
    table for table in metadata.sorted_tables if "job_id" in table.columns and table is not job_tombstone
)
"""The tables of a job, parents before children."""

assert TABLES[0] is job

_UNFINISHED = job.c.stage == UNFINISHED

_WITHOUT_TYPES = {known.name: insert(table(known.name, *map(column, known.columns.keys()))) for known in TABLES}
"""Statements that convert no values."""


class TransferRepository:
    """Reads and writes the rows of a job, within the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, table: JobTable, job_id: str) -> Iterator[Mapping[str, Any]]:
        """Read a job's rows in the order of their primary key, a page at a time."""
        keys = [column for column in table.primary_key if column.name != "job_id"]
        statement = select(table).where(table.c.job_id == job_id).order_by(*keys).limit(PAGE)
        page = [dict(row) for row in self._connection.execute(statement).mappings()]
        while page:
            yield from page
            if len(page) < PAGE:
                return
            last = [page[-1][column.name] for column in keys]
            following = statement.where(tuple_(*keys) > tuple_(*last))
            page = [dict(row) for row in self._connection.execute(following).mappings()]

    def insert_job(self, row: Mapping[str, Any]) -> None:
        """Store the row of the job itself without changes."""
        self._connection.execute(insert(job), row)

    def insert_bound(self, into: JobTable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store rows whose values already have the form that the driver takes."""
        self._connection.execute(_WITHOUT_TYPES[into.name], rows)

    def insert_placeholder(self, row: Mapping[str, Any], token: str, rows: int) -> None:
        """Store the row of a job whose import begins.

        Args:
            row: The row of the job.
            token: What tells this import from others of the job.
            rows: How many rows are going to be stored.
        """
        placeholder = {"stage": UNFINISHED, "job_id_prefix": token, "updated_at": database_now()}
        counts = {"last_trial_number": 0, "last_decision": rows}
        self._connection.execute(insert(job).values(dict(row) | placeholder | counts))

    def keep_placeholder(self, job_id: str, token: str, *, stored: int = 0) -> bool:
        """Lock the placeholder of an import, and note that so many more rows are stored.

        Returns:
            Whether it is still there.
        """
        counts = {"last_trial_number": job.c.last_trial_number + stored}
        return self._change_placeholder(job_id, token, counts | {"updated_at": database_now()})

    def progress(self, job_id: str) -> tuple[int, int]:
        """How many rows of a job that is being imported are stored, and of how many; 0 of 0: it is not imported."""
        row = self._connection.execute(
            select(job.c.last_trial_number, job.c.last_decision).where(job.c.job_id == job_id, _UNFINISHED)
        ).first()
        return (0, 0) if row is None else (row.last_trial_number, row.last_decision)

    def replace_placeholder(self, row: Mapping[str, Any], token: str) -> bool:
        """Make a job visible: its own row takes the place of the placeholder. False: that is not there any more."""
        return self._change_placeholder(row["job_id"], token, row)

    def is_unfinished(self, job_id: str) -> bool:
        """Whether the import of a job has not ended."""
        return self._connection.scalar(select(job.c.job_id).where(job.c.job_id == job_id, _UNFINISHED)) is not None

    def take_abandoned(self, token: str) -> list[str]:
        """Take over the placeholders of imports that have lost their server.

        Returns:
            The ids of their jobs.
        """
        rows = self._connection.execute(
            select(job.c.job_id, job.c.job_id_prefix, job.c.updated_at, database_now().label("now")).where(_UNFINISHED)
        ).all()
        late = {row.job_id: row.job_id_prefix for row in rows if row.now - row.updated_at > ABANDONED_AFTER}
        new = {"job_id_prefix": token, "updated_at": database_now()}
        return [job_id for job_id, old in late.items() if self._change_placeholder(job_id, old, new)]

    def discard_some(self, job_id: str, token: str) -> bool:
        """Delete about a part of the rows of an unfinished import, and the placeholder last.

        Returns:
            Whether there may be more.
        """
        if not self.keep_placeholder(job_id, token):
            return False
        for owner in reversed(TABLES[1:]):
            number = next(column for column in owner.primary_key if column.name != "job_id")
            of_job = owner.c.job_id == job_id
            last = self._connection.scalar(select(number).where(of_job).order_by(number).offset(PART - 1).limit(1))
            of_part = of_job if last is None else of_job & (number <= last)
            if self._connection.execute(delete(owner).where(of_part)).rowcount:
                return True
        self._connection.execute(delete(job).where(job.c.job_id == job_id))
        return False

    def gather_statistics(self, of: JobTable) -> None:
        """Let PostgreSQL count the rows of a table, where so many new ones would mislead its plans.

        A plan that was made for a nearly empty table, such as that of a foreign key, is kept until the table is
        analysed. Other databases have no such plans. A server that may not analyse goes on without.
        """
        if self._connection.dialect.name != "postgresql":
            return
        try:
            with self._connection.begin_nested():
                self._connection.execute(text(f"ANALYZE {of.name}"))
        except DBAPIError as error:
            logger.info("%s was not analysed after an import: %s", of.name, type(error.orig).__name__)

    def _change_placeholder(self, job_id: str, token: str, values: Mapping[str, Any]) -> bool:
        mine = (job.c.job_id == job_id, _UNFINISHED, job.c.job_id_prefix == token)
        return self._connection.execute(update(job).where(*mine).values(dict(values))).rowcount == 1
