"""Fills a database with many jobs of some trials each, by copying one of them in SQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Column, Connection, Table, insert, literal, select
from tests.support.history import History
from tests.support.jobs import spec

from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.server.config import Settings
from zeus_bso.server.database.engine import open_database
from zeus_bso.server.database.schema import batch_size_state, job, trial
from zeus_bso.server.registration import register
from zeus_bso.server.security.job_access import EVERYTHING
from zeus_bso.server.unit_of_work import UnitOfWork

PATTERN = "job-0"
SIZES = [8, 16, 32, 64, 128, 256, 512, 1024]
GPUS = ("A100", "H100", "V100")
AT_ONCE = 100


async def fill(url: str, jobs: int, trials: int, progress: Callable[[str], None]) -> None:
    """Write so many jobs with so many trials each. Their energies, times and GPU models differ."""
    database = open_database(url)
    await database.start()
    try:
        await database.write(lambda connection: _write_pattern(connection, url, trials))
        began = time.monotonic()
        for first in range(1, jobs, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, jobs))
            await database.write(partial(_copy, numbers=numbers), budget_s=600.0)
            progress(f"{numbers.stop} of {jobs} jobs written after {time.monotonic() - began:.0f} s")
    finally:
        await database.close()


def _write_pattern(connection: Connection, url: str, trials: int) -> None:
    history = History(PATTERN, trials, batch_sizes=SIZES, default_batch_size=128)
    unit = UnitOfWork(connection, Settings(database_url=url), EVERYTHING)
    register(unit.service, JobSpecFromClient(**spec(**history.spec)))
    history.write(connection)


def _copy(connection: Connection, numbers: range) -> None:
    for number in numbers:
        factor = 1 + number % 97 / 97
        _copy_rows(connection, job, number, gpu_model=literal(GPUS[number % len(GPUS)]))
        _copy_rows(connection, batch_size_state, number)
        _copy_rows(connection, trial, number, energy=trial.c.energy * factor, time=trial.c.time * factor)


def _copy_rows(connection: Connection, table: Table, number: int, **changes: Any) -> None:
    changes["job_id"] = literal(f"job-{number}")

    def value(column: Column[Any]) -> Any:
        return changes.get(column.name, column)

    pattern = select(*(value(column) for column in table.columns)).where(table.c.job_id == PATTERN)
    connection.execute(insert(table).from_select([column.name for column in table.columns], pattern))
