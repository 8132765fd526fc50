"""Real databases for tests: named by the environment, else private instances of what is installed, else none.

``ZEUS_BSO_TEST_MYSQL_URL`` and ``ZEUS_BSO_TEST_POSTGRES_URL`` name a database of a server that tests may use; every
test database is a fresh one beside it. Without them a private instance is started from the installed binaries. Where
that is not possible either, the test is skipped and says so; under ``CI`` it fails.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import URL, Connection, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from zeus_bso.server.database.networked import networked_engine
from zeus_bso.server.database.sqlite import sqlite_engine

T = TypeVar("T")

# Read now: the tests themselves run without any setting of whoever starts them.
_NAMED = {
    "mariadb": os.environ.get("ZEUS_BSO_TEST_MYSQL_URL"),
    "postgresql": os.environ.get("ZEUS_BSO_TEST_POSTGRES_URL"),
}
_IN_CI = bool(os.environ.get("CI"))

KINDS = ("sqlite", "mariadb", "postgresql")


class PrivateServer:
    """A private instance of an installed database server, its data in a folder of its own."""

    url: URL
    command: list[str]

    def __init__(self) -> None:
        # Not among pytest's temporary files: those are closed to the user that the server runs as.
        self.folder = Path(tempfile.mkdtemp(prefix="zeus-bso-test-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
        self._log = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._spawn()
        for _ in range(600):
            try:
                asyncio.run(execute(self.url, "SELECT 1"))
            except (SQLAlchemyError, OSError):
                time.sleep(0.1)
            else:
                return
            if self._process is None or self._process.poll() is not None:
                self._spawn()  # What was killed may still hold its files for a moment.
        raise RuntimeError(f"{self.command[0]} does not answer; its log: {self._log}")

    def kill(self) -> None:
        """End it and all its processes with SIGKILL."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def pause(self) -> None:
        """Let it and all its processes hang, their connections open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT if "postgres" in self.command[0] else signal.SIGTERM)
            self._process.wait()

    def remove(self) -> None:
        """End it, and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        # PostgreSQL's children lead process groups of their own.
        for pid in (self._process.pid, *children(self._process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, start_new_session=True, user=_service_user()
            )


class PrivatePostgres(PrivateServer):
    """A private PostgreSQL server.

    Raises:
        FileNotFoundError: None is installed.
    """

    def __init__(self) -> None:
        binaries = _postgres_binaries()
        super().__init__()
        folder = self.folder / "data"
        subprocess.run(
            [str(binaries / "initdb"), "-D", str(folder), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            user=_service_user(),
        )
        port = _free_port()
        self.command = [
            str(binaries / "postgres"),
            *("-D", str(folder), "-p", str(port), "-c", "listen_addresses=127.0.0.1"),
            *("-c", f"unix_socket_directories={folder}"),
        ]
        self.url = make_url(f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres")


class PrivateMariaDb(PrivateServer):
    """A private MariaDB server.

    Raises:
        FileNotFoundError: None is installed.
    """

    def __init__(self) -> None:
        server, install = _binary("mariadbd"), _binary("mariadb-install-db")
        super().__init__()
        folder = self.folder / "data"
        installed = subprocess.run(
            [
                *(str(install), "--no-defaults", f"--datadir={folder}", f"--tmpdir={self.folder}"),
                "--auth-root-authentication-method=normal",
            ],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=_service_user(),
        )
        if installed.returncode:
            raise RuntimeError(f"{install} failed ({installed.returncode}):\n{installed.stdout}")
        port = _free_port()
        self.command = [
            str(server),
            *("--no-defaults", f"--datadir={folder}", f"--port={port}", "--bind-address=127.0.0.1"),
            # Not the common one: what a killed server leaves there makes one with the same process id crash.
            f"--tmpdir={self.folder}",
            *(f"--socket={folder}/mariadb.sock", f"--pid-file={folder}/mariadb.pid"),
        ]
        self.url = make_url(f"mysql+asyncmy://root@127.0.0.1:{port}/test")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        named, self.url = self.url, self.url.set(database="mysql")
        super().start()
        asyncio.run(execute(self.url, "CREATE DATABASE IF NOT EXISTS test"))
        self.url = named


_PRIVATE = {"mariadb": PrivateMariaDb, "postgresql": PrivatePostgres}


def private_server(kind: str) -> PrivateServer:
    """Make a private database server, not yet started; without the binaries the test is skipped, in CI it fails."""
    try:
        return _PRIVATE[kind]()
    except FileNotFoundError as error:
        return without(kind, f"no private instance can be started: {error}")


def without(kind: str, why: str) -> PrivateServer:
    """Skip the test loudly, since a database is missing; in CI fail."""
    message = f"NO {kind.upper()}: {why}; set ZEUS_BSO_TEST_{'MYSQL' if kind == 'mariadb' else 'POSTGRES'}_URL"
    if _IN_CI:
        pytest.fail(message)
    pytest.skip(message)


def named_url(kind: str) -> URL | None:
    """The database that the environment names."""
    url = _NAMED.get(kind)
    return None if url is None else make_url(url)


class DatabaseServers:
    """The database servers of a test session, each started when a test first wants it."""

    def __init__(self) -> None:
        self._private: dict[str, PrivateServer] = {}

    def private(self, kind: str) -> PrivateServer:
        """An instance that no other process uses."""
        if kind not in self._private:
            server = private_server(kind)
            self._private[kind] = server
            server.start()
        return self._private[kind]

    def url(self, kind: str) -> URL:
        """An existing database, beside which others may be made."""
        return named_url(kind) or self.private(kind).url

    @contextmanager
    def fresh(self, kind: str, folder: Path) -> Iterator[str]:
        """An empty database of a kind; yields its URL. SQLite: a file in the folder that does not exist yet."""
        if kind == "sqlite":
            yield f"sqlite:///{folder / uuid.uuid4().hex}.db"
            return
        with fresh_database(self.url(kind)) as url:
            yield url

    def remove(self) -> None:
        """End what was started."""
        for server in self._private.values():
            server.remove()


@contextmanager
def fresh_database(base: URL) -> Iterator[str]:
    """An empty database on the server of ``base``, dropped afterwards; yields its URL."""
    name = f"zeus_bso_test_{uuid.uuid4().hex[:12]}"
    asyncio.run(execute(base, f"CREATE DATABASE {name}"))
    try:
        yield base.set(database=name).render_as_string(hide_password=False)
    finally:
        force = " WITH (FORCE)" if base.get_backend_name() == "postgresql" else ""
        asyncio.run(execute(base, f"DROP DATABASE {name}{force}"))


async def execute(url: URL, statement: str) -> None:
    """Run one statement in a connection of its own."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()


def run_script(url: str, script: str) -> None:
    """Run the statements of a script; each ends at the end of a line, and begins no transaction by itself."""

    def run(connection: Connection) -> None:
        for statement in re.split(r";[ \t]*\n", re.sub(r"^--.*$", "", script, flags=re.MULTILINE)):
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


def children(pid: int) -> list[int]:
    """The process ids of a process's children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name of the command stands in brackets and may hold anything.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return sorted(found)


def _binary(name: str) -> Path:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return Path(found)


def _postgres_binaries() -> Path:
    if shutil.which("initdb"):
        return _binary("initdb").parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not versions:
        raise FileNotFoundError("initdb is not installed")
    return versions[-1]


def _service_user() -> str | None:
    """Database servers refuse to run as root."""
    return "nobody" if os.geteuid() == 0 else None


def _free_port() -> int:
    """A free port below those that the system gives to clients: none of them may sit on it during a restart."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")
