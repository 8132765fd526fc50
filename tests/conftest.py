"""Fixtures that tests of all kinds share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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


@pytest.fixture(scope="session")
def _shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server") / "zeus-bso.db")
    server.start()
    yield server
    server.close()


@pytest.fixture
def server(_shared_server: Server) -> Server:
    """The application in this process, on an empty SQLite file.

    One application serves many tests, which is quick, and which it must not notice: it keeps nothing in memory.
    """
    _shared_server.wipe()
    return _shared_server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """An application that the test may restart and change."""
    server = Server(tmp_path / "zeus-bso.db")
    server.start()
    yield server
    server.close()
