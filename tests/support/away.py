"""Real servers that go away in the middle of a training, and come back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.support.gate import Gate
from tests.support.jobs import Json
from tests.support.process import ServerProcess
from zeus_bso.client.transport import HttpTransport, TransportError

PATIENCE_S = 60.0


class Outage:
    """A server process that can go away: killed, stopped, or behind a gate that answers with an error.

    Args:
        path: The server's SQLite file.
        kind: ``"SIGKILL"``, ``"SIGSTOP"``, or the status that is answered.

    Attributes:
        url: Where a client reaches it.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self._kind = kind
        self._process = ServerProcess(path)
        self._gate: Gate | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Outage:
        self._process.start()
        self._stack.callback(self._process.end, signal.SIGKILL)
        self.url = self._process.url
        if self._kind.isdigit():
            self._gate = self._stack.enter_context(Gate(self.url))
            self.url = self._gate.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def begin(self) -> None:
        """Go away."""
        if self._gate is not None:
            self._gate.refusal = int(self._kind)
        elif self._kind == "SIGSTOP":
            self._process.send(signal.SIGSTOP)
        else:
            self._process.end(signal.SIGKILL)

    def end(self) -> None:
        """Come back."""
        if self._gate is not None:
            self._gate.refusal = None
        elif self._kind == "SIGSTOP":
            self._process.send(signal.SIGCONT)
        else:
            self._process.start()

    def trials(self, job_id: str) -> list[Json]:
        """What the server knows of a job's trials."""
        transport = HttpTransport(self._process.url)
        try:
            answer = transport.request("GET", "/api/v1/trials", params={"job_id": job_id})
        finally:
            transport.close()
        assert answer.status == 200, answer
        return [dict(item) for item in answer.items if isinstance(item, dict)]

    def decided(self, job_id: str) -> Json:
        """The job's one trial, once it has been decided."""

        def found() -> Json | None:
            try:
                [trial] = self.trials(job_id)
            except TransportError:
                return None
            return trial if trial["status"] == "Succeeded" else None

        return wait_for(found, "the trial was not decided")


def wait_for(condition: Callable[[], Json | None], otherwise: str) -> Json:
    """Wait until something is there."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if (found := condition()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError(otherwise)
