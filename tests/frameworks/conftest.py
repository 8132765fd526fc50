"""A real server for real trainings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import ServerProcess


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have warnings of our own code be errors, as elsewhere, but not those of frameworks about themselves."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore", "error:::zeus_bso"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server in a process of its own, with an empty database."""
    process = ServerProcess(tmp_path / "zeus-bso.db")
    process.start()
    yield process
    process.end()
