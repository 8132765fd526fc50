"""Real servers that go away in the middle of a training, and come back."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.support.gate import Gate
from tests.support.jobs import Json
from tests.support.process import ServerProcess
from zeus_bso.client.batch_size_optimizer import BatchSizeOptimizer
from zeus_bso.client.connection.http_transport import HttpTransport
from zeus_bso.protocol.transport import TransportError

PATIENCE_S = 240.0


class Outage:
    """A server process that can go away: killed, stopped, or behind a gate that answers with an error.

    Args:
        shared: A running server, which many may share behind gates of their own.
        path: The SQLite file of a server of its own, to be killed or stopped.
        kind: ``"SIGKILL"``, ``"SIGSTOP"``, or the status that is answered.

    Attributes:
        url: Where a client reaches it.
        job_id: A job that nobody else has.
    """

    def __init__(self, shared: ServerProcess, path: Path, kind: str) -> None:
        self.job_id = f"job-{uuid.uuid4().hex}"
        self._kind = kind
        self._gate: Gate | None = None
        self._stack = ExitStack()
        self._process = shared if kind.isdigit() else ServerProcess(path)

    def __enter__(self) -> Outage:
        if self._kind.isdigit():
            self._gate = self._stack.enter_context(Gate(self._process.url))
            self.url = self._gate.url
        else:
            self._process.start()
            self._stack.callback(self._process.end, signal.SIGKILL)
            self.url = self._process.url
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

    def refuse(self, status: int) -> None:
        """Have the gate answer with another status."""
        assert self._gate is not None
        self._gate.refusal = status

    def end(self) -> None:
        """Come back."""
        if self._gate is not None:
            self._gate.refusal = None
        elif self._kind == "SIGSTOP":
            self._process.send(signal.SIGCONT)
        else:
            self._process.start()

    @property
    def direct_url(self) -> str:
        """Where others reach the server, whatever the gate says."""
        return self._process.url

    def trials(self) -> list[Json]:
        """What the server knows of the job's trials."""
        transport = HttpTransport(self._process.url)
        try:
            answer = transport.request("GET", "/api/v1/trials", params={"job_id": self.job_id})
        finally:
            transport.close()
        assert answer.status == 200, answer
        return [dict(item) for item in answer.items if isinstance(item, dict)]

    def decided(self) -> Json:
        """The job's one trial, once it has been decided."""

        def found() -> Json | None:
            try:
                [trial] = self.trials()
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


def end_process(bso: BatchSizeOptimizer, budget_s: float) -> None:
    """End a run as the end of its process does, with status 0 and without a word of the script."""
    bso._live.note_exit(None)
    bso._live.end_as_noted(exits=True)
    bso._live.end_as_noted(exits=True, budget_s=budget_s)
