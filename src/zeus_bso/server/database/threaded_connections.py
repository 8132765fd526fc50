"""Connections of a driver that waits for the database in C, without Python's lock: PostgreSQL.

Each transaction runs in a thread, as many at once as there are connections. The same driver can be awaited in the event
loop, but then it waits in Python, which takes a third of the processor time of a request
(docs/adr/0007-postgresql-in-threads.md).
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from zeus_bso.server.database.database_connections import PING_TIMEOUT_S, POOL_TIMEOUT_S, IdlePing
from zeus_bso.server.database.transactions import Work

T = TypeVar("T")


class ThreadedConnections:
    """Connections whose transactions run in threads.

    Args:
        engine: Opens them.
        size: The largest number of them, which is that of the engine's pool.
    """

    def __init__(self, engine: Engine, size: int) -> None:
        self._engine = engine
        self._idle_ping = IdlePing(engine, self._answers)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="zeus-bso-database")
        self._free = asyncio.Semaphore(size)
        self._running: set[_Transaction] = set()
        self._is_closed = False

    async def transact(self, work: Work[T], deadline: float, *, isolation_level: str | None = None) -> T:
        """Run ``work`` in a transaction and commit it."""
        if self._is_closed:
            raise OSError("The connections are closed.")
        await self._acquire(deadline)
        transaction = _Transaction(self._engine, isolation_level)
        self._running.add(transaction)
        future = asyncio.get_running_loop().run_in_executor(self._threads, transaction.run, work)
        future.add_done_callback(lambda future: self._ended(transaction, future))
        try:
            await asyncio.wait([future], timeout=max(0.0, deadline - time.monotonic()))
            if not future.done():
                raise asyncio.TimeoutError
            return future.result()
        finally:
            if not future.done():
                transaction.abort()

    def distrust(self) -> None:
        """Let each connection show that it is alive before it is used again."""
        self._idle_ping.distrust()

    async def close(self) -> None:
        """Close all connections, those in use too."""
        self._is_closed = True
        for transaction in self._running:
            transaction.abort()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()

    async def _acquire(self, deadline: float) -> None:
        """Wait for a thread, and so for a connection."""
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            await asyncio.wait_for(self._free.acquire(), min(POOL_TIMEOUT_S, max(0.0, deadline - time.monotonic())))
        except asyncio.TimeoutError:
            raise PoolTimeoutError("All connections are in use.") from None

    def _ended(self, transaction: _Transaction, future: asyncio.Future[Any]) -> None:
        self._running.discard(transaction)
        self._free.release()
        if not future.cancelled():
            future.exception()  # marked as retrieved, because after an abort nobody waits for it

    def _answers(self, connection: DBAPIConnection) -> bool:
        """Whether a connection answers in time."""
        timer = threading.Timer(PING_TIMEOUT_S, hang_up, [connection])
        timer.start()
        try:
            return self._engine.dialect.do_ping(connection)
        except self._engine.dialect.loaded_dbapi.Error:
            return False
        finally:
            timer.cancel()


class _Transaction:
    """A transaction in a thread, which another thread may abort.

    Args:
        engine: Gives the connection.
        isolation_level: The isolation level; None: the engine's.
    """

    def __init__(self, engine: Engine, isolation_level: str | None) -> None:
        self._engine = engine
        self._isolation_level = isolation_level
        self._lock = threading.Lock()
        self._connection: Any = None
        self._is_aborted = False

    def run(self, work: Work[T]) -> T:
        """Run ``work`` and commit.

        Raises:
            asyncio.TimeoutError: The transaction was aborted before it had a connection.
        """
        with self._engine.connect() as connection:
            self._hold(connection.connection.driver_connection)
            try:
                if self._isolation_level is not None:
                    connection = connection.execution_options(isolation_level=self._isolation_level)
                with connection.begin():
                    return work(connection)
            finally:
                self._hold(None)

    def abort(self) -> None:
        """Break the connection, so that the thread goes on at once: without an answer, and without a commit."""
        with self._lock:
            self._is_aborted = True
            if self._connection is not None:
                hang_up(self._connection)

    def _hold(self, connection: Any) -> None:
        with self._lock:
            if connection is not None and self._is_aborted:
                raise asyncio.TimeoutError
            self._connection = connection


def hang_up(connection: Any) -> None:
    """End a connection for both sides, while another thread waits for it."""
    from psycopg import OperationalError

    with suppress(OSError, OperationalError), socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
