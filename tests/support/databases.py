"""Real databases for tests: named by the environment, else private instances of what is installed, else none.

``ZEUS_BSO_TEST_MYSQL_URL`` and ``ZEUS_BSO_TEST_POSTGRES_URL`` name a database of a server that tests may use; every
test database is a fresh one beside it. Without them a private instance is started from the installed binaries: one of
each kind, that all processes of a test run share, and that does not wait for a disk. Tests that kill or pause a
database server have durable ones of their own. Where none can be started, the test is skipped and says so; under
``CI`` it fails.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import signal
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, make_url

from tests.support.private_servers import PATIENCE_S, execute, is_alive, private_server
from zeus_bso.server.database import migrate
from zeus_bso.server.database.networked import networked_engine
from zeus_bso.server.database.revision import VERSION_TABLE
from zeus_bso.server.database.sqlite import sqlite_engine

T = TypeVar("T")

# Read now: the tests themselves run without any setting of whoever starts them.
_NAMED = {
    "mariadb": os.environ.get("ZEUS_BSO_TEST_MYSQL_URL"),
    "postgresql": os.environ.get("ZEUS_BSO_TEST_POSTGRES_URL"),
}

KINDS = ("sqlite", "mariadb", "postgresql")
SERVER_KINDS = ("mariadb", "postgresql")
SHARED = "BSO_TEST_SHARED"
"""A variable of processes that outlive the test that starts them."""


def named_url(kind: str) -> URL | None:
    """The database that the environment names."""
    url = _NAMED.get(kind)
    return None if url is None else make_url(url)


class DatabaseServers:
    """The database servers of a test run: one of each kind, started when a test of any of its processes first wants it.

    Args:
        folder: Where the processes of the run find what the others have started.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "servers"
        self._folder.mkdir(exist_ok=True)
        # Held until this process has no more tests: who lets go last ends the servers.
        self._in_use = (self._folder / "in-use").open("wb")
        fcntl.flock(self._in_use, fcntl.LOCK_SH)
        self._urls: dict[str, URL] = {}
        self._models: dict[str, URL] = {}
        self._made = ExitStack()

    def url(self, kind: str) -> URL:
        """An existing database, beside which others may be made."""
        if kind not in self._urls:
            self._urls[kind] = named_url(kind) or self._shared(kind)
        return self._urls[kind]

    @contextmanager
    def fresh(self, kind: str, folder: Path) -> Iterator[str]:
        """An empty database of a kind; yields its URL. SQLite: a file in the folder that does not exist yet."""
        if kind == "sqlite":
            yield f"sqlite:///{folder / uuid.uuid4().hex}.db"
            return
        with fresh_database(self.url(kind)) as url:
            yield url

    @contextmanager
    def migrated(self, kind: str, folder: Path) -> Iterator[str]:
        """A database with our schema, as a copy of one that has been migrated once, which is far quicker."""
        if kind not in self._models:
            url = self._made.enter_context(self.fresh(kind, self._folder))
            migrate.upgrade(url)
            self._models[kind] = make_url(url)
        model = str(self._models[kind].database)
        if kind == "postgresql":
            with fresh_database(self.url(kind), f"TEMPLATE {model}") as url:
                yield url
            return
        with self.fresh(kind, folder) as url:
            if kind == "sqlite":
                shutil.copy(model, str(make_url(url).database))
            else:
                look(url, lambda connection: _copy_tables(connection, model))
            yield url

    def let_go(self) -> None:
        """Use them no more; the last process of the run ends them."""
        self._made.close()
        for url in self._models.values():
            if url.get_backend_name() == "sqlite":
                Path(str(url.database)).unlink()
        try:
            fcntl.flock(self._in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        finally:
            self._in_use.close()
        for note in self._folder.glob("*.json"):
            server = json.loads(note.read_text())
            _end(server["pid"], signal.Signals(server["end_signal"]))
            shutil.rmtree(server["folder"], ignore_errors=True)
            note.unlink()

    def _shared(self, kind: str) -> URL:
        note = self._folder / f"{kind}.json"
        with note.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not note.exists():
                server = private_server(kind, durable=False)
                try:
                    server.start(environment={SHARED: "1"})
                except BaseException:
                    server.remove()
                    raise
                url = server.url.render_as_string(hide_password=False)
                server.outlive_this_process()
                found = {"url": url, "pid": server.pid, "end_signal": server.end_signal, "folder": str(server.folder)}
                note.write_text(json.dumps(found))
            return make_url(json.loads(note.read_text())["url"])


def _end(pid: int, by: signal.Signals) -> None:
    """End a process that this one or another one has started, and wait until it is gone.

    Whoever started it may be gone too, and then nobody may be there to wait for it: it stays a zombie.
    """
    os.kill(pid, by)
    deadline = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        if time.monotonic() > deadline:
            by, deadline = signal.SIGKILL, time.monotonic() + PATIENCE_S
            with suppress(ProcessLookupError):
                os.kill(pid, by)
        time.sleep(0.02)


@contextmanager
def fresh_database(base: URL, made: str = "") -> Iterator[str]:
    """A database on the server of ``base``, empty unless made otherwise, dropped afterwards; yields its URL."""
    name = f"zeus_bso_test_{uuid.uuid4().hex[:12]}"
    note = Path(tempfile.gettempdir()) / f"database.{name}"
    note.touch()
    asyncio.run(execute(base, f"CREATE DATABASE {name} {made}"))
    try:
        yield base.set(database=name).render_as_string(hide_password=False)
    finally:
        force = " WITH (FORCE)" if base.get_backend_name() == "postgresql" else ""
        asyncio.run(execute(base, f"DROP DATABASE {name}{force}"))
        note.unlink()


def _copy_tables(connection: Connection, model: str) -> None:
    """Make the tables of another database of MariaDB or MySQL, with the revision of their schema."""
    connection.exec_driver_sql("SET foreign_key_checks = 0")
    for table in connection.exec_driver_sql(f"SHOW TABLES FROM {model}").scalars().all():
        connection.exec_driver_sql(connection.exec_driver_sql(f"SHOW CREATE TABLE {model}.{table}").one()[1])
    connection.exec_driver_sql(f"INSERT INTO {VERSION_TABLE} SELECT * FROM {model}.{VERSION_TABLE}")


def run_script(url: str, script: str) -> None:
    """Run the statements of a script; each ends at the end of a line, and begins no transaction by itself."""

    def run(connection: Connection) -> None:
        mine = script
        if connection.dialect.name == "mysql" and not getattr(connection.dialect, "is_mariadb", False):
            # MySQL has MariaDB's collation under another name, and returns nothing from an INSERT.
            mine = re.sub(r" RETURNING [\w.]+", "", script.replace("utf8mb4_nopad_bin", "utf8mb4_0900_bin"))
        for statement in re.split(r";[ \t]*\n", re.sub(r"^--.*$", "", mine, flags=re.MULTILINE)):
            if statement.strip():
                connection.exec_driver_sql(statement.strip())

    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parsed.database))) as file:
            file.executescript(script)
        return

    async def within_a_loop() -> None:
        engine = networked_engine(parsed)
        try:
            async with engine.connect() as connection:
                connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.run_sync(run)
        finally:
            await engine.dispose()

    asyncio.run(within_a_loop())


def look(url: str, work: Callable[[Connection], T]) -> T:
    """Run work in a transaction of one's own, behind the back of every server, and commit it."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        file = sqlite_engine(parsed)
        try:
            with file.begin() as connection:
                return work(connection)
        finally:
            file.dispose()

    async def within_a_loop() -> T:
        engine = networked_engine(parsed)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return asyncio.run(within_a_loop())
