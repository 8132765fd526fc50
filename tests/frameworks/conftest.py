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


@pytest.fixture(scope="session", autouse=True)
def _compiler_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """PyTorch's compiler keeps its files among those of the tests, also in their child processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        yield


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server in a process of its own, with an empty database."""
    with ServerProcess(tmp_path / "zeus-bso.db") as process:
        yield process
