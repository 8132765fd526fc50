"""A real server in a process of its own, started as a user starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_URL = re.compile(r"http://\S+:\d+")
PATIENCE_S = 60.0


class ServerProcess:
    """``zeus-bso serve`` on a free port over an SQLite file; started again, it takes the port that it had.

    Args:
        path: The SQLite file.
        log: Name of the file beside it that keeps what the server says.
        options: More options of the command.
        environment: Variables beside those of this process.
    """

    def __init__(
        self,
        path: Path,
        *,
        log: str = "server.log",
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [
            sys.executable,
            "-m",
            "zeus_bso",
            "serve",
            "--database-url",
            f"sqlite:///{path}",
            *options,
        ]
        self._environment = os.environ | dict(environment or {})
        self._log = path.with_name(log)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def said(self) -> str:
        """All that it has written since it was started."""
        return self._log.read_text(errors="replace")

    def spawn(self) -> None:
        """Start it, and do not wait."""
        port = self.url.rpartition(":")[2] or "0"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, "--port", port],
                cwd=self._log.parent,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.spawn()
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if found := _URL.search(self.said):
                self.url = found.group()
                return
            assert self._process.poll() is None, f"the server ended: {self.said}"
            time.sleep(0.02)
        raise AssertionError(f"the server did not start within {PATIENCE_S} s: {self.said}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        assert self._process is not None
        self._process.send_signal(by)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        assert self._process is not None
        try:
            return self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()
            self._process.wait()
