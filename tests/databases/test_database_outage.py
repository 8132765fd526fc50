"""The database server is killed and comes back: only 503s in between, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.audit import audit
from benchmarks.load import Connection, Tally
from tests.support.databases import SHARED, fresh_database
from tests.support.load import acknowledged, drive_during, drive_until
from tests.support.private_servers import PrivateServer, started_server
from tests.support.process import PATIENCE_S, ServerProcess

from zeus_bso.server.database import migrate

OUTLIVES_ITS_TEST = {SHARED: "1"}


@pytest.fixture(scope="module", params=["mariadb", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    """A durable database server, which each test leaves running."""
    with started_server(request.param) as server:
        yield server


def test_a_killed_database_costs_503s_and_no_acknowledged_report(database: PrivateServer, tmp_path: Path) -> None:
    def kill_and_restart(tally: Tally) -> None:
        database.kill()
        deadline = time.monotonic() + PATIENCE_S
        while not tally.statuses[503]:
            assert time.monotonic() < deadline, "nobody notices"
            time.sleep(0.01)
        database.start(OUTLIVES_ITS_TEST)

    with fresh_database(database.url) as url:
        migrate.upgrade(url)
        with ServerProcess(url, tmp_path) as server:
            tally = asyncio.run(drive_during(kill_and_restart, [server.port], ["a", "b"], 8))
            assert audit(url, tally.acknowledged) == []
    assert set(tally.statuses) <= {200, 201, 503}, tally.unexpected


def test_the_first_request_after_an_idle_restart_of_the_database_succeeds(
    database: PrivateServer, tmp_path: Path
) -> None:
    with fresh_database(database.url) as url:
        migrate.upgrade(url)
        with ServerProcess(url, tmp_path) as server:
            asyncio.run(drive_until(acknowledged(60), [server.port], ["job"], 8))
            database.stop()
            database.start(OUTLIVES_ITS_TEST)
            tally = asyncio.run(_ask_once(server.port))
            assert tally.statuses[200] == 1
            assert tally.statuses[503] == 0


def test_no_request_hangs_while_the_database_is_away(database: PrivateServer, tmp_path: Path) -> None:
    with fresh_database(database.url) as url:
        migrate.upgrade(url)
        with ServerProcess(url, tmp_path) as server:
            database.kill()
            started = time.monotonic()
            with pytest.raises(urllib.error.HTTPError, match="503"):
                urllib.request.urlopen(f"http://127.0.0.1:{server.port}/readyz", timeout=60)
            assert time.monotonic() - started < 20.0
            database.start(OUTLIVES_ITS_TEST)
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/readyz", timeout=60) as answer:
                assert answer.status == 200


async def _ask_once(port: int) -> Tally:
    tally = Tally()
    connection = Connection("127.0.0.1", port, tally)
    await connection.request("GET", "/jobs/batch_size?job_id=job")
    await connection.close()
    return tally
