"""Do requests take longer as a job grows? Two jobs in one database, a short and a long one, asked in turn.

python -m benchmarks.growth [--database sqlite mariadb postgresql] [--trials 10 100000] [--rounds 300]

Every trial has reports. A round is a recurrence of each job: an ask, reports, a final report; and another one that
asks and ends without a result. Which job begins changes from round to round. The table has the median of each request.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3
from tests.support.databases import look
from tests.support.history import History
from tests.support.jobs import spec

from benchmarks.servers import DATABASES, Server, fresh_database
from zeus_bso.protocol.urls import REPORT_END_URL

POLICIES = ("zeus", "surrogate")
OPERATIONS = ("ask", "report", "final report", "end")
SIZES = [8, 16, 32, 64, 128, 256, 512, 1024]
REPORTS = 3
"""Reports of a recurrence before the final one."""

OLDER_REPORTS = 3
"""Reports of each trial of the history; the latest ones have more."""

WARM_UP = 20
"""Rounds that are not counted."""

Took = dict[tuple[str, str, int], list[float]]
"""Seconds of each request, by policy, operation and number of trials."""


class Client:
    """Sends requests about one job, and notes how long each takes."""

    def __init__(self, http: urllib3.PoolManager, url: str, job_id: str, note: Callable[[str, float], None]) -> None:
        self._http, self._url, self._job_id, self._note = http, url, job_id, note

    def recur(self) -> None:
        """One run that converges, and one that fails."""
        trial = self._ask()
        for epoch in range(1, REPORTS + 1):
            self._send("report", "POST", "/report", self._result(trial, epoch, metric=0.1))
        self._send("final report", "POST", "/report", self._result(trial, REPORTS + 1, metric=0.95))
        self._send("end", "PATCH", REPORT_END_URL, self._ask() | {"reason": "preempted"})

    def _ask(self) -> dict[str, Any]:
        return self._send("ask", "GET", f"/jobs/batch_size?job_id={self._job_id}", None)

    def _result(self, trial: dict[str, Any], epoch: int, metric: float) -> dict[str, Any]:
        return trial | {"time": 50.0 * epoch, "energy": 12_000.0 * epoch, "metric": metric, "current_epoch": epoch}

    def _send(self, operation: str, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        began = time.perf_counter()
        answer = self._http.request(method, self._url + path, json=body)
        self._note(operation, time.perf_counter() - began)
        assert answer.status == 200, answer.data
        found: dict[str, Any] = answer.json()
        return found


def main() -> None:
    """Measure every database, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", nargs="+", choices=list(DATABASES), default=list(DATABASES))
    parser.add_argument("--trials", nargs=2, type=int, default=[10, 100_000], metavar=("SHORT", "LONG"))
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    short, long = arguments.trials
    print(f"| database | policy | request | median at {short:,} trials | median at {long:,} trials | ratio |")
    print("|---|---|---|---|---|---|")
    for kind in arguments.database:
        took = measure(kind, (short, long), arguments.rounds)
        for policy in POLICIES:
            for operation in OPERATIONS:
                few, many = (statistics.median(took[policy, operation, trials]) for trials in (short, long))
                print(
                    f"| {kind} | {policy} | {operation} | {1e3 * few:.2f} ms | {1e3 * many:.2f} ms "
                    f"| {many / few:.2f} |",
                    flush=True,
                )


def measure(kind: str, lengths: tuple[int, int], rounds: int) -> Took:
    """How long each request takes on a database."""
    took: Took = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, fresh_database(kind, Path(folder)) as url:
        server = Server(url)
        try:
            here, http = f"http://127.0.0.1:{server.port}", urllib3.PoolManager(retries=False)
            jobs = [(policy, trials) for policy in POLICIES for trials in lengths]
            for policy, trials in jobs:
                _progress(f"{kind}: writing {trials} trials of {policy}")
                write_history(http, here, url, _job_id(policy, trials), policy, trials)
            clients = [
                Client(http, here, _job_id(policy, trials), _noting(took, policy, trials)) for policy, trials in jobs
            ]
            for round_ in range(WARM_UP + rounds):
                _progress(f"{kind}: round {round_ + 1} of {WARM_UP + rounds}")
                if round_ == WARM_UP:
                    took.clear()
                for client in clients if round_ % 2 else reversed(clients):
                    client.recur()
        finally:
            server.stop()
            _progress("")
    return took


def write_history(http: urllib3.PoolManager, server_url: str, url: str, job_id: str, policy: str, trials: int) -> None:
    """Register a job, and store a long history of it in the database."""
    history = History(job_id, trials, batch_sizes=SIZES, default_batch_size=64, older_reports=OLDER_REPORTS)
    body = spec(**history.spec, policy=policy, target_metric=0.9)
    answer = http.request("POST", f"{server_url}/jobs", json=body)
    assert answer.status == 201, answer.data
    look(url, history.write)


def _job_id(policy: str, trials: int) -> str:
    return f"{policy}-{trials}"


def _noting(took: Took, policy: str, trials: int) -> Callable[[str, float], None]:
    return lambda operation, seconds: took[policy, operation, trials].append(seconds)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
