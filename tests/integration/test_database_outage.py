"""The database server is killed and comes back: only 503s in between, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from benchmarks.audit import audit
from benchmarks.load import Connection, Tally, drive
from benchmarks.servers import Server
from tests.support.databases import PrivateServer, fresh_database, private_server

from zeus_bso.server.database import migrate

pytestmark = pytest.mark.slow


@pytest.fixture(params=["mariadb", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    server = private_server(request.param)
    server.start()
    yield server
    server.remove()


def test_a_killed_database_costs_503s_and_no_acknowledged_report(database: PrivateServer) -> None:
    with fresh_database(database.url) as url:
        migrate.upgrade(url)
        server = Server(url)
        try:
            tally = asyncio.run(_kill_and_restart(server.port, database))
            acknowledged = set(tally.acknowledged)
            assert audit(url, acknowledged) == []
        finally:
            server.stop()
    assert set(tally.statuses) <= {200, 201, 503}, tally.unexpected
    assert tally.statuses[503] > 0
    assert acknowledged


def test_the_first_request_after_an_idle_restart_of_the_database_succeeds(database: PrivateServer) -> None:
    with fresh_database(database.url) as url:
        migrate.upgrade(url)
        server = Server(url)
        try:
            asyncio.run(drive([server.port], ["job"], 8, 1.0))
            database.stop()
            database.start()
            tally = asyncio.run(_ask_once(server.port))
            assert tally.statuses[200] == 1
            assert tally.statuses[503] == 0
        finally:
            server.stop()


def test_no_request_hangs_while_the_database_is_away(database: PrivateServer) -> None:
    with fresh_database(database.url) as url:
        migrate.upgrade(url)
        server = Server(url)
        try:
            database.kill()
            started = time.monotonic()
            with pytest.raises(urllib.error.HTTPError, match="503"):
                urllib.request.urlopen(f"http://127.0.0.1:{server.port}/readyz", timeout=10)
            assert time.monotonic() - started < 5.0
            database.start()
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/readyz", timeout=10) as answer:
                assert answer.status == 200
        finally:
            server.stop()


async def _ask_once(port: int) -> Tally:
    tally = Tally()
    connection = Connection("127.0.0.1", port, tally)
    await connection.request("GET", "/jobs/batch_size?job_id=job")
    await connection.close()
    return tally


async def _kill_and_restart(port: int, database: PrivateServer) -> Tally:
    load = asyncio.create_task(drive([port], ["a", "b"], 8, 8.0))
    await asyncio.sleep(2.0)
    database.kill()
    await asyncio.sleep(1.0)
    await asyncio.to_thread(database.start)
    return await load
