"""The disk of an SQLite database is full for a while."""

from __future__ import annotations

import resource
from pathlib import Path

import httpx
from tests.support.jobs import spec
from tests.support.process import ServerProcess


def test_a_full_disk_is_not_ready_until_there_is_room(tmp_path: Path) -> None:
    with (
        ServerProcess(tmp_path / "jobs.db") as server,
        httpx.Client(base_url=server.url, timeout=240) as client,
    ):

        def statuses() -> tuple[int, int]:
            asked = client.get("/jobs/batch_size", params={"job_id": "job"}).status_code
            return asked, client.get("/readyz").status_code

        assert client.post("/jobs", json=spec()).status_code == 201
        assert statuses() == (200, 200)
        # The write-ahead log is longer already, and what the server says is shorter.
        limits = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (32 * 1024, limits[1]))
        assert statuses() == (503, 503)
        assert client.get("/api/v1/job", params={"job_id": "job"}).status_code == 200
        assert statuses() == (503, 503)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)
        assert client.get("/readyz").status_code == 200
        assert statuses() == (200, 200)
