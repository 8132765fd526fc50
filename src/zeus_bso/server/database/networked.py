"""MySQL, MariaDB and PostgreSQL, which any number of servers can share."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from zeus_bso.exceptions import DatabaseUnavailableError, ZeusBSOConfigError
from zeus_bso.server.database.awaited_connections import AwaitedConnections
from zeus_bso.server.database.database_connections import POOL_TIMEOUT_S, Connections
from zeus_bso.server.database.failures import CANNOT_WRITE, codes_of, is_full
from zeus_bso.server.database.job_places import JobPlaces
from zeus_bso.server.database.probes import write_for_real, write_nothing
from zeus_bso.server.database.session_limits import begin_sessions_with_limits
from zeus_bso.server.database.threaded_connections import ThreadedConnections
from zeus_bso.server.database.transactions import WRITE_ATTEMPTS, WRITE_BUDGET_S, Work, give_up, lost_a_race
from zeus_bso.server.database.url_options import connection_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

DRIVERS = {
    "mysql": ("mysql+asyncmy", "mysql"),
    "mariadb": ("mysql+asyncmy", "mysql"),
    "postgresql": ("postgresql+psycopg", "postgres"),
}
"""The driver of each database, and the extra that installs it."""


def networked_engine(url: URL, *, pool_size: int = 1) -> AsyncEngine:
    """Create an engine with a bounded pool. Its transactions are READ COMMITTED.

    Raises:
        ZeusBSOConfigError: The driver is not installed, or the URL has an unknown option. The message names the extra
            or the option.
    """
    engine: AsyncEngine = _create(create_async_engine, url, pool_size)
    _prepare(engine.sync_engine, url)
    return engine


def _connections(url: URL, pool_size: int) -> Connections:
    if url.get_backend_name() != "postgresql":
        return AwaitedConnections(networked_engine(url, pool_size=pool_size))
    engine: Engine = _create(create_engine, url, pool_size)
    _prepare(engine, url)
    return ThreadedConnections(engine, pool_size)


def _create(create: Callable[..., Any], url: URL, pool_size: int) -> Any:
    driver, extra = DRIVERS[url.get_backend_name()]
    try:
        plain, arguments = connection_of(url)
        return create(
            plain.set(drivername=driver),
            isolation_level="READ COMMITTED",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_use_lifo=True,
            pool_reset_on_return=None,  # each transaction ends in the function that begins it
            connect_args=arguments,
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ZeusBSOConfigError(
            f'The database driver for {driver} is not installed. Run: pip install "zeus-bso[{extra}]"'
        ) from error
    except (TypeError, ValueError) as error:
        raise ZeusBSOConfigError(f"An option of the database URL has a wrong value: {error}") from error


def _prepare(engine: Engine, url: URL) -> None:
    begin_sessions_with_limits(engine, url)
    event.listen(engine, "handle_error", _discard_connections_that_cannot_write)


def _discard_connections_that_cannot_write(context: ExceptionContext) -> None:
    """Count an error of a read-only server as a lost connection: the transaction runs again on a new one.

    After a failover the old server may live on as a replica, with all our connections.
    """
    if not CANNOT_WRITE.isdisjoint(codes_of(context.original_exception)):
        context.is_disconnect = True


class NetworkedDatabase:
    """A database server. Servers coordinate through this database alone: no process holds a lock in its memory.

    Args:
        url: URL of the database.
        pool_size: Largest number of connections of this process. A request that gets none in time is answered 503.
    """

    def __init__(self, url: URL, *, pool_size: int) -> None:
        self._size = pool_size
        self._connections = _connections(url, pool_size)
        self._job_places = JobPlaces(pool_size)
        self._in_doubt = False

    @property
    def connections(self) -> int:
        """Largest number of connections of this process."""
        return self._size

    async def start(self) -> None:
        """Do nothing, because connections are opened when they are needed."""

    async def close(self) -> None:
        """Close all connections."""
        await self._connections.close()

    async def write(self, work: Work[T], *, job_id: str | None = None, budget_s: float = WRITE_BUDGET_S) -> T:
        """Run ``work`` in its own transaction and commit it, within ``budget_s`` seconds.

        Only few writes of one job have a connection at a time.
        """
        deadline = time.monotonic() + budget_s
        async with nullcontext() if job_id is None else self._job_places.place(job_id, deadline):
            return await self._run(work, deadline)

    async def check(self) -> None:
        """Check that the database can be written. Only after a full disk or a time-out is it tried for real."""
        await self.write(write_for_real if self._in_doubt else write_nothing)
        self._in_doubt = False

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in its own read transaction."""
        return await self._run(work, time.monotonic() + WRITE_BUDGET_S)

    async def snapshot(self, work: Work[T], *, budget_s: float) -> T:
        """Run ``work`` in a read transaction whose statements all see the same state, within ``budget_s`` seconds."""
        return await self._run(work, time.monotonic() + budget_s, isolation_level="REPEATABLE READ")

    async def _run(self, work: Work[T], deadline: float, *, isolation_level: str | None = None) -> T:
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            try:
                return await self._connections.transact(work, deadline, isolation_level=isolation_level)
            except DBAPIError as error:
                # A connection that broke during the commit may have committed. To run again is safe all the same,
                # because every request of the protocol is idempotent, or leaves at most a trial that expires.
                self._in_doubt = self._in_doubt or is_full(error)
                if not (error.connection_invalidated or lost_a_race(error)) or attempt == WRITE_ATTEMPTS:
                    give_up(error)
            except PoolTimeoutError:
                raise DatabaseUnavailableError(
                    "All database connections are in use; nothing was stored. Try again."
                ) from None
            except (SQLAlchemyError, OSError, asyncio.TimeoutError) as error:
                # The other connections may be as dead as this one.
                self._connections.distrust()
                self._in_doubt = True  # MariaDB waits for room for its binary log, and answers all reads meanwhile.
                give_up(error)
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(random.uniform(0, 0.01 * 4**attempt))
        return give_up()
