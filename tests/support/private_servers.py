"""Database servers of a test's own, started from the installed binaries."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

_IN_CI = bool(os.environ.get("CI"))
PATIENCE_S = 120.0

_FAST_POSTGRES = [
    *("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
    *("-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "max_wal_size=256MB"),
]
_FAST_MARIADB = [
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=32M",
]


class PrivateServer:
    """A private instance of an installed database server, its data in a folder of its own."""

    url: URL
    command: list[str]
    end_signal = signal.SIGTERM

    def __init__(self) -> None:
        # Not among pytest's temporary files: those are closed to the user that the server runs as.
        self.folder = Path(tempfile.mkdtemp(prefix="zeus-bso-test-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
        self._log = self.folder / "server.log"
        self._environment: Mapping[str, str] = os.environ
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, with variables beside those of this process, and wait until it answers."""
        self._environment = os.environ | dict(environment or {})
        self._spawn()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
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
            self._signal(signal.SIGKILL)
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
            self._process.send_signal(self.end_signal)
            self._process.wait()

    def outlive_this_process(self) -> None:
        """Leave its end to others."""
        assert self._process is not None
        self._process.returncode = 0  # Else the interpreter misses it.

    def remove(self) -> None:
        """End it, and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _data_as_installed(self, kind: str, command: Callable[[Path, Path], list[str]]) -> Path:
        """A copy of the data of a new server, which one process of a run installs.

        Args:
            kind: What is installed.
            command: What installs it, given the folder of the data and one for temporary files.
        """
        shared = Path(tempfile.gettempdir()) / "servers"
        shared.mkdir(exist_ok=True)
        with (shared / f"{kind}.new.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            installed = shared / f"{kind}.new"
            if not installed.exists():
                arguments = command(self.folder / "data", self.folder)
                done = subprocess.run(
                    arguments,
                    check=False,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    user=_service_user(),
                )
                if done.returncode:
                    raise RuntimeError(f"{arguments[0]} failed ({done.returncode}):\n{done.stdout}")
                (self.folder / "data").rename(installed)
        subprocess.run(["cp", "-a", str(installed), str(self.folder / "data")], check=True)
        return self.folder / "data"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        # PostgreSQL's children lead process groups of their own.
        for pid in (self._process.pid, *children(self._process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=_service_user(),
            )


class PrivatePostgres(PrivateServer):
    """A private PostgreSQL server.

    Args:
        durable: Whether it waits for the disk, as it does in production.

    Raises:
        FileNotFoundError: None is installed.
    """

    end_signal = signal.SIGINT

    def __init__(self, *, durable: bool = True) -> None:
        binaries = _postgres_binaries()
        super().__init__()
        folder = self._data_as_installed(
            "postgresql",
            lambda data, _: [
                *(str(binaries / "initdb"), "-D", str(data)),
                *("-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync"),
            ],
        )
        port = free_port()
        self.command = [
            str(binaries / "postgres"),
            *("-D", str(folder), "-p", str(port), "-c", "listen_addresses=127.0.0.1"),
            *("-c", f"unix_socket_directories={folder}", "-c", "max_connections=300"),
            *(() if durable else _FAST_POSTGRES),
        ]
        self.url = make_url(f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres")


class PrivateMariaDb(PrivateServer):
    """A private MariaDB server.

    Args:
        durable: Whether it waits for the disk, as it does in production.

    Raises:
        FileNotFoundError: None is installed.
    """

    def __init__(self, *, durable: bool = True) -> None:
        server, install = _binary("mariadbd"), _binary("mariadb-install-db")
        super().__init__()
        folder = self._data_as_installed(
            "mariadb",
            lambda data, folder: [
                *(str(install), "--no-defaults", f"--datadir={data}", f"--tmpdir={folder}"),
                "--auth-root-authentication-method=normal",
            ],
        )
        port = free_port()
        self.command = [
            str(server),
            *("--no-defaults", f"--datadir={folder}", f"--port={port}", "--bind-address=127.0.0.1"),
            # Not the common one: what a killed server leaves there makes one with the same process id crash.
            f"--tmpdir={self.folder}",
            *(f"--socket={folder}/mariadb.sock", f"--pid-file={folder}/mariadb.pid", "--max-connections=300"),
            *(() if durable else _FAST_MARIADB),
        ]
        self.url = make_url(f"mysql+asyncmy://root@127.0.0.1:{port}/test")

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, with variables beside those of this process, and wait until it answers."""
        named, self.url = self.url, self.url.set(database="mysql")
        super().start(environment)
        asyncio.run(execute(self.url, "CREATE DATABASE IF NOT EXISTS test"))
        self.url = named


_PRIVATE: dict[str, type[PrivateMariaDb] | type[PrivatePostgres]] = {
    "mariadb": PrivateMariaDb,
    "postgresql": PrivatePostgres,
}


def private_server(kind: str, *, durable: bool = True) -> PrivateServer:
    """Make a private database server, not yet started; without the binaries the test is skipped, in CI it fails."""
    try:
        return _PRIVATE[kind](durable=durable)
    except FileNotFoundError as error:
        return without(kind, f"no private instance can be started: {error}")


@contextmanager
def started_server(kind: str) -> Iterator[PrivateServer]:
    """A durable database server that nobody else uses, to be killed or paused."""
    server = private_server(kind)
    try:
        server.start()
        yield server
    finally:
        server.remove()


def without(kind: str, why: str) -> PrivateServer:
    """Skip the test loudly, since a database is missing; in CI fail."""
    message = f"NO {kind.upper()}: {why}; set ZEUS_BSO_TEST_{'MYSQL' if kind == 'mariadb' else 'POSTGRES'}_URL"
    if _IN_CI:
        pytest.fail(message)
    pytest.skip(message)


def is_alive(pid: int) -> bool:
    """Whether a process runs; what has ended and is not yet waited for, a zombie, does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return not stat.rpartition(b")")[2].startswith(b" Z")


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


def free_port() -> int:
    """A free port below those that the system gives to clients: none of them may sit on it during a restart."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


async def execute(url: URL, statement: str) -> None:
    """Run one statement in a connection of its own."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()
