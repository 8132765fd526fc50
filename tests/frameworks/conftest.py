"""A real server for real trainings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frameworks.launches import REFERENCE, ROOT, TRAINING
from tests.support.forked import forking
from tests.support.process import ServerProcess

IMPORTED = (
    *("torch.distributed", "torch._dynamo", "sklearn.datasets", "torch.nn.parallel", "torch.utils.data"),
    *("lightning", "keras", "transformers.trainer", "transformers.models.vit.modeling_vit"),
)

MONITORS = ROOT / ".venv-monitors"
PACKAGES = ["zeus>=0.15", "codecarbon>=3.2", "pydantic>=2.9,<3", "urllib3>=2.2,<3", "platformdirs>=4.2"]
MAY_INSTALL = Path(sys.prefix).name == ".venv-frameworks" or bool(os.environ.get("ZEUS_BSO_TEST_FRAMEWORKS"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have warnings of our own code be errors, as elsewhere, but not those of frameworks about themselves."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore", "error:::zeus_bso"))


@pytest.fixture(scope="session", autouse=True)
def _forked(_plain_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trainings, servers and commands are forked from processes that have imported what they need.

    PyTorch's compiler keeps its files among those of the tests, also in their child processes.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        patch.setenv("KERAS_BACKEND", TRAINING["KERAS_BACKEND"])  # Of the trainings in this process.
        # What has imported the frameworks takes half a second to end: servers do without them.
        with forking(), forking(TRAINING, IMPORTED):
            yield


@pytest.fixture(scope="session")
def monitors() -> str:
    """The interpreter of an environment with the ``zeus`` and ``codecarbon`` packages, made once from the index."""
    interpreter, complete = str(MONITORS / "bin" / "python"), MONITORS / ".complete"
    if complete.exists():
        return interpreter
    if not MAY_INSTALL:
        pytest.skip("needs the zeus and codecarbon packages in .venv-monitors: `make test-frameworks` makes it")
    print(f"\nMaking {MONITORS} with {', '.join(PACKAGES)}; this happens once.", file=sys.__stderr__, flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(MONITORS)], check=True, timeout=120)
    pip = [interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*pip, *PACKAGES], check=True, timeout=900)
    complete.touch()
    return interpreter


@pytest.fixture(scope="session")
def reference(monitors: str) -> Iterator[str]:
    """That interpreter; scripts are forked from it when it has imported PyTorch and the optimizer of ``zeus``."""
    imported = ("cuda_stand_in", "zeus.callback", "zeus.optimizer.batch_size.client", "torch._dynamo")
    with forking(REFERENCE, imported, monitors):
        yield monitors


@pytest.fixture
def no_settings_of_zeus(monkeypatch: pytest.MonkeyPatch) -> None:
    """What steers ``zeus`` is not there; nor what says which GPUs it sees."""
    for name in [name for name in os.environ if name.startswith(("ZEUS_", "CUDA_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server in a process of its own, with an empty database."""
    with ServerProcess(tmp_path / "zeus-bso.db") as process:
        yield process
