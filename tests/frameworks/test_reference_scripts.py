"""Scripts of the zeus package's users, as they are and with the one import line changed; only GPUs are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.frameworks.launches import CLIENTS, REFERENCE, Launch
from tests.support.process import ServerProcess
from zeus_bso.cli.server_reader import ServerReader
from zeus_bso.protocol.words import Outcome

pytestmark = pytest.mark.usefixtures("no_settings_of_zeus")
THEIRS = "from zeus.optimizer.batch_size import BatchSizeOptimizer, JobSpec\n"
OURS = "from zeus_bso import BatchSizeOptimizer, JobSpec\n"
GPU_W = 200.0
GPUS = [{"uuid": f"GPU-{number}", "model": "Testium 100", "power_w": GPU_W, "limit_w": 300} for number in range(2)]


@pytest.fixture(params=["theirs", "ours"])
def client(request: pytest.FixtureRequest) -> str:
    """Whose client the script imports."""
    return str(request.param)


def train(python: str, script: str, client: str, server: ServerProcess, folder: Path, *, ranks: int = 1) -> list[str]:
    """Run a script once; give what each rank printed."""
    text = (CLIENTS / script).read_text()
    assert text.count(THEIRS) == 1
    launched = folder / script
    launched.write_text(text if client == "theirs" else text.replace(THEIRS, OURS))
    variables = REFERENCE | {
        "TEST_GPUS": json.dumps(GPUS),
        "SERVER_URL": server.url,
        "ZEUS_JOB_ID": script.removesuffix(".py"),
    }
    with Launch([launched], folder, ranks=ranks, python=python, variables=variables) as launch:
        return launch.finish()


def test_a_script_for_one_gpu_trains_and_its_job_goes_on(
    reference: str, client: str, server: ServerProcess, tmp_path: Path
) -> None:
    launches = [train(reference, "one_gpu.py", client, server, tmp_path) for _ in range(2)]
    trials = ServerReader(server.url).trials("one_gpu")
    assert [trial.outcome for trial in trials] == [Outcome.CONVERGED] * 2
    assert [f"trained with {trial.batch_size}\n" for trial in trials] == [said for [said] in launches]
    assert all(trial.energy == pytest.approx(GPU_W * trial.time, rel=0.1) for trial in trials)
    assert ServerReader(server.url).job("one_gpu").spec.max_power == 300.0


def test_a_script_for_several_gpus_with_a_set_of_callbacks_trains(
    reference: str, client: str, server: ServerProcess, tmp_path: Path
) -> None:
    first, second = train(reference, "data_parallel.py", client, server, tmp_path, ranks=2)
    assert first == second
    [trial] = ServerReader(server.url).trials("data_parallel")
    assert (trial.outcome, first.split()[2]) == (Outcome.CONVERGED, str(trial.batch_size))


def test_a_script_whose_data_drift_trains_one_job_again_and_again(
    reference: str, client: str, server: ServerProcess, tmp_path: Path
) -> None:
    [said] = train(reference, "drift.py", client, server, tmp_path)
    trials = ServerReader(server.url).trials("drift")
    assert [trial.outcome for trial in trials] == [Outcome.CONVERGED] * 6
    assert [line.split()[-1] for line in said.splitlines()] == [str(trial.batch_size) for trial in trials]
    assert len({trial.batch_size for trial in trials}) > 1
