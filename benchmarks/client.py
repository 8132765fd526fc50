"""What ``on_evaluate`` costs the training loop, beside one bare HTTP request on a kept-alive connection.

python -m benchmarks.client [--evaluations 1000]
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.servers import Server, fresh_database
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor
from zeus_bso.protocol.urls import REPORT_RESULT_URL

WARM_UP = 50


def main() -> None:
    """Start a server, report to it in both ways in turn, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=1000)
    evaluations: int = parser.parse_args().evaluations
    with tempfile.TemporaryDirectory() as folder, fresh_database("sqlite", Path(folder)) as url:
        server = Server(url)
        try:
            ours, bare = measure(server, evaluations)
        finally:
            server.stop()
    print("| one evaluation | p50 | p95 | p99 |\n|---|---|---|---|")
    for name, took_s in (("`on_evaluate`", ours), ("a bare HTTP request", bare)):
        print(f"| {name} | {' | '.join(f'{1e3 * figure:.2f} ms' for figure in percentiles(took_s))} |")


def measure(server: Server, evaluations: int) -> tuple[list[float], list[float]]:
    """How long each evaluation took by our client, and each bare request [s]."""
    runs = [begun(server, name, evaluations) for name in ("ours", "bare")]
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    bare_run = runs[1]
    took: tuple[list[float], list[float]] = ([], [])
    for epoch in range(1, evaluations + WARM_UP + 1):
        body = json.dumps(
            {
                "job_id": bare_run.job_id,
                "batch_size": bare_run.current_batch_size,
                "trial_number": bare_run.trial_number,
                "time": float(epoch),
                "energy": float(epoch),
                "metric": 0.1,
                "current_epoch": epoch,
            }
        )
        took[0].append(timed(lambda: runs[0].on_evaluate(0.1)))
        took[1].append(timed(lambda body=body: post(connection, body)))  # type: ignore[misc]
    connection.close()
    for run in runs:
        run.cancel()
    return took[0][WARM_UP:], took[1][WARM_UP:]


def begun(server: Server, name: str, evaluations: int) -> BatchSizeOptimizer:
    """A training that has begun; nothing is measured, so that only the client is."""
    count = evaluations + WARM_UP + 1
    job = JobSpec(job_id_prefix=name, batch_sizes=[64], default_batch_size=64, target_metric=0.9, max_epochs=count)
    bso = BatchSizeOptimizer(ReplayMonitor([(1.0, 1.0)] * count), f"http://127.0.0.1:{server.port}", job)
    bso.get_batch_size()
    bso.on_train_begin()
    return bso


def post(connection: http.client.HTTPConnection, body: str) -> None:
    """One report over a connection that is kept alive."""
    connection.request("POST", REPORT_RESULT_URL, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status


def timed(call: Callable[[], None]) -> float:
    """How long a call takes [s]."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def percentiles(took_s: list[float]) -> tuple[float, float, float]:
    """The median, the 95th and the 99th percentile."""
    cuts = statistics.quantiles(took_s, n=100)
    return statistics.median(took_s), cuts[94], cuts[98]


if __name__ == "__main__":
    main()
