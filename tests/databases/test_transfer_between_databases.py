"""A job that moves from database to database stays the same job."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.support.databases import DatabaseServers
from tests.support.exports import export, lived, send
from tests.support.server import Server

from zeus_bso.server.database import migrate
from zeus_bso.server.database.engine import open_database


@pytest.mark.parametrize("policy", ["zeus", "surrogate"])
def test_a_job_comes_back_the_same_from_a_journey_through_all_databases(
    databases: DatabaseServers, tmp_path: Path, policy: str
) -> None:
    with ExitStack() as stack:
        first, *others = (
            _server(stack, kind, databases, tmp_path) for kind in ("sqlite", "postgresql", "mariadb", "sqlite")
        )
        file = lived(first, policy=policy)
        for server in others:
            assert send(server, file).status_code == 201
            assert export(server) == file
        assert (others[-1].job(), others[-1].trials()) == (first.job(), first.trials())


def _server(stack: ExitStack, kind: str, databases: DatabaseServers, folder: Path) -> Server:
    url = stack.enter_context(databases.fresh(kind, folder))
    migrate.upgrade(url)
    server = Server(url)
    server.start()
    stack.callback(server.close)
    return server


@pytest.mark.parametrize("kind", ["mariadb", "postgresql"])
def test_an_export_sees_one_state_and_leaves_its_connection_as_it_was(database_url: str) -> None:
    database = open_database(database_url, pool_size=1)

    def isolation(connection: Connection) -> str:
        return connection.get_isolation_level()

    async def three() -> list[str]:
        try:
            await database.start()
            before = await database.read(isolation)
            return [before, await database.snapshot(isolation, budget_s=10), await database.read(isolation)]
        finally:
            await database.close()

    assert asyncio.run(three()) == ["READ COMMITTED", "REPEATABLE READ", "READ COMMITTED"]
