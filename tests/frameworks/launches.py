"""Launches of training scripts, as a user launches them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import urlopen

PATIENCE_S = 200.0
SCRIPTS = Path(__file__).with_name("scripts")
EXAMPLES = Path(__file__).parents[2] / "examples" / "frameworks"

Json = dict[str, Any]


class Launch:
    """Processes that run one script together; ``with`` kills those that are left.

    Args:
        command: The script and its arguments.
        folder: Where they run, and keep what they say.
        ranks: How many processes; they find each other by the environment, as with ``torchrun``.
        variables: More of the environment.
    """

    def __init__(self, command: Sequence[object], folder: Path, *, ranks: int = 1, **variables: object) -> None:
        self._logs = [folder / f"rank-{rank}.log" for rank in range(ranks)]
        port = free_port()
        self._processes = []
        for rank, log in enumerate(self._logs):
            environment = _environment(rank, ranks, port) | {name: str(value) for name, value in variables.items()}
            with log.open("wb") as errors:
                self._processes.append(
                    subprocess.Popen(
                        [sys.executable, "-W", "ignore", *map(str, command)],
                        cwd=folder,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=errors,
                        text=True,
                    )
                )

    def __enter__(self) -> Launch:
        """Nothing is left running where the block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill what is left."""
        for process in self._processes:
            process.kill()
            process.communicate()

    def hear(self) -> list[Json]:
        """Wait until every rank has said something, and return it."""
        said = []
        for process, log in zip(self._processes, self._logs, strict=True):
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text(errors="replace")
            said.append(json.loads(line))
        return said

    def send(self, number: signal.Signals) -> None:
        """Send a signal to every rank."""
        for process in self._processes:
            process.send_signal(number)

    def wait(self) -> list[int]:
        """Wait for the end of every rank; their exit codes."""
        return [process.wait(PATIENCE_S) for process in self._processes]

    def finish(self) -> list[str]:
        """Wait for the end of every rank, without an error, and return what each said."""
        said = [process.communicate(timeout=PATIENCE_S)[0] for process in self._processes]
        assert [process.returncode for process in self._processes] == [0] * len(said), self.errors
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


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _environment(rank: int, ranks: int, port: int) -> dict[str, str]:
    plain = {"OMP_NUM_THREADS": "1", "KERAS_BACKEND": "torch", "TOKENIZERS_PARALLELISM": "false"}
    if ranks > 1:
        plain |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)}
        plain |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return {**os.environ, **plain}
