"""Connections of a driver that awaits the database in the event loop: MySQL and MariaDB."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only, greenlet_spawn

from zeus_bso.server.database.database_connections import PING_TIMEOUT_S, IdlePing
from zeus_bso.server.database.transactions import Work

T = TypeVar("T")


class AwaitedConnections:
    """Connections whose transactions run in the event loop.

    Args:
        engine: Opens them. Its pool bounds their number.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._idle_ping = IdlePing(engine.sync_engine, self._answers)

    async def transact(self, work: Work[T], deadline: float, *, isolation_level: str | None = None) -> T:
        """Run ``work`` in a transaction and commit it."""
        return await within(deadline, lambda: self._transact(work, isolation_level))

    def distrust(self) -> None:
        """Let each connection show that it is alive before it is used again."""
        self._idle_ping.distrust()

    async def close(self) -> None:
        """Close all connections."""
        here = asyncio.get_running_loop()
        for task in [task for task in _ENDING if task.get_loop() is here]:
            await _end(task)
        await self._engine.dispose()

    async def _transact(self, work: Work[T], isolation_level: str | None) -> T:
        def transact(connection: Connection) -> T:
            with connection.begin():
                return work(connection)

        async with self._engine.connect() as connection:
            if isolation_level is not None:
                connection = await connection.execution_options(isolation_level=isolation_level)
            return await connection.run_sync(transact)

    def _answers(self, connection: DBAPIConnection) -> bool:
        return await_only(_answers(functools.partial(self._engine.dialect.do_ping, connection)))


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
    """Cancel a task until it ends. A driver may spend the first time on asking the database to cancel, and wait on."""
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
