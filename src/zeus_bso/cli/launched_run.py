"""One launch of a training script, as a scheduler would launch it."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from zeus_bso.cli.errors import COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND, CommandError
from zeus_bso.cli.local_server import stop


class LaunchedRun:
    """A running training process.

    Args:
        command: The command that trains, with its arguments.
        server_url: URL of the server, passed in the environment.
        log: File to which the output of the command is appended.

    Attributes:
        run_id: Run id of this launch, by which its trial is found on the server.
    """

    def __init__(self, command: Sequence[str], server_url: str, log: Path) -> None:
        self.run_id = f"run-{uuid.uuid4()}"
        self._command = list(command)
        self._environment = {**os.environ, "ZEUS_BSO_SERVER_URL": server_url, "ZEUS_BSO_RUN_ID": self.run_id}
        self._log = log
        self._log_start = 0

    def __enter__(self) -> LaunchedRun:
        """Launch the command.

        Raises:
            CommandError: There is no such command, or it cannot be run.
        """
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as output:
            try:
                self._process = self._launch(output)
            except FileNotFoundError:
                raise CommandError(f"there is no command {self._command[0]!r}.", COMMAND_NOT_FOUND) from None
            except OSError as error:
                why = f"{self._command[0]!r} cannot be run: {error.strerror}."
                raise CommandError(why, COMMAND_NOT_EXECUTABLE) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._process, signal.SIGINT, group=True)

    def _launch(self, output: BinaryIO) -> subprocess.Popen[bytes]:
        # In its own session, because Ctrl-C must end the training first, and the server only after its last report.
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

    @property
    def status(self) -> int:
        """Exit status of the process that has ended, as a shell gives it."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def last_words(self) -> str | None:
        """The last line that the command printed, without ours. After an exception this is its message."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        own = [line.strip() for line in lines if line.strip() and not line.startswith("zeus-bso:")]
        return own[-1] if own else None
