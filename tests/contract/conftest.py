"""The contract is one, whatever the database: every test of it runs on each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.databases import KINDS, DatabaseServers
from tests.support.server import Server

from zeus_bso.server.database import migrate

IN_MEMORY = "memory"


@pytest.fixture(scope="session", params=[*KINDS, IN_MEMORY])
def _shared_server(
    request: pytest.FixtureRequest, databases: DatabaseServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with ExitStack() as stack:
        server = Server(_migrated(request.param, databases, tmp_path_factory.mktemp("server"), stack))
        server.start()
        stack.callback(server.close)
        yield server


@pytest.fixture
def server(_shared_server: Server) -> Server:
    """The application in this process, on an empty database of each kind, the shipped fake's among them.

    One application serves many tests, which is quick, and which it must not notice: it keeps nothing in memory.
    """
    _shared_server.wipe()
    return _shared_server


@pytest.fixture(params=KINDS)
def own_server(request: pytest.FixtureRequest, databases: DatabaseServers, tmp_path: Path) -> Iterator[Server]:
    """An application that the test may restart and change."""
    with ExitStack() as stack:
        server = Server(_migrated(request.param, databases, tmp_path, stack))
        server.start()
        stack.callback(server.close)
        yield server


def _migrated(kind: str, databases: DatabaseServers, folder: Path, stack: ExitStack) -> str:
    if kind == IN_MEMORY:
        return "sqlite://"
    url = stack.enter_context(databases.fresh(kind, folder))
    migrate.upgrade(url)
    return url
