"""Counters of this process: requests, decisions, transactions.

With several workers (``serve --workers N``) every process writes its counts to files that all of them read, so that
each worker can answer for all. See ``docs/adr/0005-metrics-across-workers.md``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.process_collector import ProcessCollector

from zeus_bso.exceptions import DatabaseUnavailableError

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The folder for the counts of all processes behind one port. prometheus-client reads this when it is imported."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Instruments:
    """The counters of one application.

    Args:
        connections: Largest number of database connections of this process.
    """

    def __init__(self, *, connections: int) -> None:
        self._folder = os.environ.get(FOLDER_VARIABLE)
        self._registry = CollectorRegistry()
        if self._folder is None:
            ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "zeus_bso_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._decisions = Histogram(
            "zeus_bso_decision_seconds",
            "Time to answer an ask, a report, an end or a heartbeat, including the commit.",
            ["decision"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._transactions = Gauge(
            "zeus_bso_database_transactions",
            "Transactions that run or wait for a connection.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._refused = Counter(
            "zeus_bso_database_refused",
            "Transactions that the database did not accept. The client was told to try again.",
            registry=self._registry,
        )
        Gauge(
            "zeus_bso_database_connections",
            "Largest number of open database connections.",
            registry=self._registry,
            multiprocess_mode="livesum",
        ).set(connections)

    def request(self, method: str, route: str, status: int) -> None:
        """Count a request. ``route`` is a template, never a path with values."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()

    def decision(self, kind: str, seconds: float) -> None:
        """Record the duration of a decision."""
        self._decisions.labels(kind).observe(seconds)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Count a transaction while it runs."""
        self._transactions.inc()
        try:
            yield
        except DatabaseUnavailableError:
            self._refused.inc()
            raise
        finally:
            self._transactions.dec()

    def text(self) -> bytes:
        """The counts of all processes behind the port, in Prometheus' text format."""
        if self._folder is None:
            return generate_latest(self._registry)
        _forget_dead(Path(self._folder))
        everything = CollectorRegistry()
        MultiProcessCollector(everything, self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(everything)


def _forget_dead(folder: Path) -> None:
    """Drop the requests in progress of dead workers, and keep their counts."""
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
