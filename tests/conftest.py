"""Fixtures that tests of all kinds share."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.databases import DatabaseServers
from tests.support.server import Server

settings.register_profile("normal", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("normal"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "normal"))


@pytest.fixture(scope="session", autouse=True)
def _plain_environment() -> Iterator[None]:
    """Settings of whoever runs the tests must not steer what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ZEUS_BSO_")]:
            patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def spool_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spool of the test's own, also for the processes that it starts; made by who first keeps something there."""
    folder = tmp_path_factory.getbasetemp() / f"spool-{uuid.uuid4().hex}"
    monkeypatch.setenv("ZEUS_BSO_SPOOL_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def databases() -> Iterator[DatabaseServers]:
    """One server per kind and test process; nothing is started before a test wants it."""
    servers = DatabaseServers()
    yield servers
    servers.remove()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """An application in this process, on an SQLite file, that the test may restart and change."""
    server = Server(tmp_path / "zeus-bso.db")
    server.start()
    yield server
    server.close()
