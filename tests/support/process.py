"""A real server in a process of its own, started as a user starts it."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from tests.support.forked import PythonProcess, start_command, start_python

FRESH = (sys.executable, "-m", "zeus_bso")
"""The command as a user starts it, in an interpreter of its own."""

_URL = re.compile(r"http://[^\s;]+:\d+")
PATIENCE_S = 240.0


class ServerProcess:
    """``zeus-bso serve`` on a free port; started again, it takes the port that it had.

    Args:
        database: Its URL; or the path of an SQLite file, beside which its log is kept.
        folder: Where it runs and keeps its log, if the database is not a file.
        log: Name of the file that keeps what the server says.
        options: More options of the command.
        environment: Variables beside those of this process.
        program: The command; by default that of this environment, forked from what has imported it where tests do so.

    Attributes:
        url: Where it answers.
    """

    def __init__(
        self,
        database: str | Path,
        folder: Path | None = None,
        *,
        log: str = "server.log",
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] | None = None,
    ) -> None:
        url = f"sqlite:///{database}" if isinstance(database, Path) else database
        if folder is None:
            assert isinstance(database, Path), "say where the server runs"
            folder = database.parent
        self._program = program
        self._arguments = ["serve", "--database-url", url, *options]
        self._environment = os.environ | dict(environment or {})
        self._log = folder / log
        self._process: PythonProcess | None = None
        self.url = ""

    def __enter__(self) -> ServerProcess:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            # Nobody reads on from a test that failed: it may have stopped the server for a while.
            self.end() if error is None else self.kill()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._started.pid

    @property
    def port(self) -> int:
        """The port on which it answers."""
        return int(self.url.rpartition(":")[2])

    @property
    def said(self) -> str:
        """All that it has written since it was started."""
        return self._log.read_text(errors="replace")

    def spawn(self) -> None:
        """Start it, and do not wait."""
        arguments = [*self._arguments, "--port", str(self.port) if self.url else "0"]
        where = (self._log.parent, self._environment)
        with Path(os.devnull).open("rb") as nothing, self._log.open("wb") as log:
            files = (nothing.fileno(), log.fileno(), log.fileno())
            if self._program is None:
                self._process = start_python(["-m", "zeus_bso", *arguments], *where, *files)
            else:
                self._process = start_command([*self._program, *arguments], *where, *files)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.spawn()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if found := _URL.search(self.said):
                self.url = found.group()
                return
            assert self._started.poll() is None, f"the server ended: {self.said}"
            time.sleep(0.02)
        raise AssertionError(f"the server did not start within {PATIENCE_S} s: {self.said}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._started.send_signal(number)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        self.send(by)
        return self.wait()

    def kill(self) -> None:
        """End it with SIGKILL, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        try:
            return self._started.wait(PATIENCE_S)
        finally:
            self.kill()

    @property
    def _started(self) -> PythonProcess:
        assert self._process is not None
        return self._process


@contextmanager
def server_processes(
    database_url: str, folder: Path, count: int, environment: Mapping[str, str] | None = None
) -> Iterator[list[ServerProcess]]:
    """So many server processes over one database."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                ServerProcess(database_url, folder, log=f"server-{number}.log", environment=environment)
            )
            for number in range(count)
        ]
