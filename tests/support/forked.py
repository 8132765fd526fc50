"""Python processes without the time that imports take: each is forked from a process that has imported everything.

Such a process is real: it has its own id, environment, folder, files and signals, and it ends as every interpreter
does. What it does not show is how a fresh interpreter starts: the tests that are about that start one.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import Protocol

_ROOT = Path(__file__).resolve().parents[2]

_IMPORTED = (
    "alembic.command",
    "asyncmy",
    "psycopg",
    "sqlalchemy.dialects.mysql.asyncmy",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.httptools_impl",
    "zeus_bso.cli.connections",
    "zeus_bso.cli.database_errors",
    "zeus_bso.cli.db",
    "zeus_bso.cli.main",
    "zeus_bso.cli.proxies",
    "zeus_bso.cli.serve",
    "zeus_bso.client.batch_size_optimizer",
    "zeus_bso.embedded",
    "zeus_bso.results.results",
    "zeus_bso.server.app",
    "zeus_bso.server.database.migrate",
    "zeus_bso.server.database.migrations.steps",
    "zeus_bso.server.security.hosts",
)

PATIENCE_S = 240.0

_COMMANDS = Path(__file__).with_name("forked_commands")
_NAMES = "BSO_TEST_FORKING"

_TEST = "PYTEST_CURRENT_TEST"
_READ_LATE = (
    *(_TEST, "TEST_", "ZEUS_BSO_", "ZEUS_JOB_ID", "SERVER_URL", "PATH", "FAILS_", "STOPS_AT", "FORWARDED_ALLOW_IPS"),
    *("COLUMNS", "NO_COLOR", "TERM"),
    *("LOCAL_RANK", "MASTER_", "RANK", "SLURM_", "WORLD_SIZE"),
    *("KMP_", "MLFLOW_", "PYTORCH_NVML_", "TF_FORCE_", "WANDB_", "_MLFLOW_"),
)
"""Beginnings of the names of variables that nothing reads while it is imported, or that frameworks set themselves.

Lightning reads the rank then, but again when its trainer is made.
"""


class PythonProcess(Protocol):
    """What :class:`subprocess.Popen` and :class:`ForkedProcess` have in common."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


