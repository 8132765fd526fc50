"""The disk of a database server is full for a while: 503s until there is room, and no acknowledged report is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from benchmarks.audit import audit
from sqlalchemy.exc import DBAPIError
from tests.support.databases import fresh_database
from tests.support.jobs import Json, spec
from tests.support.private_servers import execute
from tests.support.process import PATIENCE_S, ServerProcess
from tests.support.small_disk import fill, server_with_a_small_disk

from zeus_bso.server.database import migrate

MOST = 5000
"""More reports than fit into the room that a database has set aside."""


class Run:
    """A run that reports, and counts the reports that were acknowledged."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.acknowledged = 0
        assert client.post("/jobs", json=spec(max_epochs=10**6)).status_code == 201
        self.trial: Json = client.get("/jobs/batch_size", params={"job_id": "job"}).json()

    def report(self) -> httpx.Response:
        """Report the next epoch."""
        epoch = self.acknowledged + 1
        result = {"time": epoch, "energy": epoch, "metric": 0.1, "current_epoch": epoch}
        answer = self.client.post("/report", json=self.trial | result)
        self.acknowledged += answer.status_code == 200
        return answer

    def report_until_refused(self) -> httpx.Response:
        """Report until the database takes no more."""
        return next(answer for answer in (self.report() for _ in range(MOST)) if answer.status_code != 200)

    def states(self) -> tuple[int, int, int]:
        """The statuses of a report, of ``/readyz`` and of a read."""
        reported, ready = self.report(), self.client.get("/readyz")
        return reported.status_code, ready.status_code, self.client.get("/api/v1/jobs").status_code

    def faults(self, url: str) -> list[str]:
        """What is wrong in the database."""
        number = self.trial["trial_number"]
        return audit(url, [("job", number, epoch) for epoch in range(1, self.acknowledged + 1)])


@contextmanager
def served(url: str, folder: Path) -> Iterator[tuple[ServerProcess, Run]]:
    """A server, and a run of its job."""
    migrate.upgrade(url)
    with ServerProcess(url, folder) as server, httpx.Client(base_url=server.url, timeout=240) as client:
        yield server, Run(client)


@pytest.mark.parametrize("kind", ["mariadb", "postgresql"])
def test_a_full_disk_refuses_reports_until_there_is_room(kind: str, tmp_path: Path) -> None:
    with (
        server_with_a_small_disk(kind) as (database, disk),
        fresh_database(database.url) as url,
        served(url, tmp_path) as (server, run),
    ):
        ballast = fill(disk)
        refused = run.report_until_refused()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert [
            line for line in server.said.splitlines() if " ERROR " in line and "disk of the database is full" in line
        ]
        for _ in range(3):
            assert run.client.get("/readyz").status_code == 503
            assert run.client.get("/api/v1/jobs").status_code == 200
            assert run.report_until_refused().status_code == 503
        ballast.unlink()
        assert run.client.get("/readyz").status_code == 200
        assert run.states() == (200, 200, 200)
        assert run.faults(url) == []


def test_a_postgresql_without_room_for_its_log_is_down_until_it_is_started_again(tmp_path: Path) -> None:
    with (
        server_with_a_small_disk("postgresql") as (database, disk),
        fresh_database(database.url) as url,
        served(url, tmp_path) as (_, run),
    ):
        assert run.states() == (200, 200, 200)
        ballast = fill(disk)
        with suppress(DBAPIError):
            asyncio.run(execute(database.url, "SELECT pg_switch_wal()"))
        assert run.report_until_refused().status_code == 503
        assert run.states() == (503, 503, 503)
        ballast.unlink()
        database.kill()
        database.start()
        assert run.states() == (200, 200, 200)
        assert run.faults(url) == []


def test_a_mariadb_that_waits_for_room_for_its_binary_log_is_not_ready(tmp_path: Path) -> None:
    with (
        server_with_a_small_disk("mariadb", "--log-bin=binary", "--server-id=1") as (database, disk),
        fresh_database(database.url) as url,
        served(url, tmp_path) as (server, run),
    ):
        assert run.states() == (200, 200, 200)
        ballast = fill(disk)
        began = time.monotonic()
        assert run.report_until_refused().status_code == 503
        assert time.monotonic() - began < 60
        assert "did not answer in time" in server.said
        assert run.states() == (503, 503, 200)
        ballast.unlink()
        # MariaDB looks for room once a minute.
        ends = time.monotonic() + PATIENCE_S
        while run.client.get("/readyz").status_code != 200:
            assert time.monotonic() < ends, "MariaDB has found no room"
            time.sleep(0.5)
        assert run.states() == (200, 200, 200)
        assert run.faults(url) == []
