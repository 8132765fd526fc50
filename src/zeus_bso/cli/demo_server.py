"""The demo's own server, in a separate process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zeus_bso.cli.errors import CommandError

_URL = re.compile(r"http://\S+:\d+")
_PATIENCE_S = 30.0

_NO_TOKENS = {"ZEUS_BSO_API_TOKENS": "", "ZEUS_BSO_API_TOKENS_FILE": ""}
"""Tokens in the environment belong to another server. The demo's server listens on this machine only."""


@contextmanager
def started_server(directory: Path) -> Iterator[str]:
    """Run ``zeus-bso serve`` on a free port, with its database and log in a directory.

    Yields:
        The URL of the server, once the server answers.

    Raises:
        CommandError: The server did not start.
    """
    log = directory / "server.log"
    command = [sys.executable, "-m", "zeus_bso", "serve", "--host", "127.0.0.1", "--port", "0"]
    command += ["--database-url", f"sqlite:///{directory / 'zeus-bso.db'}"]
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


def stop(process: subprocess.Popen[bytes], by: signal.Signals, patience_s: float = 10.0) -> None:
    """End a process with a signal, or kill it if it does not react in time."""
    if process.poll() is not None:
        return
    process.send_signal(by)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    except KeyboardInterrupt:
        process.kill()
        process.wait()
        raise


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
