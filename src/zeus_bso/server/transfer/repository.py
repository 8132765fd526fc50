"""Raw rows of a job, from any table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, column, insert, select, table, tuple_

from zeus_bso.server.database.schema import job, job_tombstone, metadata

PAGE = 1000

JobTable: TypeAlias = Table
"""A table with rows of jobs."""

TABLES: tuple[JobTable, ...] = tuple(
    table for table in metadata.sorted_tables if "job_id" in table.columns and table is not job_tombstone
)
"""The tables of a job, parents before children."""

assert TABLES[0] is job

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
