"""Kill a server with SIGKILL under load, again and again: nothing acknowledged is lost, every job goes on.

python -m benchmarks.crash [--database sqlite mariadb postgresql] [--rounds 50]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.audit import audit
from benchmarks.load import Tally, drive
from benchmarks.servers import DATABASES, Server, fresh_database

CONNECTIONS = 16
JOBS = 8


def main() -> int:
    """Run all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", nargs="+", choices=list(DATABASES), default=list(DATABASES))
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    print("| database | kills | acknowledged reports | lost or wrong | jobs that went on |")
    print("|---|---|---|---|---|")
    return sum(run(kind, arguments.rounds) for kind in arguments.database)


def run(kind: str, rounds: int) -> int:
    """Run one row of the table; returns how much was wrong."""
    jobs = [f"job-{i}" for i in range(JOBS)]
    acknowledged: set[tuple[str, int, int]] = set()
    faults: list[str] = []
    went_on = 0
    with tempfile.TemporaryDirectory() as folder, fresh_database(kind, Path(folder)) as url:
        server = Server(url)
        try:
            for round_ in range(rounds):
                tally = asyncio.run(_load_and_kill(server, jobs, 0.5 + random.random()))
                acknowledged.update(tally.acknowledged)
                faults += [f"round {round_}: {fault}" for fault in audit(url, acknowledged)]
                server.restart()
                _progress(kind, round_ + 1, rounds)
            tally = asyncio.run(drive([server.port], jobs, CONNECTIONS, 3.0))
            went_on = len({job for job, _, _ in tally.acknowledged})
            faults += [f"answer: {line}" for line in tally.unexpected]
        finally:
            server.stop()
        faults += audit(url, acknowledged.union(tally.acknowledged))
    print(f"| {kind} | {rounds} | {len(acknowledged)} | {len(faults)} | {went_on} of {JOBS} |", flush=True)
    for fault in faults[:20]:
        print(f"    {fault}", file=sys.stderr)
    return len(faults) + JOBS - went_on


async def _load_and_kill(server: Server, jobs: list[str], seconds: float) -> Tally:
    load = asyncio.create_task(drive([server.port], jobs, CONNECTIONS, seconds + 0.3))
    await asyncio.sleep(seconds)
    server.kill()
    return await load


def _progress(kind: str, done: int, rounds: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{kind}: {done} of {rounds} kills", end="\n" if done == rounds else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
