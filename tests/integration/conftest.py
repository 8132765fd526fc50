"""Real databases and real server processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.databases import KINDS, DatabaseServers

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
