"""One recurrence of the demo's job: the user's script, launched as a scheduler would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from zeus_bso.cli.demo_server import stop


class DemoRecurrence:
    """A running training process.

    Args:
        script: The user's training script.
        server_url: URL of the server, passed in the environment.
        log: File to which the output of the script is appended.

    Attributes:
        run_id: Run id of this recurrence, by which the demo finds its trial on the server.
    """

    def __init__(self, script: Path, server_url: str, log: Path) -> None:
        self.run_id = f"demo-{uuid.uuid4()}"
        self._command = [sys.executable, str(script)]
        self._environment = {**os.environ, "ZEUS_BSO_SERVER_URL": server_url, "ZEUS_BSO_RUN_ID": self.run_id}
        self._log = log
        self._log_start = 0

    def __enter__(self) -> DemoRecurrence:
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as output:
            self._process = self._launch(output)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._process, signal.SIGINT)

    def _launch(self, output: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ended_within(self, seconds: float) -> bool:
        """Wait for at most so many seconds. Return whether the process has ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self) -> str:
        """The last line that the script printed. After an exception this is its message."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it printed nothing"
