"""SQLite: an embedded file that several processes may share."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool, StaticPool

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.server.database.filesystem import is_network_file_system
from zeus_bso.server.database.transactions import WRITE_ATTEMPTS, WRITE_BUDGET_S, Work, give_up, lost_a_race
from zeus_bso.server.database.turn import Turn

logger = logging.getLogger(__name__)

T = TypeVar("T")

BUSY_TIMEOUT_S = 1.0
"""How long a transaction waits for another process's lock before it counts as one lost attempt."""

LARGEST_GROUP = 32
"""So many units of work share a commit at most, so that another process gets its turn soon."""

READERS = 2

_WRITES = "zeus_bso_writes"


def sqlite_engine(url: URL) -> Engine:
    """An engine over an SQLite file, its transactions begun by us.

    Raises:
        ZeusBSOConfigError: The folder of the file cannot be made.
    """
    file = database_file(url)
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ZeusBSOConfigError(f"The folder of the database file cannot be made: {error.strerror}") from error
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        poolclass=StaticPool if file is None else QueuePool,
    )

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
    """The same engine, its transactions taking the write lock at once, so that none is refused half-way."""
    return engine.execution_options(**{_WRITES: True})


def database_file(url: URL) -> Path | None:
    """The file that a URL names; None: the database lives in memory."""
    return None if url.database in (None, "", ":memory:") else Path(str(url.database))


def use_write_ahead_log(engine: Engine, path: Path | None) -> None:
    """Switch the file to the write-ahead log, which readers and the writer share; not on a network file system."""
    if path is None:
        return
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


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit of work that waits for its thread."""

    work: Callable[..., Any]
    deadline: float = math.inf
    done: Future[Any] = field(default_factory=Future)


class SqliteDatabase:
    """An SQLite file: one writer thread that runs whole units of work, and a few reader threads.

    SQLite has one writer at a time anyway, and to run a unit in one go on one thread is several times as fast as to
    hand each statement to a thread. Units that wait while others commit share the next commit, each behind a savepoint
    of its own: under load most of the time would go into waiting for the disk. None is answered before that commit.

    ``sqlite://`` names a database in memory, for tests; it lives as long as this object.
    """

    def __init__(self, url: URL) -> None:
        self._engine = sqlite_engine(url)
        self._path = database_file(url)
        self._writing = writing(self._engine)
        self._connection: Connection | None = None
        self._turn = Turn(self._path)
        self._waiting: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="zeus-bso-writer", daemon=True)
        self._reading: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read_all, name=f"zeus-bso-reader-{i}", daemon=True) for i in range(READERS)
        ]

    @property
    def connections(self) -> int:
        """Connections of this process at most: the writer's and the readers'."""
        return 1 + READERS

    async def start(self) -> None:
        """Open the file."""
        # Threads of our own, and daemons: a pool takes no work any more when an embedded client ends its run at the
        # interpreter's exit.
        for thread in (self._writer, *self._readers):
            thread.start()
        await self._in_reader(lambda: use_write_ahead_log(self._engine, self._path))

    async def close(self) -> None:
        """Finish what runs and close all connections."""
        self._waiting.put(None)
        await self._in_reader(self._writer.join)
        for _ in self._readers:
            self._reading.put(None)
        for thread in self._readers:
            thread.join()
        self._turn.close()
        self._engine.dispose()

    async def write(self, work: Work[T], *, budget_s: float = WRITE_BUDGET_S) -> T:
        """Run ``work`` in a transaction and commit it; begin with it within ``budget_s`` seconds."""
        unit = _Unit(work, time.monotonic() + budget_s)
        self._waiting.put(unit)
        answer = asyncio.wrap_future(unit.done)
        await asyncio.wait([answer], timeout=budget_s)
        if not answer.done() and unit.done.cancel():
            give_up()
        result: T = await answer
        return result

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a read transaction of its own."""
        if self._path is None:
            # A database in memory is one connection, and that is the writer's.
            return await self.write(work)

        def transact() -> T:
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except DBAPIError as error:
                give_up(error)

        return await self._in_reader(transact)

    async def snapshot(self, work: Work[T], *, budget_s: float) -> T:
        """Run ``work`` in a read transaction of its own: on SQLite each sees the state at its beginning."""
        return await self.read(work)

    async def _in_reader(self, function: Callable[[], T]) -> T:
        unit = _Unit(lambda _: function())
        self._reading.put(unit)
        result: T = await asyncio.wrap_future(unit.done)
        return result

    def _read_all(self) -> None:
        while (unit := self._reading.get()) is not None:
            if unit.done.set_running_or_notify_cancel():
                _settle(unit, functools.partial(unit.work, None))

    def _write_all(self) -> None:
        open_for_work = True
        while open_for_work:
            group = [self._waiting.get()]
            with self._turn:
                while len(group) < LARGEST_GROUP and not self._waiting.empty():
                    group.append(self._waiting.get())
                open_for_work = None not in group
                self._write_group(
                    [unit for unit in group if unit is not None and unit.done.set_running_or_notify_cancel()]
                )
        self._disconnect()

    def _write_group(self, group: list[_Unit]) -> None:
        """Run a group of units and commit once; units that lost a race run again, each on its own."""
        if not group:
            return
        try:
            answers = self._commit(group)
        except DBAPIError:
            # What one unit may have done to the others is not worth finding out.
            answers = [functools.partial(self._on_its_own, unit) for unit in group]
        except Exception as error:  # noqa: BLE001 - the writer must outlive every group
            answers = [functools.partial(_raise, error) for _ in group]
        for unit, answer in zip(group, answers, strict=True):
            _settle(unit, answer)

    def _commit(self, group: list[_Unit]) -> list[Callable[[], Any]]:
        if len(group) == 1:
            return [functools.partial(self._on_its_own, group[0])]
        try:
            with self._connected().begin():
                return [self._behind_a_savepoint(unit) for unit in group]
        except DBAPIError:
            self._disconnect()
            raise

    def _behind_a_savepoint(self, unit: _Unit) -> Callable[[], Any]:
        connection = self._connected()
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("SAVEPOINT unit")
        try:
            result = unit.work(connection)
        except DBAPIError:
            raise
        except Exception as error:  # noqa: BLE001 - belongs to whoever asked for the work
            driver.execute("ROLLBACK TO unit")
            return functools.partial(_raise, error)
        finally:
            if driver.in_transaction:
                driver.execute("RELEASE unit")
        return lambda: result

    def _on_its_own(self, unit: _Unit) -> Any:
        """Run one unit in a transaction of its own, again if it lost a race."""
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            if time.monotonic() > unit.deadline:
                break
            try:
                with self._connected().begin():
                    return unit.work(self._connected())
            except DBAPIError as error:
                self._disconnect()
                if not lost_a_race(error) or attempt == WRITE_ATTEMPTS:
                    give_up(error)
        return give_up()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._writing.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._path is not None:
                connection.invalidate()
            connection.close()


def _raise(error: Exception) -> Any:
    raise error


def _settle(unit: _Unit, answer: Callable[[], Any]) -> None:
    try:
        result = answer()
    except Exception as error:  # noqa: BLE001 - belongs to whoever asked for the work
        unit.done.set_exception(error)
    else:
        unit.done.set_result(result)
