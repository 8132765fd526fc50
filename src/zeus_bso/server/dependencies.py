"""The transactions that FastAPI passes to each endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import copy_context
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from sqlalchemy import Connection

from zeus_bso.server.bulkheads import Bulkheads
from zeus_bso.server.config import Settings
from zeus_bso.server.database.transactions import WRITE_BUDGET_S, Database
from zeus_bso.server.instruments import Instruments
from zeus_bso.server.optimizer import ZeusBatchSizeOptimizer, log_decision
from zeus_bso.server.security.job_access import EVERYTHING, JobAccess
from zeus_bso.server.security.routes import caller_of
from zeus_bso.server.services.trial_requests import TrialRequest
from zeus_bso.server.services.trial_rules import Decision
from zeus_bso.server.unit_of_work import UnitOfWork

T = TypeVar("T")

TRANSFER_BUDGET_S = 600.0
"""How long an export, or an import in one transaction, may take [s]."""


class Transactions:
    """Runs a request's work in one session, which is one transaction, and commits before the answer is sent.

    The work is a function, so that it can run again as a whole if its transaction lost a race.

    Args:
        database: The database.
        settings: The server's settings.
        instruments: The counters of transactions.
        bulkheads: The limits on pages and transfers.
        access: The jobs that these transactions can reach.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        instruments: Instruments,
        bulkheads: Bulkheads,
        access: JobAccess = EVERYTHING,
    ) -> None:
        self._database = database
        self._settings = settings
        self._instruments = instruments
        self._bulkheads = bulkheads
        self._access = access

    def within(self, access: JobAccess) -> Transactions:
        """The same transactions, limited to some jobs."""
        return Transactions(self._database, self._settings, self._instruments, self._bulkheads, access)

    @property
    def settings(self) -> Settings:
        """The server's settings."""
        return self._settings

    async def check(self) -> None:
        """Check that the database can be written, whatever the reach.

        Raises:
            DatabaseUnavailableError: It cannot.
        """
        with self._instruments.transaction():
            await self._database.check()

    async def read(self, work: Callable[[UnitOfWork], T], *, long: bool = False) -> T:
        """Run work in a read transaction.

        Args:
            work: The work.
            long: Whether it may take long, as a page does, and so has to leave connections to others.
        """
        async with self._bulkheads.pages.place() if long else nullcontext():
            with self._instruments.transaction():
                return await self._database.read(self._unit(work))

    async def write(self, work: Callable[[UnitOfWork], T], *, job_id: str, budget_s: float = WRITE_BUDGET_S) -> T:
        """Run work in a write transaction.

        Args:
            work: The work.
            job_id: The job that the work locks.
            budget_s: The time for all attempts [s].
        """
        with self._instruments.transaction():
            return await self._database.write(self._unit(work), job_id=job_id, budget_s=budget_s)

    async def decide(self, request: TrialRequest[T]) -> T:
        """Decide a request about a trial in a write transaction, which requests about other jobs may share."""
        alone = self._unit(lambda unit: ZeusBatchSizeOptimizer.of(unit).decide(request))
        with self._instruments.transaction():
            if self._access.covers(request.job_id):
                decision = await self._database.write_together(
                    request, self._decide_together, alone, job_id=request.job_id
                )
            else:
                decision = await self._database.write(alone, job_id=request.job_id)
        log_decision(decision)
        return request.answer(decision)

    def _decide_together(
        self, connection: Connection, requests: Sequence[TrialRequest[Any]]
    ) -> Sequence[Decision | Exception | None]:
        # Each request is about a job within the reach of its own caller.
        return ZeusBatchSizeOptimizer.of(UnitOfWork(connection, self._settings, EVERYTHING)).decide_together(requests)

    def transfer_place(self) -> AbstractAsyncContextManager[None]:
        """Wait for a place among the few transfers that may reach the database at a time, and hold it."""
        return self._bulkheads.transfers.place()

    async def snapshot(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run work that may take minutes in a transaction whose statements all see the same state."""
        async with self.transfer_place():
            with self._instruments.transaction():
                return await self._database.snapshot(self._unit(work), budget_s=TRANSFER_BUDGET_S)

    def _unit(self, work: Callable[[UnitOfWork], T]) -> Callable[[Connection], T]:
        # In the context of this request, so that its log lines carry the request id in any thread.
        context = copy_context()
        return lambda connection: context.run(work, UnitOfWork(connection, self._settings, self._access))


async def transactions(request: Request) -> Transactions:
    """The app's transactions, limited to the jobs that the caller can reach."""
    found = request.app.state.transactions
    assert isinstance(found, Transactions)
    return found.within(caller_of(request).reach)


Tx = Annotated[Transactions, Depends(transactions)]
