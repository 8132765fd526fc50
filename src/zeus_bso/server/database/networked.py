"""MySQL, MariaDB and PostgreSQL, which any number of servers can share."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn

from zeus_bso.exceptions import DatabaseUnavailableError, ZeusBSOConfigError
from zeus_bso.server.database.failures import CANNOT_WRITE, codes_of, is_full
from zeus_bso.server.database.groups import Groups
from zeus_bso.server.database.job_places import JobPlaces
from zeus_bso.server.database.probes import write_for_real, write_nothing
from zeus_bso.server.database.session_limits import begin_sessions_with_limits
from zeus_bso.server.database.transactions import (
    WRITE_ATTEMPTS,
    WRITE_BUDGET_S,
    Item,
    Work,
    WorkTogether,
    give_up,
    lost_a_race,
)
from zeus_bso.server.database.url_options import connection_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

DRIVERS = {
    "mysql": ("mysql+asyncmy", "mysql"),
    "mariadb": ("mysql+asyncmy", "mysql"),
    "postgresql": ("postgresql+psycopg", "postgres"),
}
"""The driver of each database, and the extra that installs it."""

POOL_TIMEOUT_S = 2.5

GROUP_BUDGET_S = 1.0
"""How long a group of writes tries before each of them runs on its own [s]."""

PING_AFTER_S = 2.0
"""A connection that was idle for longer is asked whether it is alive before it is used."""

PING_TIMEOUT_S = 1.0
"""How long such a connection has to answer before a new one takes its place."""


def networked_engine(url: URL, *, pool_size: int = 1) -> AsyncEngine:
    """Create an engine with a bounded pool. Its transactions are READ COMMITTED.

    Raises:
        ZeusBSOConfigError: The driver is not installed, or the URL has an unknown option. The message names the extra
            or the option.
    """
    driver, extra = DRIVERS[url.get_backend_name()]
    try:
        plain, arguments = connection_of(url)
        engine = create_async_engine(
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
    begin_sessions_with_limits(engine.sync_engine, url)
    event.listen(engine.sync_engine, "handle_error", _discard_connections_that_cannot_write)
    return engine


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
        self._engine = networked_engine(url, pool_size=pool_size)
        self._connections = pool_size
        self._job_places = JobPlaces(pool_size)
        self._groups = Groups(self._attempt, pool_size)
        self._writes = 0
        self._in_doubt = False
        self._distrusted_at = -math.inf
        event.listen(self._engine.sync_engine, "checkin", _note_time)
        event.listen(self._engine.sync_engine, "checkout", self._ping_after_idling)

    @property
    def connections(self) -> int:
        """Largest number of connections of this process."""
        return self._connections

    async def start(self) -> None:
        """Do nothing, because connections are opened when they are needed."""

    async def close(self) -> None:
        """Close all connections."""
        here = asyncio.get_running_loop()
        for task in [task for task in _ENDING if task.get_loop() is here]:
            await _end(task)
        await self._engine.dispose()

    async def write(self, work: Work[T], *, job_id: str | None = None, budget_s: float = WRITE_BUDGET_S) -> T:
        """Run ``work`` in its own transaction and commit it, within ``budget_s`` seconds.

        Only few writes of one job have a connection at a time.
        """
        deadline = time.monotonic() + budget_s
        async with nullcontext() if job_id is None else self._job_places.place(job_id, deadline):
            return await self._run(work, deadline)

    async def write_together(self, item: Item, together: WorkTogether[Item, T], alone: Work[T], *, job_id: str) -> T:
        """Write something about one job, with what others write meanwhile about other jobs.

        Where nobody else writes, or others want this job too, it is written alone at once.
        """
        deadline = time.monotonic() + WRITE_BUDGET_S
        alone_at_once = not self._writes or self._job_places.is_wanted(job_id)
        self._writes += 1
        try:
            result: T | Exception | None = None
            if not alone_at_once:
                result = await self._groups.result(job_id, item, together, deadline)
            if isinstance(result, Exception):
                raise result
            if result is None:
                result = await self.write(alone, job_id=job_id, budget_s=deadline - time.monotonic())
            return result
        finally:
            self._writes -= 1

    async def _attempt(self, work: Work[T]) -> T:
        try:
            return await within(time.monotonic() + GROUP_BUDGET_S, lambda: self._transact(work, None))
        except asyncio.TimeoutError:
            self._distrusted_at = time.monotonic()
            raise

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
                return await within(deadline, lambda: self._transact(work, isolation_level))
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
                self._distrusted_at = time.monotonic()
                self._in_doubt = True  # MariaDB waits for room for its binary log, and answers all reads meanwhile.
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

    def _ping_after_idling(
        self, connection: DBAPIConnection, record: ConnectionPoolEntry, fairy: PoolProxiedConnection
    ) -> None:
        """Ask a connection whether it is alive. A network in between may have forgotten it without a word.

        Raises:
            InvalidatePoolError: It does not answer. The pool then replaces all its connections.
        """
        idle_since = record.info.get(_IDLE_SINCE)
        now = time.monotonic()
        if idle_since is None or (now - idle_since < PING_AFTER_S and idle_since > self._distrusted_at):
            return
        if not await_only(_answers(functools.partial(self._engine.dialect.do_ping, connection))):
            raise InvalidatePoolError("An idle connection is dead.")


_IDLE_SINCE = "zeus_bso_idle_since"


def _note_time(connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[_IDLE_SINCE] = time.monotonic()


async def _answers(ping: Callable[[], bool]) -> bool:
    """Whether a connection answers in time. When this returns, nothing waits for the connection any more."""
    task = asyncio.ensure_future(greenlet_spawn(ping))
    try:
        await asyncio.wait([task], timeout=PING_TIMEOUT_S)
    finally:
        # Whoever closed the connection while the driver waits for it would leave its file descriptor to the event loop,
        # where the next connection meets it.
        await _end(task)
    return not task.cancelled() and task.exception() is None


async def _end(task: asyncio.Future[Any]) -> None:
    """Cancel a task until it ends. psycopg spends the first time on asking the database to cancel, and waits on."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.01)


async def within(deadline: float, action: Callable[[], Awaitable[T]]) -> T:
    """Await an action up to a point in time (``time.monotonic``).

    An action that takes longer is cancelled. This function does not wait for its end, because a driver may spend many
    seconds on cancelling the statement in a database that hangs.

    Raises:
        asyncio.TimeoutError: The action took longer.
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
"""Cancelled actions that still clean up. They are kept here because the event loop keeps no task alive."""


def _ended(task: asyncio.Future[Any]) -> None:
    _ENDING.discard(task)
    if not task.cancelled():
        task.exception()  # marked as retrieved, because nobody waits for it any more
