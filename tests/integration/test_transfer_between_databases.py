"""A job that moves from database to database stays the same job."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.support.databases import DatabaseServers
from tests.support.exports import export, lived, send
from tests.support.server import Server

from zeus_bso.server.database import migrate


def test_a_job_comes_back_the_same_from_a_journey_through_all_databases(
    databases: DatabaseServers, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        first, *others = (
            _server(stack, kind, databases, tmp_path) for kind in ("sqlite", "postgresql", "mariadb", "sqlite")
        )
        file = lived(first)
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
