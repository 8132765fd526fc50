"""Requests per second of one server with one worker: 64 connections, 64 jobs, seven requests per trial.

python -m benchmarks.throughput [--database sqlite|mariadb|postgresql] [--seconds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path

from benchmarks.load import drive
from benchmarks.servers import DATABASES, Server, fresh_database


def main() -> None:
    """Start a server, drive it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=list(DATABASES), default="sqlite")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, fresh_database(arguments.database, Path(folder)) as url:
        server = Server(url)
        try:
            jobs = [f"job-{i}" for i in range(arguments.jobs)]
            tally = asyncio.run(drive([server.port], jobs, arguments.connections, arguments.seconds))
        finally:
            server.stop()
    latencies = sorted(tally.latencies_s)
    print(f"{len(latencies) / arguments.seconds:.0f} requests/s, answers by status {dict(tally.statuses)}")
    print(
        f"latency p50 {1e3 * statistics.median(latencies):.1f} ms, "
        f"p99 {1e3 * latencies[int(0.99 * len(latencies))]:.1f} ms, max {1e3 * latencies[-1]:.1f} ms"
    )
    for line in tally.unexpected:
        print(line)


if __name__ == "__main__":
    main()
