"""The contract is one, whatever the database: a test of it runs on each, unless only rules in Python can break it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.databases import KINDS, DatabaseServers
from tests.support.server import Server

from zeus_bso.server.database import networked, sqlite
from zeus_bso.server.dependencies import Transactions

IN_MEMORY = "memory"
"""SQLite as the shipped fake has it: it stands for any database."""

BUSY_S = 120.0
"""A request may take so long: that the server answers in time is held by tests of server processes."""


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """On a busy machine, nothing that a test sends is refused because it took too long."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (networked, sqlite):
            patch.setattr(module, "WRITE_BUDGET_S", BUSY_S)
        for write in (Transactions.write, networked.NetworkedDatabase.write, sqlite.SqliteDatabase.write):
            patch.setattr(write, "__kwdefaults__", {**(write.__kwdefaults__ or {}), "budget_s": BUSY_S})
        patch.setattr(networked, "POOL_TIMEOUT_S", BUSY_S)
        patch.setattr(networked, "PING_TIMEOUT_S", BUSY_S)
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the databases of a test."""
    chosen = metafunc.definition.get_closest_marker("databases") or EVERY_DATABASE.mark
    every = ["sqlite"] if metafunc.config.getoption("--fast") else [*KINDS]
    for name, any_kind in (("_shared_server", IN_MEMORY), ("own_server", "sqlite")):
        if name in metafunc.fixturenames:
            kinds = [any_kind] if chosen.args == ANY_DATABASE.args else every
            metafunc.parametrize(name, kinds, indirect=True, scope="session" if name == "_shared_server" else None)


class _Databases:
    """One database with our schema for each kind, for all tests of this process."""

    def __init__(self, databases: DatabaseServers, folder: Path) -> None:
        self._databases, self._folder = databases, folder
        self._stack = ExitStack()
        self._urls: dict[str, str] = {}
        self._shared: dict[str, Server] = {}

    def url(self, kind: str) -> str:
        """Its URL; what tests have left there goes with :meth:`Server.wipe`."""
        if kind not in self._urls:
            self._urls[kind] = self._stack.enter_context(self._databases.migrated(kind, self._folder))
        return self._urls[kind]

    def shared_server(self, kind: str) -> Server:
        """The application that serves all tests that do not change it."""
        if kind not in self._shared:
            server = Server("sqlite://" if kind == IN_MEMORY else self.url(kind))
            server.start()
            self._stack.callback(server.close)
            self._shared[kind] = server
        return self._shared[kind]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="session")
def _migrated(databases: DatabaseServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Databases]:
    migrated = _Databases(databases, tmp_path_factory.mktemp("server"))
    yield migrated
    migrated.close()


@pytest.fixture(scope="session")
def _shared_server(request: pytest.FixtureRequest, _migrated: _Databases) -> Server:
    return _migrated.shared_server(request.param)


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


@pytest.fixture
def own_server(request: pytest.FixtureRequest, _migrated: _Databases) -> Iterator[Server]:
    """An application that the test may restart and change, on an empty database of each kind."""
    server = Server(_migrated.url(request.param))
    server.start()
    with closing(server):
        server.wipe()
        yield server
