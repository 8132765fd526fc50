"""Monitors of other packages in our monitor's place, in an environment of their own.

``make test-frameworks`` makes that environment once, from the package index.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zeus_bso.cli.local_server import started_server
from zeus_bso.cli.server_reader import ServerReader
from zeus_bso.protocol.words import EnergySource

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "monitors"
ENVIRONMENT = ROOT / ".venv-monitors"
PACKAGES = ["zeus>=0.15", "codecarbon>=3.2", "pydantic>=2.9,<3", "urllib3>=2.2,<3", "platformdirs>=4.2"]
MAY_INSTALL = Path(sys.prefix).name == ".venv-frameworks" or bool(os.environ.get("ZEUS_BSO_TEST_FRAMEWORKS"))


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the ``zeus`` and ``codecarbon`` packages."""
    interpreter, complete = ENVIRONMENT / "bin" / "python", ENVIRONMENT / ".complete"
    if complete.exists():
        return interpreter
    if not MAY_INSTALL:
        pytest.skip("needs the zeus and codecarbon packages in .venv-monitors: `make test-frameworks` makes it")
    print(f"\nMaking {ENVIRONMENT} with {', '.join(PACKAGES)}; this happens once.", file=sys.__stderr__, flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True, timeout=120)
    pip = [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*pip, *PACKAGES], check=True, timeout=900)
    complete.touch()
    return interpreter


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a server process on an empty SQLite file."""
    with started_server(tmp_path) as url:
        yield url


def train(python: Path, script: str, server_url: str) -> str:
    """Run a training script; give what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ZEUS_BSO_", "CUDA_"))}
    environment |= {"PYTHONPATH": str(ROOT / "src"), "ZEUS_BSO_SERVER_URL": server_url}
    done = subprocess.run(
        [str(python), str(SCRIPTS / script)], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def only_trial(server_url: str, job_id: str) -> Any:
    (trial,) = ServerReader(server_url).trials(job_id)
    return trial


def test_a_zeus_monitor_reports_exactly_what_its_gpus_count(python: Path, server_url: str) -> None:
    train(python, "zeus_gpus.py", server_url)

    trial, job = only_trial(server_url, "zeus"), ServerReader(server_url).job("zeus")
    assert (trial.energy, trial.energy_source, trial.current_epoch) == (360.0, EnergySource.COUNTER, 3)
    assert (job.spec.max_power, job.number_of_gpus, job.gpu_model) == (600.0, 2, "Testium 100")


def test_a_zeus_monitor_without_gpus_reports_packages_and_memory(python: Path, server_url: str) -> None:
    train(python, "zeus_cpu.py", server_url)

    trial, job = only_trial(server_url, "zeus"), ServerReader(server_url).job("zeus")
    assert trial.energy == pytest.approx(96.0)
    assert (trial.energy_source, job.number_of_gpus) == (EnergySource.RAPL, 0)


def test_a_codecarbon_tracker_reports_the_joules_of_its_tasks(python: Path, server_url: str) -> None:
    tasks = json.loads(train(python, "codecarbon_tracker.py", server_url).splitlines()[-1])

    trial = only_trial(server_url, "carbon")
    assert len(tasks) == 3
    assert trial.energy == pytest.approx(3.6e6 * sum(task["kwh"] for task in tasks))
    assert trial.time == pytest.approx(sum(task["seconds"] for task in tasks))
    assert trial.energy > 0
    assert trial.energy_source is EnergySource.ESTIMATE
