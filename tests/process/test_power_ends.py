"""However a run ends, the power limit of its GPU is what it was before: real processes on a stand-in for a GPU.

``ZEUS_BSO_TEST_ENDS`` says how many random ends to try.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import gpu_libraries
from tests.support.forked import PythonProcess, start_python
from tests.support.gate import Gate
from tests.support.process import ServerProcess

ENDS = int(os.environ.get("ZEUS_BSO_TEST_ENDS", "27"))
FOUND_W = 650
"""The limit that an administrator has set."""

TRAIN = """
import sys, time

sys.path.insert(0, sys.argv.pop())
from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec

how, moment, url, job = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
spec = JobSpec(
    job_id=job, job_id_prefix="power", batch_sizes=[32, 64], default_batch_size=32, target_metric=0.9, max_epochs=5000,
    power_limit="optimize",
)
bso = BatchSizeOptimizer(EnergyMonitor([0]), url, spec, on_fail="stop")
bso.get_batch_size()
bso.on_train_begin()
print("training", flush=True)
done = 0
while not bso.training_finished:
    for _ in range(20):
        bso.on_step_begin()
        time.sleep(0.0005)
        bso.on_step_end()
        done += 1
        if done == moment and how == "exception":
            raise ValueError("the data are broken")
        if done == moment and how == "oom":
            raise MemoryError
        if done == moment and how == "exit":
            sys.exit(3)
    bso.on_evaluate(0.95 if how == "converges" and done >= moment else 0.1)
    if done >= moment and how == "leaves":
        break
"""

BY_ITSELF = ("converges", "leaves", "exception", "oom", "exit")
BY_SIGNAL = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT, "SIGHUP": signal.SIGHUP, "SIGKILL": signal.SIGKILL}
KINDS = (*BY_ITSELF, *BY_SIGNAL, "away-leaves", "away-SIGTERM", "two-SIGTERM", "two-SIGKILL")


class Gpu:
    """A GPU whose limit outlives the processes that set it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._file = folder / "GPU-aa.json"
        self._log = folder / "GPU-aa.log"
        gpu = {"uuid": "GPU-aa", "model": "H100", "power_w": 450.0, "limit_w": 700.0}
        self._file.write_text(json.dumps({"limit_mw": 1000 * FOUND_W, "spent_mj": 0.0, "since_s": 0.0}))
        self.variables = {
            "TEST_GPUS": json.dumps([gpu]),
            "TEST_GPU_STATE": str(folder),
            "ZEUS_BSO_POWER_DIR": str(folder / "claims"),
            "ZEUS_BSO_SPOOL_DIR": str(folder / "spool"),
        }

    @property
    def limit_w(self) -> float:
        return float(json.loads(self._file.read_text())["limit_mw"]) / 1000

    @property
    def was_limited(self) -> bool:
        return self._log.exists() and len(set(self._log.read_text().split())) > 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("power-ends") / "zeus-bso.db") as process:
        yield process


def start(gpu: Gpu, folder: Path, how: str, moment: int, url: str, job: str) -> PythonProcess:
    """Start a training, and wait until it trains."""
    environment = {name: value for name, value in os.environ.items() if "VISIBLE_DEVICES" not in name} | gpu.variables
    arguments = [how, str(moment), url, job, str(Path(gpu_libraries.__file__).parent)]
    reads, writes = os.pipe()
    with os.fdopen(reads) as said, Path(os.devnull).open("r+b") as nothing:
        files = (nothing.fileno(), writes, nothing.fileno())
        try:
            training = start_python(["-c", TRAIN, *arguments], folder, environment, *files)
        finally:
            os.close(writes)
        assert said.readline() == "training\n"
    return training


@pytest.mark.parametrize("number", range(ENDS))
def test_a_limit_is_restored(server: ServerProcess, tmp_path: Path, number: int) -> None:
    how = KINDS[number % len(KINDS)]
    rng = random.Random(number)
    gpu, job = Gpu(tmp_path / "gpu"), f"power-{number}"
    moment, pause_s = rng.randint(1, 600), rng.uniform(0.0, 0.6)
    with Gate(server.url) as gate:
        kind = how.removeprefix("away-").removeprefix("two-")
        training = start(gpu, tmp_path, kind, moment, gate.url, job)
        other = start(gpu, tmp_path, "waits", 0, gate.url, job) if how.startswith("two-") else None
        if how.startswith("away-"):
            time.sleep(pause_s / 2)
            gate.refusal = 503
        if kind in BY_SIGNAL:
            time.sleep(pause_s)
            training.send_signal(BY_SIGNAL[kind])
        training.wait(240)
        gate.refusal = None
        if other is not None:
            # The second run on a GPU does not touch its limit.
            assert kind == "SIGKILL" or gpu.limit_w == FOUND_W
            other.send_signal(signal.SIGTERM)
            other.wait(240)
        if kind == "SIGKILL":
            start(gpu, tmp_path, "leaves", 1, gate.url, job).wait(240)
    assert gpu.limit_w == FOUND_W
    assert not list((tmp_path / "gpu" / "claims").glob("*.json"))


def test_the_runs_of_these_tests_limit_their_gpu(server: ServerProcess, tmp_path: Path) -> None:
    gpu = Gpu(tmp_path / "gpu")
    start(gpu, tmp_path, "leaves", 400, server.url, "power-control").wait(240)
    assert gpu.was_limited
