"""Is the state right when many servers share a database? 4 servers, 8 clients of 8 connections, 1 job and 64 jobs.

    python -m benchmarks.concurrency [--database sqlite mariadb postgresql] [--seconds 60]

The databases are those of ZEUS_BSO_TEST_MYSQL_URL and ZEUS_BSO_TEST_POSTGRES_URL, or the local ones; each run makes a
fresh database beside them. Prints a table in Markdown; exits 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.audit import audit
from benchmarks.load import Tally, drive
from benchmarks.servers import DATABASES, fresh_database, servers

CLIENTS = 8
CONNECTIONS = 8
SERVERS = 4


def main() -> int:
    """Run all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", nargs="+", choices=list(DATABASES), default=list(DATABASES))
    parser.add_argument("--jobs", nargs="+", type=int, default=[1, 64])
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    print("| database | jobs | requests/s | p50 | p99 | 2xx | 503 | other | faults |")
    print("|---|---|---|---|---|---|---|---|---|")
    wrong = 0
    for kind in arguments.database:
        for jobs in arguments.jobs:
            wrong += run(kind, jobs, arguments.seconds)
    return 1 if wrong else 0


def run(kind: str, jobs: int, seconds: float) -> int:
    """Run one row of the table; returns how much was wrong."""
    names = [f"job-{i}" for i in range(jobs)]
    with tempfile.TemporaryDirectory() as folder, fresh_database(kind, Path(folder)) as url:
        with servers(url, SERVERS) as started:
            ports = [server.port for server in started]
            with ProcessPoolExecutor(CLIENTS, mp_context=get_context("spawn")) as pool:
                futures = [pool.submit(client, ports, names, seconds, i) for i in range(CLIENTS)]
                tallies = [future.result() for future in futures]
        faults = audit(url, (report for tally in tallies for report in tally.acknowledged))
    latencies = sorted(latency for tally in tallies for latency in tally.latencies_s)
    answers = sum((tally.statuses for tally in tallies), start=type(tallies[0].statuses)())
    good = sum(count for status, count in answers.items() if 200 <= status < 300)
    other = sum(answers.values()) - good - answers[503]
    p50, p99 = statistics.median(latencies), latencies[int(0.99 * len(latencies))]
    print(
        f"| {kind} | {jobs} | {len(latencies) / seconds:.0f} | {1e3 * p50:.0f} ms | {1e3 * p99:.0f} ms "
        f"| {good} | {answers[503]} | {other} | {len(faults)} |",
        flush=True,
    )
    for line in faults[:10] + [line for tally in tallies for line in tally.unexpected][:10]:
        print(f"    {line}", file=sys.stderr)
    return len(faults) + other


def client(ports: list[int], jobs: list[str], seconds: float, number: int) -> Tally:
    """One client process; its connections are spread over the servers and the jobs."""
    shift = number * CONNECTIONS
    ours = [jobs[(shift + i) % len(jobs)] for i in range(CONNECTIONS)]
    turned = ports[number % len(ports) :] + ports[: number % len(ports)]
    return asyncio.run(drive(turned, ours, CONNECTIONS, seconds))


if __name__ == "__main__":
    sys.exit(main())
