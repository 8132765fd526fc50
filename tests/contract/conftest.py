"""The contract is one, whatever the database: a test of it runs on each, unless only rules in Python can break it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.databases import KINDS, DatabaseServers
from tests.support.server import Server

from zeus_bso.server.database import migrate

IN_MEMORY = "memory"
"""SQLite as the shipped fake has it: it stands for any database, and the fast lane has it beside a file."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the databases of a test."""
    if "_shared_server" in metafunc.fixturenames:
        chosen = metafunc.definition.get_closest_marker("databases")
        if (chosen or EVERY_DATABASE.mark).args == ANY_DATABASE.args:
            kinds = [IN_MEMORY]
        else:
            kinds = [IN_MEMORY, "sqlite"] if metafunc.config.getoption("--fast") else [*KINDS]
        metafunc.parametrize("_shared_server", kinds, indirect=True, scope="session")


class _SharedServers:
    """One application for each kind of database, for all tests of this process."""

    def __init__(self, databases: DatabaseServers, folder: Path) -> None:
        self._databases, self._folder = databases, folder
        self._stack = ExitStack()
        self._started: dict[str, Server] = {}

    def of(self, kind: str) -> Server:
        if kind not in self._started:
            server = Server(_migrated(kind, self._databases, self._folder, self._stack))
            server.start()
            self._stack.callback(server.close)
            self._started[kind] = server
        return self._started[kind]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="session")
def _shared_servers(databases: DatabaseServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_SharedServers]:
    servers = _SharedServers(databases, tmp_path_factory.mktemp("server"))
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def _shared_server(request: pytest.FixtureRequest, _shared_servers: _SharedServers) -> Server:
    return _shared_servers.of(request.param)


@pytest.fixture
def server(_shared_server: Server) -> Server:
    """The application in this process, on an empty database of each kind.

    One application serves many tests, which is quick, and which it must not notice: it keeps nothing in memory.
    """
    _shared_server.wipe()
    return _shared_server


@pytest.fixture
def registered(server: Server) -> None:
    """A job is registered."""
    server.register()


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
