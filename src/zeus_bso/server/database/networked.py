"""MySQL, MariaDB and PostgreSQL: any number of servers on one database."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from zeus_bso.exceptions import DatabaseUnavailableError, ZeusBSOConfigError
from zeus_bso.server.database.transactions import WRITE_ATTEMPTS, WRITE_BUDGET_S, Work, give_up, lost_a_race

logger = logging.getLogger(__name__)

T = TypeVar("T")

DRIVERS = {
    "mysql": ("mysql+asyncmy", "mysql"),
    "mariadb": ("mysql+asyncmy", "mysql"),
    "postgresql": ("postgresql+psycopg", "postgres"),
}
"""The driver of each database, and the extra that brings it."""

POOL_TIMEOUT_S = 2.5
CONNECT_TIMEOUT_S = 2
LOCK_TIMEOUT_S = 2

_CONNECT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "mysql+asyncmy": {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "charset": "utf8mb4",
        "init_command": f"SET SESSION innodb_lock_wait_timeout = {LOCK_TIMEOUT_S}",
    },
    "postgresql+psycopg": {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "options": f"-c lock_timeout={LOCK_TIMEOUT_S}s -c idle_in_transaction_session_timeout=30s",
    },
}


def networked_engine(url: URL, *, pool_size: int = 1) -> AsyncEngine:
    """An engine with a bounded pool; transactions are READ COMMITTED.

    Raises:
        ZeusBSOConfigError: The driver is not installed; the message names the extra.
    """
    driver, extra = DRIVERS[url.get_backend_name()]
    try:
        return create_async_engine(
            url.set(drivername=driver),
            isolation_level="READ COMMITTED",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_use_lifo=True,
            pool_reset_on_return=None,  # every transaction is ended where it is begun
            connect_args=_CONNECT_ARGUMENTS[driver],
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ZeusBSOConfigError(
            f'The database driver for {driver} is not installed. Run: pip install "zeus-bso[{extra}]"'
        ) from error


class NetworkedDatabase:
    """A database server. All that several servers must agree on, they agree on there: no lock is held in a process.

    Args:
        url: Its URL.
        pool_size: Connections of this process at most. A request that finds none free in time is answered 503.
    """

    def __init__(self, url: URL, *, pool_size: int) -> None:
        self._engine = networked_engine(url, pool_size=pool_size)
        self._connections = pool_size

    @property
    def connections(self) -> int:
        """Connections of this process at most."""
        return self._connections

    async def start(self) -> None:
        """Nothing to do: connections are opened when they are needed."""

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def write(self, work: Work[T], *, budget_s: float = WRITE_BUDGET_S) -> T:
        """Run ``work`` in a transaction of its own and commit it, within ``budget_s`` seconds."""
        return await self._run(work, budget_s=budget_s)

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a read transaction of its own."""
        return await self._run(work)

    async def snapshot(self, work: Work[T], *, budget_s: float) -> T:
        """Run ``work`` in a read transaction whose statements all see the same state, within ``budget_s`` seconds."""
        return await self._run(work, budget_s=budget_s, isolation_level="REPEATABLE READ")

    async def _run(self, work: Work[T], *, budget_s: float = WRITE_BUDGET_S, isolation_level: str | None = None) -> T:
        deadline = time.monotonic() + budget_s
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            try:
                return await within(deadline, lambda: self._transact(work, isolation_level))
            except DBAPIError as error:
                # A connection that broke while it committed may have committed: to run again is safe all the same,
                # because every request of the protocol is idempotent, or leaves at most a trial that expires.
                if not (error.connection_invalidated or lost_a_race(error)) or attempt == WRITE_ATTEMPTS:
                    give_up(error)
            except PoolTimeoutError:
                raise DatabaseUnavailableError(
                    "All database connections are in use; nothing was stored. Try again."
                ) from None
            except (SQLAlchemyError, OSError, asyncio.TimeoutError) as error:
                give_up(error)
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(random.uniform(0, 0.01 * 4**attempt))
        return give_up()

    async def _transact(self, work: Work[T], isolation_level: str | None) -> T:
        def transact(connection: Connection) -> T:
            with connection.begin():
                return work(connection)

        async with self._engine.connect() as connection:
            if isolation_level is not None:
                connection = await connection.execution_options(isolation_level=isolation_level)
            return await connection.run_sync(transact)


async def within(deadline: float, action: Callable[[], Awaitable[T]]) -> T:
    """Await an action up to a point in time (``time.monotonic``).

    An action that took longer is cancelled, but its end is not waited for: a driver may try for many seconds to cancel
    the statement in a database that hangs.

    Raises:
        asyncio.TimeoutError: It took longer.
    """
    task = asyncio.ensure_future(action())
    try:
        await asyncio.wait([task], timeout=max(0.0, deadline - time.monotonic()))
        if not task.done():
            raise asyncio.TimeoutError
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            _ENDING.add(task)
            task.add_done_callback(_ended)


_ENDING: set[asyncio.Future[Any]] = set()
"""Cancelled actions that still clean up; the event loop itself keeps no tasks alive."""


def _ended(task: asyncio.Future[Any]) -> None:
    _ENDING.discard(task)
    if not task.cancelled():
        task.exception()  # nobody waits for it any more
