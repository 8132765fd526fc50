"""Scripts of the zeus package's users, as they are and with the one import line changed; only GPUs are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frameworks.launches import free_port
from tests.frameworks.test_foreign_monitors import python  # noqa: F401 - a fixture
from zeus_bso.cli.local_server import started_server
from zeus_bso.cli.server_reader import ServerReader
from zeus_bso.protocol.words import Outcome

ROOT = Path(__file__).parents[2]
CLIENTS = Path(__file__).parent / "clients"
THEIRS = "from zeus.optimizer.batch_size import BatchSizeOptimizer, JobSpec\n"
OURS = "from zeus_bso import BatchSizeOptimizer, JobSpec\n"
GPU_W = 200.0
GPUS = [{"uuid": f"GPU-{number}", "model": "Testium 100", "power_w": GPU_W, "limit_w": 300} for number in range(2)]


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    with started_server(tmp_path) as url:
        yield url


@pytest.fixture(params=["theirs", "ours"])
def client(request: pytest.FixtureRequest) -> str:
    """Whose client the script imports."""
    return str(request.param)


def train(python: Path, script: str, client: str, server_url: str, folder: Path, *, ranks: int = 1) -> list[str]:  # noqa: F811
    """Run a script once; give what each rank printed."""
    text = (CLIENTS / script).read_text()
    assert text.count(THEIRS) == 1
    launched = folder / script
    launched.write_text(text if client == "theirs" else text.replace(THEIRS, OURS))
    paths = [ROOT / "tests/support/gpu_libraries", CLIENTS, *([ROOT / "src"] if client == "ours" else [])]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ZEUS_", "CUDA_"))}
    environment |= {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "TEST_TORCH_SITE": sysconfig.get_path("purelib"),
        "TEST_GPUS": json.dumps(GPUS),
        "SERVER_URL": server_url,
        "ZEUS_JOB_ID": script.removesuffix(".py"),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": str(ranks),
    }
    if ranks == 1:
        del environment["WORLD_SIZE"]
    processes = [
        subprocess.Popen(
            [str(python), str(launched)],
            env=environment | ({} if ranks == 1 else {"RANK": str(rank), "LOCAL_RANK": str(rank)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    try:
        said = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * ranks, said
    return [out for out, _ in said]


def test_a_script_for_one_gpu_trains_and_its_job_goes_on(
    python: Path,  # noqa: F811
    client: str,
    server_url: str,
    tmp_path: Path,
) -> None:
    launches = [train(python, "one_gpu.py", client, server_url, tmp_path) for _ in range(2)]
    trials = ServerReader(server_url).trials("one_gpu")
    assert [trial.outcome for trial in trials] == [Outcome.CONVERGED] * 2
    assert [f"trained with {trial.batch_size}\n" for trial in trials] == [said for [said] in launches]
    assert all(trial.energy == pytest.approx(GPU_W * trial.time, rel=0.1) for trial in trials)
    assert ServerReader(server_url).job("one_gpu").spec.max_power == 300.0


def test_a_script_for_several_gpus_with_a_set_of_callbacks_trains(
    python: Path,  # noqa: F811
    client: str,
    server_url: str,
    tmp_path: Path,
) -> None:
    first, second = train(python, "data_parallel.py", client, server_url, tmp_path, ranks=2)
    assert first == second
    [trial] = ServerReader(server_url).trials("data_parallel")
    assert (trial.outcome, first.split()[2]) == (Outcome.CONVERGED, str(trial.batch_size))


def test_a_script_whose_data_drift_trains_one_job_again_and_again(
    python: Path,  # noqa: F811
    client: str,
    server_url: str,
    tmp_path: Path,
) -> None:
    [said] = train(python, "drift.py", client, server_url, tmp_path)
    trials = ServerReader(server_url).trials("drift")
    assert [trial.outcome for trial in trials] == [Outcome.CONVERGED] * 6
    assert [line.split()[-1] for line in said.splitlines()] == [str(trial.batch_size) for trial in trials]
    assert len({trial.batch_size for trial in trials}) > 1