class ForkedProcess:
    """A process that has been forked.

    Args:
        test: The test that has started it.
        said: Where its process id is written, and later its exit code.
    """

    def __init__(self, test: str, said: int) -> None:
        self.test = test
        self.returncode: int | None = None
        self._said = os.fdopen(said)
        self.pid = int(self._said.readline())

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns its exit code."""
        found = self._ended_within(timeout)
        if found is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return found

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def kill(self) -> None:
        """End it with SIGKILL, if it runs."""
        self.send_signal(signal.SIGKILL)

    def _ended_within(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._said], [], [], timeout)[0]:
            self.returncode = int(self._said.readline())
            self._said.close()
        return self.returncode


class _Forking:
    """A process that forks.

    Args:
        environment: Variables, beside those of this process, of what it forks.
        more: Modules that it imports beside those of this project.
        python: The interpreter; only this one also imports the modules of this project.
    """

    def __init__(self, environment: Mapping[str, str], more: Sequence[str], python: str) -> None:
        self.python = python
        imported = [*more, *(_IMPORTED if python == sys.executable else ())]
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = {name: value for name, value in os.environ.items() if name != _TEST} | dict(environment)
        self.forked: list[ForkedProcess] = []
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            self._folder = Path(mkdtemp(prefix="forking-"))  # Nobody else may ask.
            self.name = str(self._folder / "socket")
            listener.bind(self.name)
            listener.listen()
            given = (theirs.fileno(), listener.fileno())
            self._process = subprocess.Popen(
                [python, "-m", "tests.support.forking_program", *map(str, given), *imported],
                cwd=_ROOT,
                env=self._environment | {"OPENBLAS_NUM_THREADS": "1"},  # A process with threads cannot fork safely.
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=given,
            )

    def takes(self, environment: Mapping[str, str]) -> bool:
        """Whether what has been imported would be the same in this environment."""
        differing = environment.items() ^ self._environment.items()
        return all(name.startswith(_READ_LATE) for name, _ in differing)

    def fork(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *files: int
    ) -> ForkedProcess:
        request = json.dumps([list(arguments), str(folder), dict(environment)]).encode()
        said, says = os.pipe()
        try:
            socket.send_fds(self._socket, [request], [*files, says])
        finally:
            os.close(says)
        process = ForkedProcess(environment.get(_TEST, ""), said)
        self.forked = [each for each in self.forked if each.poll() is None] + [process]
        return process

    def close(self) -> None:
        self._socket.close()
        self._process.wait()
        shutil.rmtree(self._folder)


_FORKING: list[_Forking] = []
"""The processes that fork; the first one runs in the environment of the tests."""


@contextmanager
def forking(
    environment: Mapping[str, str] | None = None, more: Sequence[str] = (), python: str = sys.executable
) -> Iterator[None]:
    """Fork what is started meanwhile, where the system tells when a process has ended as Linux does.

    Args:
        environment: Variables, beside those of this process, of what is started.
        more: Modules that are imported beside those of this project. They must start no thread.
        python: The interpreter of what is started.
    """
    if not hasattr(os, "pidfd_open"):
        yield
        return
    each = _Forking(environment or {}, more, python)
    _FORKING.append(each)
    try:
        yield
    finally:
        _FORKING.remove(each)
        each.close()


def start_python(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *files: int, python: str = sys.executable
) -> PythonProcess:
    """Start Python with these arguments, and these files for its input, output and errors; forked where possible."""
    for each in _FORKING:
        if each.python == python and each.takes(environment):
            return each.fork(arguments, folder, environment, *files)
    return start_command([python, *arguments], folder, environment, *files)


def shell_variables(*, fresh: bool = False) -> dict[str, str]:
    """Variables with which a shell finds the ``zeus-bso`` and the ``python`` of this environment, forked if possible.

    Whoever starts one that is not fresh must not end it with SIGKILL: that does not reach what is forked.
    """
    folders = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    names = [each.name for each in _FORKING if each.python == sys.executable and not fresh]
    # The last one has imported most.
    return {"PATH": f"{_COMMANDS}:{folders}", _NAMES: f"{names[0]}\n{names[-1]}"} if names else {"PATH": folders}


def start_command(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], *files: int
) -> subprocess.Popen[bytes]:
    """Start a command with these files for its input, output and errors."""
    given, output, errors = files
    return subprocess.Popen(command, cwd=folder, env=environment, stdin=given, stdout=output, stderr=errors)


def started_by(test: str) -> set[int]:
    """The forked processes that the body of a test has started, and that still run."""
    every = [process for each in _FORKING for process in each.forked]
    return {process.pid for process in every if process.test == f"{test} (call)" and process.poll() is None}


def run_python(
    *arguments: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: str = "",
    output: int | None = None,
    fresh: bool = False,
    python: str = sys.executable,
) -> subprocess.CompletedProcess[str]:
    """Run Python to its end; what it prints goes into files.

    Args:
        arguments: ``-m`` and a module, ``-c`` and a program, or a file; and what is given to it.
        folder: Where it runs; by default here.
        environment: Variables beside those of this process.
        given: What it reads.
        output: Where its output goes instead.
        fresh: Start an interpreter of its own, whatever could be forked.
        python: The interpreter.
    """
    where = (folder or Path.cwd(), os.environ | dict(environment or {}))
    with TemporaryFile("w+") as read, TemporaryFile("w+") as printed, TemporaryFile("w+") as errors:
        read.write(given)
        read.seek(0)
        files = (read.fileno(), printed.fileno() if output is None else output, errors.fileno())
        if fresh:
            process: PythonProcess = start_command([python, *arguments], *where, *files)
        else:
            process = start_python(arguments, *where, *files, python=python)
        try:
            code = process.wait(PATIENCE_S)
        finally:
            process.kill()
        for file in (printed, errors):
            file.seek(0)
        return subprocess.CompletedProcess(list(arguments), code, printed.read(), errors.read())
