"""What an endpoint is handed: transactions over the house."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from sqlalchemy import Connection

from zeus_bso.server.batch_size_state.repository import BatchSizeStateRepository
from zeus_bso.server.config import Settings
from zeus_bso.server.dashboard.reader import Reader
from zeus_bso.server.database.transactions import WRITE_BUDGET_S, Database
from zeus_bso.server.job.repository import JobStateRepository
from zeus_bso.server.metrics.instruments import Instruments
from zeus_bso.server.optimizer import ZeusBatchSizeOptimizer
from zeus_bso.server.overview.overview import Overview
from zeus_bso.server.overview.prices import Prices
from zeus_bso.server.overview.repository import OverviewRepository
from zeus_bso.server.security.reach import EVERYTHING, Reach
from zeus_bso.server.security.routes import caller_of
from zeus_bso.server.services.service import ZeusService
from zeus_bso.server.transfer.repository import TransferRepository
from zeus_bso.server.transfer.transfer import Transfer

T = TypeVar("T")

_TRANSFER_BUDGET_S = 600.0


class Transactions:
    """Runs a request's work in one session, which is one transaction, committed before the answer is sent.

    The work is handed over as a function, so that it can run again as a whole when its transaction lost a race.

    Args:
        database: Where the state is kept.
        settings: The server's settings.
        instruments: What counts the transactions.
        reach: The jobs that exist for them.
    """

    def __init__(
        self, database: Database, settings: Settings, instruments: Instruments, reach: Reach = EVERYTHING
    ) -> None:
        self._database = database
        self._settings = settings
        self._instruments = instruments
        self._reach = reach

    def within(self, reach: Reach) -> Transactions:
        """The same for which only jobs within reach exist."""
        return Transactions(self._database, self._settings, self._instruments, reach)

    @property
    def settings(self) -> Settings:
        """The server's settings."""
        return self._settings

    async def check(self) -> None:
        """See that the database answers, whatever may be reached.

        Raises:
            DatabaseUnavailableError: It does not.
        """
        await self.within(EVERYTHING).read(lambda service: service.find_job(""))

    async def optimize(self, work: Callable[[ZeusBatchSizeOptimizer], T]) -> T:
        """Run work of the optimizer in a writing transaction."""
        return await self.write(lambda service: work(ZeusBatchSizeOptimizer(service)))

    async def write(self, work: Callable[[ZeusService], T]) -> T:
        """Run work on the service in a writing transaction."""
        return await self._write(lambda connection: work(self._service(connection)))

    async def read(self, work: Callable[[ZeusService], T]) -> T:
        """Run work on the service in a reading transaction."""
        return await self._read(lambda connection: work(self._service(connection)))

    async def look(self, work: Callable[[Overview], T]) -> T:
        """Run work of the overview in a reading transaction."""
        return await self._read(lambda connection: work(self._overview(connection)))

    async def show(self, work: Callable[[Reader], T]) -> T:
        """Run work of the dashboard in a reading transaction."""
        return await self._read(
            lambda connection: work(
                Reader.over(self._service(connection), self._overview(connection), connection, self._reach)
            )
        )

    async def export(self, work: Callable[[Transfer], T]) -> T:
        """Run work of the transfer in a transaction that sees one state of the database throughout."""
        with self._instruments.transaction():
            return await self._database.snapshot(
                _here(lambda connection: work(self._transfer(connection))), budget_s=_TRANSFER_BUDGET_S
            )

    async def import_(self, work: Callable[[Transfer], T]) -> T:
        """Run work of the transfer in a writing transaction that may take its time."""
        return await self._write(lambda connection: work(self._transfer(connection)), budget_s=_TRANSFER_BUDGET_S)

    async def _write(self, work: Callable[[Connection], T], *, budget_s: float = WRITE_BUDGET_S) -> T:
        with self._instruments.transaction():
            return await self._database.write(_here(work), budget_s=budget_s)

    async def _read(self, work: Callable[[Connection], T]) -> T:
        with self._instruments.transaction():
            return await self._database.read(_here(work))

    def _overview(self, connection: Connection) -> Overview:
        settings = self._settings
        prices = Prices(settings.electricity_price, settings.currency, settings.carbon_intensity)
        return Overview(self._service(connection), OverviewRepository(connection, self._reach), prices)

    def _transfer(self, connection: Connection) -> Transfer:
        return Transfer(self._service(connection), TransferRepository(connection))

    def _service(self, connection: Connection) -> ZeusService:
        return ZeusService(
            JobStateRepository(connection, self._reach),
            BatchSizeStateRepository(connection),
            trial_lease_s=self._settings.trial_lease_s,
        )


def _here(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """The work in this request's context, whichever thread runs it: its log lines carry the request's id."""
    context = copy_context()
    return lambda connection: context.run(work, connection)


async def transactions(request: Request) -> Transactions:
    """The app's transactions, over the jobs that whoever asks may reach."""
    found = request.app.state.transactions
    assert isinstance(found, Transactions)
    return found.within(caller_of(request).reach)


Zeus = Annotated[Transactions, Depends(transactions)]
