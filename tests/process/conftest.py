"""Real server processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.away import Outage
from tests.support.process import ServerProcess


@pytest.fixture(scope="session", autouse=True)
def _forked(_forking: None) -> None:
    """Servers here are forked, unless a test is about their start."""


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a server process on an empty SQLite file."""
    directory = tmp_path / "server"
    directory.mkdir()
    with ServerProcess(directory / "zeus-bso.db") as server:
        yield server.url


@pytest.fixture(scope="session")
def _shared_process(_forking: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "zeus-bso.db") as server:
        yield server


@pytest.fixture
def shared_url(_shared_process: ServerProcess) -> str:
    """The URL of a server process that many tests share, each with jobs of its own."""
    return _shared_process.url


@pytest.fixture
def outages(_shared_process: ServerProcess, tmp_path: Path) -> Callable[[str], Outage]:
    """Makes a server that can go away in the way that is named."""
    return lambda kind: Outage(_shared_process, tmp_path / "zeus-bso.db", kind)
