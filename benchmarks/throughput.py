"""Requests per second of one server with one worker, and their processor time: launches of 64 jobs at once, and of one.

python -m benchmarks.throughput [--databases sqlite mariadb postgresql] [--jobs 64 1] [--seconds 10] [--rounds 2]

A launch of a job makes seven requests. `--reference PYTHON` also measures the server of the `zeus` package, in turn
with ours. PYTHON is the interpreter of an environment that has it: pip install 'zeus[bso,bso-server]' 'pydantic<2'
'fastapi<0.126' aiosqlite asyncmy asyncpg uvicorn uvloop httptools.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import drive
from benchmarks.servers import DATABASES, ReferenceServer, Server, fresh_database

HEAD = """\
| database | jobs | server | requests/s | processor time | p50 | p99 | failed |
|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Measured:
    """What one server did in one round.

    Attributes:
        rate: Answers 2xx per second.
        cpu_ms: Processor time of the server per answer [ms].
        p50_ms: Median time of an answer [ms].
        p99_ms: The time that 99 % of the answers took at most [ms].
        failed: Other answers.
    """

    rate: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    failed: int


def main() -> None:
    """Measure the servers in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--databases", nargs="+", choices=list(DATABASES), default=list(DATABASES))
    parser.add_argument("--jobs", nargs="+", type=int, default=[64, 1])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--reference", metavar="PYTHON", help="also measure the server of the zeus package")
    arguments = parser.parse_args()
    who = ["zeus", "zeus-bso"] if arguments.reference else ["zeus-bso"]
    found: dict[tuple[str, int, str], list[Measured]] = defaultdict(list)
    print(HEAD)
    for kind in arguments.databases:
        for jobs in arguments.jobs:
            for _ in range(arguments.rounds):
                for name in who:
                    with started(kind, arguments.reference if name == "zeus" else None) as server:
                        found[kind, jobs, name].append(measured(server, jobs, arguments.seconds))
            for name in who:
                print(line(kind, jobs, name, found[kind, jobs, name]), flush=True)


@contextmanager
def started(kind: str, reference: str | None) -> Iterator[Server]:
    """A server on a fresh database: ours, or that of the reference."""
    with tempfile.TemporaryDirectory() as folder, fresh_database(kind, Path(folder), ours=reference is None) as url:
        server = Server(url) if reference is None else ReferenceServer(url, reference)
        try:
            yield server
        finally:
            server.stop()


def measured(server: Server, jobs: int, seconds: float) -> Measured:
    """Drive a server for a while."""
    before = server.cpu_s()
    tally = asyncio.run(drive([server.port], [f"load-{i}" for i in range(jobs)], jobs, seconds))
    cpu_s = server.cpu_s() - before
    answered = sum(number for status, number in tally.statuses.items() if 200 <= status < 300)
    for told in tally.unexpected:
        print(told)
    latencies = sorted(tally.latencies_s)
    return Measured(
        rate=answered / seconds,
        cpu_ms=1e3 * cpu_s / max(answered, 1),
        p50_ms=1e3 * statistics.median(latencies),
        p99_ms=1e3 * latencies[int(0.99 * len(latencies))],
        failed=sum(tally.statuses.values()) - answered,
    )


def line(kind: str, jobs: int, name: str, rounds: list[Measured]) -> str:
    """A line of the table: medians over the rounds."""

    def median(of: str) -> float:
        found: float = statistics.median(getattr(round_, of) for round_ in rounds)
        return found

    return (
        f"| {kind} | {jobs} | {name} | {median('rate'):.0f} | {median('cpu_ms'):.2f} ms | {median('p50_ms'):.0f} ms "
        f"| {median('p99_ms'):.0f} ms | {sum(round_.failed for round_ in rounds)} |"
    )


if __name__ == "__main__":
    main()
