"""Real databases and real server processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.away import Outage
from tests.support.databases import KINDS, DatabaseServers
from tests.support.process import ServerProcess

from zeus_bso.server.database import migrate


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn; a test that is about some only parametrizes it."""
    found: str = request.param
    return found


@pytest.fixture
def empty_url(kind: str, databases: DatabaseServers, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database without any table."""
    with databases.fresh(kind, tmp_path) as url:
        yield url


@pytest.fixture
def database_url(empty_url: str) -> str:
    """The URL of a fresh database with our schema."""
    migrate.upgrade(empty_url)
    return empty_url


@pytest.fixture(scope="session")
def _shared_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server") / "zeus-bso.db")
    process.start()
    yield process
    process.end()


@pytest.fixture
def outages(_shared_process: ServerProcess, tmp_path: Path) -> Callable[[str], Outage]:
    """Makes a server that can go away in the way that is named."""
    return lambda kind: Outage(_shared_process, tmp_path / "zeus-bso.db", kind)
