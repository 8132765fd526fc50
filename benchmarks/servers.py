"""Server processes and databases for the benchmarks."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

DATABASES = {
    "sqlite": None,
    "mariadb": os.environ.get("ZEUS_BSO_TEST_MYSQL_URL", "mysql+asyncmy://root@127.0.0.1:3306/test"),
    "postgresql": os.environ.get("ZEUS_BSO_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"),
}
"""A URL of an existing database per kind; each benchmark makes a fresh database beside it. SQLite: a fresh file."""


@contextmanager
def fresh_database(kind: str, folder: Path, beside: str | None = None, *, ours: bool = True) -> Iterator[str]:
    """Make an empty database, and drop it afterwards; yields its URL.

    Args:
        kind: One of ``DATABASES``.
        folder: The folder of an SQLite file.
        beside: URL of an existing database of this kind, on the server to use. Default: that of ``DATABASES``.
        ours: Whether to make our tables.
    """
    from zeus_bso.server.database import migrate

    base = beside or DATABASES[kind]
    name = f"zeus_bso_{uuid.uuid4().hex[:12]}"
    if base is None:
        url = f"sqlite:///{folder / name}.db"
        if ours:
            migrate.upgrade(url)
        yield url
        return
    asyncio.run(_administer(base, f"CREATE DATABASE {name}"))
    try:
        url = make_url(base).set(database=name).render_as_string(hide_password=False)
        if ours:
            migrate.upgrade(url)
        yield url
    finally:
        force = " WITH (FORCE)" if kind == "postgresql" else ""
        asyncio.run(_administer(base, f"DROP DATABASE {name}{force}"))


async def _administer(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server process.

    Args:
        url: Its database.
        port: Its port; None: a free one.
        settings: More of its settings, as environment variables.
    """

    def __init__(self, url: str, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        self.port = port or free_port()
        self._environment = os.environ | {"ZEUS_BSO_LOG_LEVEL": "warning"} | dict(settings or {})
        self._command = [sys.executable, "-m", "zeus_bso", "serve", "--port", str(self.port), "--database-url", url]
        self._ready_path = "/readyz"
        self._log: int | None = None
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=self._log, env=self._environment)
        for _ in range(300):
            if process.poll() is not None:
                raise SystemExit(f"the server ended at once, with exit code {process.returncode}")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self._ready_path}", timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return process
        raise SystemExit("the server did not start")

    def cpu_s(self) -> float:
        """Processor time that it has taken so far [s]."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again on the same port."""
        self._process = self._start()

    def stop(self) -> None:
        """End it with SIGTERM."""
        self._process.terminate()
        self._process.wait()


REFERENCE_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "mysql": "mysql+asyncmy",
    "postgresql": "postgresql+asyncpg",
}

_CREATE_TABLES = """
import asyncio, sys
from sqlalchemy.ext.asyncio import create_async_engine
from zeus.optimizer.batch_size.server.database.schema import Base

async def create():
    engine = create_async_engine(sys.argv[1])
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()

asyncio.run(create())
"""


class ReferenceServer(Server):
    """A process of the server of the ``zeus`` package.

    Args:
        url: An empty database, whose tables it creates.
        python: The interpreter of an environment that has the package.
    """

    def __init__(self, url: str, python: str) -> None:
        parsed = make_url(url)
        own = parsed.set(drivername=REFERENCE_DRIVERS[parsed.get_backend_name()])
        self.port = free_port()
        self._environment = os.environ | {"ZEUS_BSO_DATABASE_URL": own.render_as_string(hide_password=False)}
        subprocess.run(
            [python, "-c", _CREATE_TABLES, self._environment["ZEUS_BSO_DATABASE_URL"]],
            env=self._environment,
            check=True,
        )
        app = "zeus.optimizer.batch_size.server.router:app"
        self._command = [python, "-m", "uvicorn", app, "--port", str(self.port), "--log-level", "error"]
        self._ready_path, self._log = "/openapi.json", subprocess.DEVNULL  # it logs every request
        self._process = self._start()


@contextmanager
def servers(url: str, count: int) -> Iterator[list[Server]]:
    """So many server processes on one database."""
    started = [Server(url) for _ in range(count)]
    try:
        yield started
    finally:
        for server in started:
            server.stop()
