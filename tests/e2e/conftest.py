"""A real server process for whole-system tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from zeus_bso.cli.demo_server import started_server


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a server process on an empty SQLite file."""
    directory = tmp_path / "server"
    directory.mkdir()
    with started_server(directory) as url:
        yield url
