"""Launches of training scripts, as a user launches them."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO
from urllib.request import urlopen

from tests.support import gpu_libraries
from tests.support.forked import PythonProcess, start_python
from zeus_bso.server.services.locked_job import BEATS_TO_SILENCE

PATIENCE_S = 200.0
SCRIPTS = Path(__file__).with_name("scripts")
CLIENTS = Path(__file__).with_name("clients")
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "frameworks"

TRAINING = {"OMP_NUM_THREADS": "1", "KERAS_BACKEND": "torch", "TOKENIZERS_PARALLELISM": "false"}
"""Variables of trainings."""

REFERENCE = TRAINING | {
    "PYTHONPATH": os.pathsep.join(map(str, [Path(gpu_libraries.__file__).parent, CLIENTS, ROOT / "src"])),
    "TEST_TORCH_SITE": sysconfig.get_path("purelib"),
}
"""Variables of scripts that import ``zeus``: where GPUs that are stood in for are found, and PyTorch."""

Json = dict[str, Any]


class Launch:
    """Processes that run one script together; ``with`` kills those that are left.

    Args:
        command: The script and its arguments.
        folder: Where they run, and keep what they say.
        ranks: How many processes; they find each other by the environment, as with ``torchrun``.
        python: The interpreter.
        variables: More of the environment.
    """

    def __init__(
        self,
        command: Sequence[object],
        folder: Path,
        *,
        ranks: int = 1,
        python: str = sys.executable,
        variables: Mapping[str, object] | None = None,
    ) -> None:
        self._logs = [folder / f"rank-{rank}.log" for rank in range(ranks)]
        self._said: list[TextIO] = []
        self._processes: list[PythonProcess] = []
        arguments, port = list(map(str, command)), free_port()
        for rank, log in enumerate(self._logs):
            environment = _environment(rank, ranks, port) | {
                name: str(value) for name, value in (variables or {}).items()
            }
            hears, says = os.pipe()
            self._said.append(os.fdopen(hears))
            with os.fdopen(says, "wb") as said, log.open("ab") as errors, Path(os.devnull).open("rb") as nothing:
                files = (nothing.fileno(), said.fileno(), errors.fileno())
                self._processes.append(start_python(arguments, folder, environment, *files, python=python))

    def __enter__(self) -> Launch:
        """Nothing is left running where the block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill what is left."""
        for process, said in zip(self._processes, self._said, strict=True):
            process.kill()
            process.wait()
            said.close()

    def hear(self) -> list[str]:
        """Wait until every rank has said something more, and return it."""
        lines = [said.readline() for said in self._said]
        assert all(lines), self.errors
        return [line.rstrip() for line in lines]

    def hear_until(self, line: str) -> None:
        """Wait until every rank has said this."""
        while set(self.hear()) != {line}:
            pass

    def send(self, number: signal.Signals) -> None:
        """Send a signal to every rank."""
        for process in self._processes:
            process.send_signal(number)

    @property
    def runs(self) -> bool:
        """Whether a rank runs."""
        return any(process.poll() is None for process in self._processes)

    def wait(self) -> list[int]:
        """Wait for the end of every rank; their exit codes."""
        return [process.wait(PATIENCE_S) for process in self._processes]

    def finish(self) -> list[str]:
        """Wait for the end of every rank, without an error, and return what each said."""
        said = [said.read() for said in self._said]
        assert self.wait() == [0] * len(said), self.errors
        return said

    def last_words(self) -> list[Json]:
        """Wait for the end of every rank, without an error, and return what each said last."""
        return [json.loads(said.splitlines()[-1]) for said in self.finish()]

    @property
    def errors(self) -> list[str]:
        """What each rank has said on standard error."""
        return [log.read_text(errors="replace") for log in self._logs]


def trials(url: str, job_id: str) -> list[Json]:
    """What the server knows of a job's trials."""
    with urlopen(f"{url}/api/v1/trials?job_id={job_id}", timeout=30) as answer:
        found: list[Json] = json.load(answer)
    return found


def jobs(url: str) -> list[Json]:
    """The jobs that the server knows."""
    with urlopen(f"{url}/api/v1/jobs", timeout=30) as answer:
        found: list[Json] = json.load(answer)
    return found


def be_silent() -> None:
    """Wait until processes that were killed, whose heartbeats came every 0.2 s, no longer count as alive."""
    time.sleep(1.0 + 0.2 * BEATS_TO_SILENCE)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _environment(rank: int, ranks: int, port: int) -> dict[str, str]:
    if ranks == 1:
        return os.environ | TRAINING
    place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)}
    return {**os.environ, **TRAINING, **place, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
