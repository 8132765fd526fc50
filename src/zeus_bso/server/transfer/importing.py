"""Stores an imported job in short transactions, so that nobody waits long, and nobody sees half of it.

A placeholder stands for the job while its rows are stored, some at a time. Queries that find jobs leave placeholders
out. The last transaction puts the job's own row in its place. If the import fails, its rows are deleted, some at a
time. If the server ends meanwhile, the next import deletes them, or the registration of a job of that id.

A job that replaces another one is stored in one transaction, because both have the same id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from uuid import uuid4

from zeus_bso.exceptions import ZeusBSOServerError
from zeus_bso.server.dependencies import TRANSFER_BUDGET_S, Transactions
from zeus_bso.server.transfer.check import Row
from zeus_bso.server.transfer.repository import PART, JobTable, TransferRepository
from zeus_bso.server.transfer.staging import StagedJob
from zeus_bso.server.transfer.transfer import Imported, Transfer
from zeus_bso.server.unit_of_work import UnitOfWork

logger = logging.getLogger(__name__)

T = TypeVar("T")

PAUSE_S = 0.01
"""How long an import leaves the database to others after each of its transactions [s]."""

_PART_BUDGET_S = 60.0
"""How long an import tries to store a part [s]: much shorter than after which it counts as abandoned."""


async def store(transactions: Transactions, staged: StagedJob, *, replace: bool) -> Imported:
    """Store a job, all of it or nothing.

    Args:
        transactions: The transactions of the request.
        staged: The job.
        replace: Whether to replace an existing job of this id.

    Raises:
        JobExistsError: A job of this id exists and ``replace`` is false, or another import of it is under way.
        DatabaseUnavailableError: The database did not acknowledge a commit. Nothing of the job is seen.
    """
    async with transactions.transfer_place():
        return await _Import(transactions, staged).run(replace=replace)


class _Import:
    def __init__(self, transactions: Transactions, staged: StagedJob) -> None:
        self._transactions = transactions
        self._staged = staged
        self._token = uuid4().hex

    async def run(self, *, replace: bool) -> Imported:
        await self._discard_abandoned()
        begun = await self._write(
            lambda unit: Transfer.of(unit).begin_import(self._staged, self._token, replace=replace)
        )
        if not begun:
            return await self._transactions.write(
                lambda unit: Transfer.of(unit).import_at_once(self._staged, replace=replace),
                job_id=self._staged.job_id,
                budget_s=TRANSFER_BUDGET_S,
            )
        try:
            await self._store_rows()
            return await self._write(lambda unit: Transfer.of(unit).end_import(self._staged, self._token))
        except Exception:
            await self._discard_own()
            raise

    async def _store_rows(self) -> None:
        stored, written = 0, None
        for table, rows in self._staged.parts():
            if written is not None and written is not table:
                await self._gather_statistics(written, stored)
                stored = 0
            await self._write(partial(_store, self._staged, self._token, table, rows))
            stored, written = stored + len(rows), table
        if written is not None:
            await self._gather_statistics(written, stored)

    async def _gather_statistics(self, table: JobTable, rows: int) -> None:
        if rows > PART:
            await self._write(lambda unit: TransferRepository(unit.connection).gather_statistics(table))

    async def _discard_abandoned(self) -> None:
        """Delete what imports have left whose server has ended."""
        for job_id in await self._write(lambda unit: TransferRepository(unit.connection).take_abandoned(self._token)):
            logger.warning("An import of job %r was abandoned. What it has left is deleted.", job_id)
            await self._discard(job_id)

    async def _discard_own(self) -> None:
        """Delete what this import has stored; where that fails too, the next import does it."""
        try:
            await self._discard(self._staged.job_id)
        except ZeusBSOServerError:
            logger.warning("What a failed import of job %r has left will be deleted later.", self._staged.job_id)

    async def _discard(self, job_id: str) -> None:
        while await self._write(
            lambda unit: TransferRepository(unit.connection).discard_some(job_id, self._token), job_id=job_id
        ):
            pass

    async def _write(self, work: Callable[[UnitOfWork], T], *, job_id: str | None = None) -> T:
        """Run one of many transactions, and leave the database to others for a while."""
        result = await self._transactions.write(work, job_id=job_id or self._staged.job_id, budget_s=_PART_BUDGET_S)
        await asyncio.sleep(PAUSE_S)
        return result


def _store(staged: StagedJob, token: str, table: JobTable, rows: Sequence[Row], unit: UnitOfWork) -> None:
    Transfer.of(unit).continue_import(staged, token, table, rows)
