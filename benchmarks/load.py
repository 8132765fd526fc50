"""Load for a server: many connections, each a stream of recurrences as a training script would send them."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

BATCH_SIZES = [8, 16, 32, 64, 128, 256, 512, 1024]
EPOCHS = 5


def job_spec(job_id: str) -> dict[str, Any]:
    """The spec of a job under load."""
    return {
        "job_id": job_id,
        "job_id_prefix": "load",
        "batch_sizes": BATCH_SIZES,
        "default_batch_size": 128,
        "target_metric": 0.5,
        "max_epochs": EPOCHS,
        "mab_seed": 1,
        "max_power": 300.0,
        "number_of_gpus": 1,
        "gpu_model": "benchmark",
    }


def epoch_cost(batch_size: int) -> tuple[float, float]:
    """Time [s] and energy [J] of an epoch: a bowl over the batch sizes, its least at 32."""
    octaves = BATCH_SIZES.index(batch_size) - 2
    return 10.0 + octaves**2, 2000.0 + 150.0 * octaves**2


@dataclass
class Tally:
    """What was answered.

    Attributes:
        statuses: Answers by status code; 0: none came.
        latencies_s: Seconds from request to answer.
        acknowledged: Reports answered 2xx, as (job_id, trial_number, epoch).
        unexpected: The first answers that were neither 2xx nor 503.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    acknowledged: list[tuple[str, int, int]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)


class Connection:
    """One kept-alive HTTP/1.1 connection; opened again when it breaks. It pauses before each request."""

    def __init__(self, host: str, port: int, tally: Tally, timeout_s: float = 15.0, pause_s: float = 0.0) -> None:
        self._host, self._port, self._tally, self._timeout_s, self._pause_s = host, port, tally, timeout_s, pause_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Send a request; the status is 0 if no answer came. A 503 is waited out as it says, then sent again."""
        while True:
            if self._pause_s:
                await asyncio.sleep(self._pause_s)
            started = time.perf_counter()
            try:
                status, headers, answer = await asyncio.wait_for(self._send(method, path, body), self._timeout_s)
            except (OSError, EOFError, asyncio.TimeoutError):
                await self.close()
                self._tally.statuses[0] += 1
                return 0, None
            self._tally.latencies_s.append(time.perf_counter() - started)
            self._tally.statuses[status] += 1
            if status != 503:
                if not 200 <= status < 300 and len(self._tally.unexpected) < 5:
                    self._tally.unexpected.append(f"{method} {path} -> {status} {answer}")
                return status, answer
            await asyncio.sleep(float(headers.get("retry-after", "1")))

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _send(self, method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        payload = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(payload)}\r\n\r\n"
        writer.write(head.encode() + payload)
        status = int((await reader.readuntil(b"\r\n"))[9:12])
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        return status, headers, json.loads(content) if content else None


async def recurrences(connection: Connection, tally: Tally, job_id: str, goes_on: Callable[[], bool]) -> int:
    """Run recurrences of a job while it goes on; returns how many were finished.

    One recurrence is seven requests: the registration, the ask, and a report per epoch.
    """
    finished = 0
    while goes_on():
        status, _ = await connection.request("POST", "/jobs", job_spec(job_id))
        if status not in (200, 201):
            await asyncio.sleep(0.2)
            continue
        status, trial = await connection.request("GET", f"/jobs/batch_size?job_id={quote(job_id, safe='')}")
        if status != 200:
            continue
        epoch_time, epoch_energy = epoch_cost(trial["batch_size"])
        for epoch in range(1, EPOCHS + 1):
            report = {
                **trial,
                "time": epoch * epoch_time,
                "energy": epoch * epoch_energy,
                "metric": 0.9 if epoch == EPOCHS else 0.1,
                "current_epoch": epoch,
            }
            status, answer = await connection.request("POST", "/report", report)
            if status == 200:
                tally.acknowledged.append((job_id, trial["trial_number"], epoch))
            if status != 200 or answer["stop_train"]:
                break
        finished += status == 200
    await connection.close()
    return finished


async def drive(ports: list[int], jobs: list[str], connections: int, seconds: float) -> Tally:
    """Drive servers for a while with so many connections, spread over ports and jobs."""
    tally = Tally()
    until = time.monotonic() + seconds
    await drive_while(lambda: time.monotonic() < until, tally, ports, jobs, connections)
    return tally


async def drive_while(
    goes_on: Callable[[], bool],
    tally: Tally,
    ports: list[int],
    jobs: list[str],
    connections: int,
    *,
    pause_s: float = 0.0,
) -> None:
    """Drive servers as :func:`drive` does, while it goes on."""
    await asyncio.gather(
        *(
            recurrences(
                Connection("127.0.0.1", ports[i % len(ports)], tally, pause_s=pause_s),
                tally,
                jobs[i % len(jobs)],
                goes_on,
            )
            for i in range(connections)
        )
    )
