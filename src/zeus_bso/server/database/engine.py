"""Transactions: one request, one session, one transaction, committed before the answer is sent.

A *unit of work* is a plain function of a connection. The database runs it in one transaction, commits, and runs it
again when the transaction lost a race, so that a request either happened as a whole or not at all.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from zeus_bso.exceptions import DatabaseUnavailableError, ZeusBSOConfigError
from zeus_bso.server.database.filesystem import is_network_file_system

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]

WRITE_ATTEMPTS = 3
WRITE_BUDGET_S = 4.0
"""A write gives up after so long: clients of the protocol time out at 5 s."""

_WRITES = "zeus_bso_writes"


class Database(Protocol):
    """Runs units of work."""

    async def start(self) -> None:
        """Open the database."""

    async def close(self) -> None:
        """Finish what runs and close all connections."""

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction of its own and commit it.

        Raises:
            DatabaseUnavailableError: Nothing was stored.
        """

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a read transaction of its own."""


def open_database(url: str) -> Database:
    """Make the database that a URL names; nothing is opened yet.

    Raises:
        ZeusBSOConfigError: The URL is malformed, or names a database that is not supported.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise ZeusBSOConfigError(
            f"The database '{parsed.get_backend_name()}' is not supported. Use an SQLite file: sqlite:///path/to/file.db"
        )
    return SqliteDatabase(parsed)


def parse_url(url: str) -> URL:
    """Parse a database URL.

    Raises:
        ZeusBSOConfigError: It is malformed. The message does not repeat it, since it may hold a password.
    """
    try:
        return make_url(url)
    except ArgumentError:
        raise ZeusBSOConfigError(
            "The database URL cannot be read; it should look like sqlite:///path/to/file.db"
        ) from None


def sqlite_engine(url: URL) -> Engine:
    """An engine over an SQLite file, its transactions begun by us.

    Writing transactions take the write lock at once (BEGIN IMMEDIATE), so that none is refused half-way.

    Raises:
        ZeusBSOConfigError: The URL names no file: every connection would see a database of its own.
    """
    if not url.database or url.database == ":memory:":
        raise ZeusBSOConfigError("An SQLite database needs a file: sqlite:///path/to/file.db")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), connect_args={"timeout": 1.3})

    @event.listens_for(engine, "connect")
    def _prepare(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions by itself: it would begin deferred ones.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def writing(engine: Engine) -> Engine:
    """The same engine, its transactions taking the write lock at once."""
    return engine.execution_options(**{_WRITES: True})


def use_write_ahead_log(engine: Engine, path: Path) -> None:
    """Switch the file to the write-ahead log, which readers and the writer share; not on a network file system."""
    local = not is_network_file_system(path)
    if not local:
        logger.warning(
            "%s lies on a network file system, where SQLite cannot share its write-ahead log: fewer processes can use "
            "it at once. Prefer a local disk, or a server.",
            path.name,
        )
    connection = engine.raw_connection()
    try:
        connection.cursor().execute(f"PRAGMA journal_mode = {'WAL' if local else 'DELETE'}").close()
    finally:
        connection.close()


class SqliteDatabase:
    """An SQLite file: one writer thread that runs whole transactions, and a few reader threads.

    SQLite has one writer at a time anyway; to run a transaction in one go on one thread is three to four times as fast
    as to hand each statement to a thread. Other processes may use the same file.
    """

    def __init__(self, url: URL) -> None:
        self._engine = sqlite_engine(url)
        self._path = Path(str(url.database))
        self._writing = writing(self._engine)
        self._connection: Connection | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="zeus-bso-writer")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="zeus-bso-reader")

    async def start(self) -> None:
        """Open the file."""
        await self._run(self._writer, functools.partial(use_write_ahead_log, self._engine, self._path))

    async def close(self) -> None:
        """Finish what runs and close all connections."""
        await self._run(self._writer, self._disconnect)
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction of its own and commit it."""
        deadline = time.monotonic() + WRITE_BUDGET_S
        return await self._run(self._writer, lambda: self._transact(work, deadline))

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a read transaction of its own."""

        def transact() -> T:
            with translated_errors(), self._engine.begin() as connection:
                return work(connection)

        return await self._run(self._readers, transact)

    def _transact(self, work: Work[T], deadline: float) -> T:
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            if time.monotonic() > deadline:
                break
            try:
                return self._attempt(work)
            except DBAPIError as error:
                self._disconnect()
                if not lost_a_race(error) or attempt == WRITE_ATTEMPTS:
                    with translated_errors():
                        raise
        raise DatabaseUnavailableError("The database is busy; nothing was stored. Try again.")

    def _attempt(self, work: Work[T]) -> T:
        if self._connection is None:
            self._connection = self._writing.connect()
        with self._connection.begin():
            return work(self._connection)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    async def _run(self, executor: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, function)


def lost_a_race(error: DBAPIError) -> bool:
    """Whether the transaction would succeed if it ran again: the file was locked, or another one took a unique key."""
    return isinstance(error, IntegrityError) or "locked" in str(error.orig)


class translated_errors:  # noqa: N801 - used as a verb: with translated_errors()
    """Say that the database did not take the transaction, and keep the details for the log."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OperationalError | InterfaceError | InternalError):
            logger.error("The database did not take a transaction: %s", error.orig)
            raise DatabaseUnavailableError("The database is not available; nothing was stored. Try again.") from error
