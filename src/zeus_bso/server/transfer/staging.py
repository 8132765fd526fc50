"""Imports in two steps: a file is checked and staged without a transaction, and stored in short ones.

Staged rows have the form in which the database's driver takes them. So the transactions, during which nobody else can
write to an SQLite file, neither parse nor convert.
"""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import IO, Any

from sqlalchemy.engine import Dialect

from zeus_bso.server.database.schema import job, trial
from zeus_bso.server.transfer.check import Row, checked_rows
from zeus_bso.server.transfer.repository import PART, TABLES, JobTable

_IN_MEMORY_BYTES = 2**20

_ROWS_IN_A_ROW = 10
_BREAK_S = 1e-4
"""After so many rows a thread that stages lets other threads run, which would otherwise wait much longer for it."""

_TABLES = {table.name: table for table in TABLES}


class StagedJob:
    """A valid job that is ready to be stored. A context manager that deletes the staged rows at its end.

    Args:
        file: The parts.
        job_id: The id for the job in this database.

    Attributes:
        job_id: The id for the job in this database.
        row: The row of the job itself, as it stands in the exported file.
        trials: Number of its trials.
        rows: Number of the rows of all its other tables.
    """

    def __init__(self, file: IO[bytes], job_id: str, row: Row, *, trials: int, rows: int) -> None:
        self.job_id = job_id
        self.row = row
        self.trials = trials
        self.rows = rows
        self._file = file

    def __enter__(self) -> StagedJob:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def parts(self) -> Iterator[tuple[JobTable, list[Row]]]:
        """The rows of all other tables, some at a time, parents before children, in the form that the driver takes."""
        self._file.seek(0)
        while True:
            try:
                # Safe, because nobody else can reach the file: it has no name.
                name, rows = pickle.load(self._file)
            except EOFError:
                return
            yield _TABLES[name], rows


def stage(file: IO[bytes], dialect: Dialect, *, new_id: str | None) -> StagedJob:
    """Check an exported job and prepare it to be stored.

    Args:
        file: The exported job.
        dialect: That of the database.
        new_id: The id for the job in this database; None for that in the file.

    Raises:
        InvalidExportError: The file is not a valid job. The message names the line.
    """
    binders = {table.name: _binders(table, dialect) for table in TABLES}
    with ExitStack() as stack:
        staged = stack.enter_context(temporary_file())
        found = checked_rows(file)
        _, row = next(found)
        job_id = new_id or row["job_id"]
        trials, rows, table, part = 0, 0, job, list[Row]()
        for rows, (owner, values) in enumerate(found, start=1):
            if rows % _ROWS_IN_A_ROW == 0:
                time.sleep(_BREAK_S)
            if part and (owner is not table or len(part) == PART):
                pickle.dump((table.name, part), staged, pickle.HIGHEST_PROTOCOL)
                part = []
            table = owner
            values["job_id"] = job_id
            for name, bind in binders[owner.name]:
                values[name] = bind(values[name])
            part.append(values)
            trials += owner is trial
        pickle.dump((table.name, part), staged, pickle.HIGHEST_PROTOCOL)
        stack.pop_all()
    return StagedJob(staged, job_id, row, trials=trials, rows=rows)


def temporary_file() -> IO[bytes]:
    """A file that stays in memory while it is small, and is deleted when it is closed."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115
    return file


def _binders(table: JobTable, dialect: Dialect) -> list[tuple[str, Callable[[Any], Any]]]:
    """For each column whose values the driver does not take as they are: what converts them."""
    found = [(column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in table.columns]
    return [(name, bind) for name, bind in found if bind is not None]
