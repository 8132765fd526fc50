"""SQLite: an embedded file that several processes may share."""

from __future__ import annotations

import asyncio
import functools
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool, StaticPool

from zeus_bso.exceptions import DatabaseUnavailableError, ZeusBSOConfigError
from zeus_bso.server.database.failures import is_full
from zeus_bso.server.database.filesystem import is_network_file_system
from zeus_bso.server.database.probes import write_for_real, write_nothing
from zeus_bso.server.database.sqlite_units import Shared, Unit, fail, give
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
from zeus_bso.server.database.write_queue_lock import WriteQueueLock

logger = logging.getLogger(__name__)

T = TypeVar("T")

BUSY_TIMEOUT_S = 1.0
"""How long a transaction waits for another process's lock before it counts as one lost attempt."""

LARGEST_GROUP = 32
"""Largest number of units of work that share a commit. The limit lets other processes write soon."""

READERS = 4
"""Number of reader threads: more than pages and exports may hold at once."""

_WRITES = "zeus_bso_writes"
_FILE = "zeus_bso_file"


def sqlite_engine(url: URL) -> Engine:
    """Create an engine for an SQLite file. Our code begins its transactions, not the driver.

    Raises:
        ZeusBSOConfigError: The folder of the file cannot be created.
    """
    file = database_file(url)
    if file is not None:
        _make_folder(file)
    plain, _ = connection_of(url)
    timeout = {} if "timeout" in plain.query else {"timeout": BUSY_TIMEOUT_S}
    engine = create_engine(
        plain.set(drivername="sqlite+pysqlite"),
        connect_args=timeout | {"check_same_thread": False},
        poolclass=StaticPool if file is None else QueuePool,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions itself, because it would begin deferred ones.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()
        if file is not None:
            record.info[_FILE] = file_identity(file)

    @event.listens_for(engine, "checkout")
    def _refuse_another_file(
        connection: DBAPIConnection, record: ConnectionPoolEntry, fairy: PoolProxiedConnection
    ) -> None:
        if file is not None and record.info[_FILE] != file_identity(file):
            raise DisconnectionError("Another file has taken the place of this one.")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ZeusBSOConfigError(f"The folder of the database file cannot be created: {error.strerror}") from error


def file_identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one that takes its place; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def writing(engine: Engine) -> Engine:
    """The same engine for writes: each transaction takes the write lock at once, so that none fails halfway."""
    return engine.execution_options(**{_WRITES: True})


def database_file(url: URL) -> Path | None:
    """The file that a URL names, or None if the database is in memory."""
    return None if url.database in (None, "", ":memory:") else Path(str(url.database))


def use_write_ahead_log(engine: Engine, path: Path | None) -> None:
    """Switch the file to a write-ahead log, which readers and writer can share. Not on a network file system."""
    if path is None:
        return
    local = not is_network_file_system(path)
    if not local:
        logger.warning(
            "%s is on a network file system, where processes cannot share SQLite's write-ahead log, so fewer processes "
            "can use it at once. Use a local disk or a server instead.",
            path.name,
        )
    connection = engine.raw_connection()
    try:
        connection.cursor().execute(f"PRAGMA journal_mode = {'WAL' if local else 'DELETE'}").close()
    finally:
        connection.close()


def _has_write_ahead_log(engine: Engine, path: Path | None) -> bool:
    """Whether the file has one already, and may keep it."""
    if path is None or is_network_file_system(path):
        return False
    try:
        with closing(engine.raw_connection()) as connection:
            return bool(connection.cursor().execute("PRAGMA journal_mode").fetchone() == ("wal",))
    except sqlite3.OperationalError:
        return False  # Another process holds it.


class SqliteDatabase:
    """An SQLite file with one writer thread, which runs whole units of work, and a few reader threads.

    SQLite has one writer at a time anyway. One thread that runs a whole unit is several times as fast as one that
    runs statement by statement. Units that wait during a commit share the next commit, each behind its own savepoint,
    because under load most of the time would be spent waiting for the disk. No unit is answered before that commit.

    ``sqlite://`` names a database in memory, for tests. It exists as long as this object.
    """

    def __init__(self, url: URL) -> None:
        self._engine = sqlite_engine(url)
        self._path = database_file(url)
        self._writing = writing(self._engine)
        self._connection: Connection | None = None
        self._is_full = False
        self._turn = WriteQueueLock(self._path)
        self._waiting: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="zeus-bso-writer", daemon=True)
        self._reading: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read_all, name=f"zeus-bso-reader-{i}", daemon=True) for i in range(READERS)
        ]

    @property
    def connections(self) -> int:
        """Largest number of connections of this process: one for the writer and one for each reader."""
        return 1 + READERS

    async def start(self) -> None:
        """Open the file."""
        # Daemon threads instead of a pool: a pool accepts no work any more when an embedded client ends its run at the
        # exit of the interpreter.
        for thread in (self._writer, *self._readers):
            thread.start()
        await self._in_reader(self._open)

    def _open(self) -> None:
        """Wait for the turn to switch a new file: SQLite waits less than another process may take to migrate it."""
        if not _has_write_ahead_log(self._engine, self._path):
            with self._turn:
                use_write_ahead_log(self._engine, self._path)

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

    async def write(self, work: Work[T], *, job_id: str | None = None, budget_s: float = WRITE_BUDGET_S) -> T:
        """Run ``work`` in a transaction and commit it. The work begins within ``budget_s`` seconds.

        All jobs share the writer.
        """
        result: T = await self._written(Unit(work, time.monotonic() + budget_s), budget_s)
        return result

    async def write_together(self, item: Item, together: WorkTogether[Item, T], alone: Work[T], *, job_id: str) -> T:
        """Write something about one job, with what others write meanwhile about other jobs."""
        unit = Unit(alone, time.monotonic() + WRITE_BUDGET_S, Shared(job_id, item, together))
        result: T = await self._written(unit, WRITE_BUDGET_S)
        return result

    async def _written(self, unit: Unit, budget_s: float) -> Any:
        self._waiting.put(unit)
        answer = asyncio.wrap_future(unit.done)
        await asyncio.wait([answer], timeout=budget_s)
        if not answer.done() and unit.done.cancel():
            give_up()
        return await answer

    async def check(self) -> None:
        """Check that the file can be written. Only a disk that was full is tried with a real write.

        The check does not queue behind the writer: where somebody else holds the lock for writing, the file is written.
        """
        if self._is_full or self._path is None:
            await self.write(write_for_real)
            self._is_full = False
            return

        def try_to_write() -> None:
            self._check_that_the_file_exists()
            try:
                with self._engine.begin() as connection:
                    write_nothing(connection)
            except DBAPIError as error:
                if not lost_a_race(error):
                    self._give_up(error)

        await self._in_reader(try_to_write)

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in its own read transaction."""
        if self._path is None:
            # A database in memory has one connection, which belongs to the writer.
            return await self.write(work)

        def transact() -> T:
            self._check_that_the_file_exists()
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except DBAPIError as error:
                self._give_up(error)

        return await self._in_reader(transact)

    async def snapshot(self, work: Work[T], *, budget_s: float) -> T:
        """Run ``work`` in its own read transaction. On SQLite each one sees the state at its beginning."""
        return await self.read(work)

    async def _in_reader(self, function: Callable[[], T]) -> T:
        unit = Unit(lambda _: function())
        self._reading.put(unit)
        result: T = await asyncio.wrap_future(unit.done)
        return result

    def _read_all(self) -> None:
        while (unit := self._reading.get()) is not None:
            if unit.done.set_running_or_notify_cancel():
                unit.settle(functools.partial(unit.work, None))

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

    def _write_group(self, group: list[Unit]) -> None:
        """Run a group of units and commit once. Units that lost a race run again, each on its own."""
        if not group:
            return
        try:
            self._follow_the_file()
            answers = self._commit(group)
        except DBAPIError:
            # It is not worth finding out how one unit may have affected the others.
            answers = [functools.partial(self._on_its_own, unit) for unit in group]
        except Exception as error:  # noqa: BLE001 - the writer thread must survive every group
            answers = [functools.partial(fail, error) for _ in group]
        for unit, answer in zip(group, answers, strict=True):
            unit.settle(answer)

    def _commit(self, group: list[Unit]) -> list[Callable[[], Any]]:
        if len(group) == 1:
            return [functools.partial(self._on_its_own, group[0])]
        try:
            with self._connected().begin():
                done = self._together(group)
                return [done.get(id(unit)) or self._behind_a_savepoint(unit) for unit in group]
        except DBAPIError:
            self._disconnect()
            raise

    def _together(self, group: list[Unit]) -> dict[int, Callable[[], Any]]:
        """Do what can be done together, of each job one unit: what it has come to, by the ids of the units."""
        units = {unit.shared.job_id: unit for unit in reversed(group) if unit.shared is not None}
        shared = [unit.shared for unit in units.values() if unit.shared is not None]
        if len(shared) < 2:
            return {}
        items = [each.item for each in shared]
        results = self._behind_a_savepoint(Unit(lambda connection: shared[0].together(connection, items)))
        try:
            found = zip(units.values(), results(), strict=True)
        except Exception:  # noqa: BLE001 - each unit runs again on its own and meets its error there
            return {}
        return {id(unit): functools.partial(give, result) for unit, result in found if result is not None}

    def _behind_a_savepoint(self, unit: Unit) -> Callable[[], Any]:
        connection = self._connected()
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("SAVEPOINT unit")
        try:
            result = unit.work(connection)
        except DBAPIError:
            raise
        except Exception as error:  # noqa: BLE001 - the caller who requested the work gets the error
            driver.execute("ROLLBACK TO unit")
            return functools.partial(fail, error)
        finally:
            if driver.in_transaction:
                driver.execute("RELEASE unit")
        return lambda: result

    def _on_its_own(self, unit: Unit) -> Any:
        """Run one unit in its own transaction, and again if it lost a race."""
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            if time.monotonic() > unit.deadline:
                break
            try:
                with self._connected().begin():
                    return unit.work(self._connected())
            except DBAPIError as error:
                self._disconnect()
                if not lost_a_race(error) or attempt == WRITE_ATTEMPTS:
                    self._give_up(error)
        return give_up()

    def _give_up(self, error: DBAPIError) -> NoReturn:
        self._is_full = self._is_full or is_full(error)
        give_up(error)

    def _follow_the_file(self) -> None:
        """Leave a file that another one has replaced, so that no write goes where nobody can see it.

        Raises:
            DatabaseUnavailableError: There is no file. SQLite would create an empty one.
        """
        self._check_that_the_file_exists()
        if self._path is None or self._connection is None:
            return
        if self._connection.info.get(_FILE) != file_identity(self._path):
            logger.warning("Another file has taken the place of %s. The server continues with it.", self._path)
            self._disconnect()

    def _check_that_the_file_exists(self) -> None:
        if self._path is not None and not self._path.exists():
            logger.error("The database file %s is gone. Put it back.", self._path)
            raise DatabaseUnavailableError("The database is not available. Send the request again.")

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
