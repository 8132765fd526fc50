"""Requests per second of one server with one worker: 64 connections, 64 jobs, seven requests per trial.

    python benchmarks/throughput.py [--database-url URL] [--seconds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from load import drive


def main() -> None:
    """Start a server, drive it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=64)
    parser.add_argument("--port", type=int, default=8793)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.database_url or f"sqlite:///{Path(folder) / 'benchmark.db'}"
        command = ["serve", "--port", str(arguments.port), "--database-url", url]
        server = subprocess.Popen([sys.executable, "-m", "zeus_bso", *command], stdout=subprocess.DEVNULL)
        try:
            _wait(arguments.port)
            jobs = [f"load-{i}-{time.time_ns()}" for i in range(arguments.jobs)]
            tally = asyncio.run(drive([arguments.port], jobs, arguments.connections, arguments.seconds))
        finally:
            server.terminate()
            server.wait()
    latencies = sorted(tally.latencies_s)
    print(f"{len(latencies) / arguments.seconds:.0f} requests/s, answers by status {dict(tally.statuses)}")
    print(
        f"latency p50 {1e3 * statistics.median(latencies):.1f} ms, "
        f"p99 {1e3 * latencies[int(0.99 * len(latencies))]:.1f} ms, max {1e3 * latencies[-1]:.1f} ms"
    )
    for line in tally.unexpected:
        print(line)


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
