"""The wheel alone is a whole client."""

from __future__ import annotations

import json
import venv
import zipfile
from pathlib import Path

import pytest
from tests.release.conftest import REPOSITORY, pip, run
from tests.support.jobs import spec
from tests.support.process import ServerProcess
from tests.support.requests import request

from zeus_bso.cli.server_reader import ServerReader

SCRIPT = """\
import sys
import time

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec

bso = BatchSizeOptimizer(
    monitor=EnergyMonitor(),
    server_url=sys.argv[1],
    job=JobSpec(job_id_prefix="bare", default_batch_size=32, batch_sizes=[16, 32], target_metric=0.9, max_epochs=5),
)
print(bso.get_batch_size())
bso.on_train_begin()
while not bso.training_finished:
    until = time.process_time() + 0.01
    while time.process_time() < until:
        pass
    bso.on_evaluate(0.95)
"""


@pytest.fixture(scope="module")
def bare_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and what it requires, nothing else."""
    environment = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(environment)
    python = environment / "bin" / "python"
    pip("install", "--quiet", "--no-compile", wheel, cwd=environment, python=python)
    return python


def test_the_bare_wheel_runs_a_training_against_a_server(bare_python: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)

    with ServerProcess(tmp_path / "jobs.db") as server:
        done = run(bare_python, "-W", "error", script, server.url, cwd=tmp_path)
        api = ServerReader(server.url)
        [job] = api.jobs()
        [trial] = api.trials(job.job_id)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["32"]
    assert trial.outcome is not None
    assert trial.outcome.value == "converged"


def test_the_bare_wheel_brings_no_server_along(bare_python: Path, tmp_path: Path) -> None:
    installed = pip("list", cwd=tmp_path, python=bare_python).lower()

    assert "zeus-bso" in installed
    for name in ("sqlalchemy", "fastapi", "numpy", "uvicorn"):
        assert name not in installed


def test_a_command_that_needs_an_extra_names_it(bare_python: Path, tmp_path: Path) -> None:
    done = run(bare_python.with_name("zeus-bso"), "serve", cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert 'pip install "zeus-bso[server]"' in done.stderr


def test_a_machine_without_a_server_needs_one_small_extra_to_list_jobs(bare_python: Path, tmp_path: Path) -> None:
    command = bare_python.with_name("zeus-bso")
    with ServerProcess(tmp_path / "jobs.db") as server:
        assert request("POST", f"{server.url}/jobs", json=spec()).status == 201
        bare = run(command, "jobs", "list", "--server-url", server.url, cwd=tmp_path)
        as_json = run(command, "jobs", "list", "--json", "--server-url", server.url, cwd=tmp_path)

    assert 'pip install "zeus-bso[cli]"' in bare.stderr
    assert [job["job_id"] for job in json.loads(as_json.stdout)] == [spec()["job_id"]]


def test_the_wheel_carries_the_demo_script_and_the_type_marker(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        script = archive.read("zeus_bso/examples/digits/train.py")

    assert script == (REPOSITORY / "examples" / "digits" / "train.py").read_bytes()
    assert "zeus_bso/py.typed" in names
    assert any(name.startswith("zeus_bso/server/database/migrations/versions/v0") for name in names)
