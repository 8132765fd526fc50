"""A server for one command alone, in a separate process on this machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zeus_bso.cli.errors import CommandError

DATABASE_NAME = "zeus-bso.db"

_URL = re.compile(r"http://\S+:\d+")
_PATIENCE_S = 120.0

_NO_TOKENS = {"ZEUS_BSO_API_TOKENS": "", "ZEUS_BSO_API_TOKENS_FILE": ""}
"""Tokens in the environment belong to another server. This server listens on this machine only."""


@contextmanager
def started_server(directory: Path, database: Path | None = None) -> Iterator[str]:
    """Run ``zeus-bso serve`` on a free port.

    Args:
        directory: Folder for its log.
        database: Its SQLite file. None for ``zeus-bso.db`` in the folder.

    Yields:
        The URL of the server, once the server answers.

    Raises:
        CommandError: The server did not start.
    """
    log = directory / "server.log"
    command = [sys.executable, "-m", "zeus_bso", "serve", "--host", "127.0.0.1", "--port", "0"]
    command += ["--database-url", f"sqlite:///{database or directory / DATABASE_NAME}"]
    with log.open("wb") as output:
        # In its own session, because Ctrl-C must end the training first, and the server only after its last report.
        process = subprocess.Popen(
            command,
            env=os.environ | _NO_TOKENS,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _wait_for_url(process, log)
    finally:
        stop(process, signal.SIGTERM)


def stop(
    process: subprocess.Popen[bytes], by: signal.Signals, patience_s: float = 10.0, *, group: bool = False
) -> None:
    """End a process with a signal, or kill it if it does not react in time.

    Args:
        process: The process.
        by: The signal.
        patience_s: How long to wait for the process [s].
        group: Whether to signal all processes of its group, which it must lead.
    """
    if process.poll() is not None:
        return
    _signal(process, by, group=group)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL, group=group)
        process.wait()
    except KeyboardInterrupt:
        _signal(process, signal.SIGKILL, group=group)
        process.wait()
        raise


def _signal(process: subprocess.Popen[bytes], number: signal.Signals, *, group: bool) -> None:
    if group:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def _wait_for_url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        said = log.read_text(errors="replace")
        if found := _URL.search(said):
            return found.group()
        if process.poll() is not None:
            last_words = said.strip().splitlines()[-1:] or ["it printed nothing"]
            raise CommandError(f"the server did not start: {last_words[0]} (log: {log})")
        time.sleep(0.05)
    raise CommandError(f"the server did not start within {_PATIENCE_S:.0f} s (log: {log})")
