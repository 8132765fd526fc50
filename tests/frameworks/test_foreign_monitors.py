"""Monitors of other packages in our monitor's place, in an environment of their own.

``make test-frameworks`` makes that environment once, from the package index.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.frameworks.launches import ROOT, Launch
from tests.support.process import ServerProcess
from zeus_bso.cli.server_reader import ServerReader
from zeus_bso.protocol.words import EnergySource

pytestmark = pytest.mark.usefixtures("no_settings_of_zeus")
MONITORS = Path(__file__).parent / "monitors"


def train(python: str, script: str, server: ServerProcess, folder: Path) -> str:
    """Run a training script; give what it printed."""
    variables = {"PYTHONPATH": ROOT / "src", "ZEUS_BSO_SERVER_URL": server.url}
    with Launch([MONITORS / script], folder, python=python, variables=variables) as launch:
        [said] = launch.finish()
    return said


def only_trial(server_url: str, job_id: str) -> Any:
    (trial,) = ServerReader(server_url).trials(job_id)
    return trial


def test_a_zeus_monitor_reports_exactly_what_its_gpus_count(
    monitors: str, server: ServerProcess, tmp_path: Path
) -> None:
    train(monitors, "zeus_gpus.py", server, tmp_path)

    trial, job = only_trial(server.url, "zeus"), ServerReader(server.url).job("zeus")
    assert (trial.energy, trial.energy_source, trial.current_epoch) == (360.0, EnergySource.COUNTER, 3)
    assert (job.spec.max_power, job.number_of_gpus, job.gpu_model) == (600.0, 2, "Testium 100")


def test_a_zeus_monitor_without_gpus_reports_packages_and_memory(
    monitors: str, server: ServerProcess, tmp_path: Path
) -> None:
    train(monitors, "zeus_cpu.py", server, tmp_path)

    trial, job = only_trial(server.url, "zeus"), ServerReader(server.url).job("zeus")
    assert trial.energy == pytest.approx(96.0)
    assert (trial.energy_source, job.number_of_gpus) == (EnergySource.RAPL, 0)


def test_a_codecarbon_tracker_reports_the_joules_of_its_tasks(
    monitors: str, server: ServerProcess, tmp_path: Path
) -> None:
    tasks = json.loads(train(monitors, "codecarbon_tracker.py", server, tmp_path).splitlines()[-1])

    trial = only_trial(server.url, "carbon")
    assert len(tasks) == 3
    assert trial.energy == pytest.approx(3.6e6 * sum(task["kwh"] for task in tasks))
    assert trial.time == pytest.approx(sum(task["seconds"] for task in tasks))
    assert trial.energy > 0
    assert trial.energy_source is EnergySource.ESTIMATE
