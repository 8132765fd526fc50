"""The client against the real server: in a process of its own over HTTP, and embedded in the script's process."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import textwrap
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from tests.support import leftovers
from tests.support.forked import run_python
from tests.support.process import ServerProcess
from tests.support.server import Server

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor, ZeusBSOSpecConflictError, ZeusBSOTrainFailError
from zeus_bso.client.live_run import LiveRun
from zeus_bso.monitor import DeviceInfo

JOB_ID = "integration"
JOB = JobSpec(
    job_id=JOB_ID,
    job_id_prefix="integration",
    batch_sizes=[32, 64],
    default_batch_size=64,
    target_metric=0.9,
    eta_knob=1.0,
    beta_knob=None,
    max_epochs=20,
)
DEVICES = DeviceInfo(max_power_w=300.0, number_of_gpus=1, gpu_model="A100")

SCRIPT = """
import os, signal, sys, time
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

bso = BatchSizeOptimizer(
    ReplayMonitor([(1.0, 100.0)] * 50),
    sys.argv[1],
    JobSpec(job_id="integration", job_id_prefix="x", batch_sizes=[64], default_batch_size=64, target_metric=0.9),
    on_fail="stop",
)
bso.get_batch_size()
bso.on_train_begin()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "zeus-bso.db"


@pytest.fixture
def process(database: Path) -> Iterator[ServerProcess]:
    with ServerProcess(database) as process:
        yield process


@pytest.fixture(params=["http", "embedded"])
def url(request: pytest.FixtureRequest, database: Path) -> str:
    """Where a script reaches the server, both ways."""
    if request.param == "embedded":
        return f"sqlite:///{database}"
    process: ServerProcess = request.getfixturevalue("process")
    return process.url


def optimizer(url: str, *, run_id: str | None = None, rank: int = 0, epochs: int = 50) -> BatchSizeOptimizer:
    return BatchSizeOptimizer(ReplayMonitor([(2.0, 100.0)] * epochs, DEVICES), url, JOB, rank=rank, run_id=run_id)


def train(url: str, *metrics: float, run_id: str | None = None) -> BatchSizeOptimizer:
    """One recurrence, up to its decision."""
    bso = optimizer(url, run_id=run_id)
    bso.get_batch_size()
    bso.on_train_begin()
    for metric in metrics:
        bso.on_evaluate(metric)
    return bso


def trials(database: Path) -> list[dict[str, Any]]:
    """What the server knows, read through a second server over the same file."""
    server = Server(database)
    server.start()
    try:
        return server.trials(JOB_ID)
    finally:
        server.close()


def script(url: str, rest: str) -> subprocess.CompletedProcess[str]:
    return run_python("-c", SCRIPT + textwrap.dedent(rest), url)


class TestOneRun:
    def test_a_run_that_reaches_its_target_converges_with_exact_totals(self, url: str, database: Path) -> None:
        bso = train(url, 0.1, 0.5, 0.95)
        assert bso.training_finished
        [trial] = trials(database)
        assert (trial["status"], trial["outcome"]) == ("Succeeded", "converged")
        assert (trial["time"], trial["energy"], trial["current_epoch"]) == (6.0, 300.0, 3)
        assert (trial["metric"], trial["energy_source"]) == (0.95, "counter")

    def test_a_run_that_ends_short_of_its_target_has_missed_it(self, url: str, database: Path) -> None:
        bso = train(url, 0.1)
        with pytest.raises(ZeusBSOTrainFailError):
            bso.on_train_end()
        [trial] = trials(database)
        assert (trial["status"], trial["outcome"], trial["current_epoch"]) == ("Succeeded", "target-missed", 1)

    @pytest.mark.parametrize("ends", [True, False])
    def test_no_connection_stays_open_after_it(self, url: str, ends: bool, caplog: pytest.LogCaptureFixture) -> None:
        before = set(leftovers.sockets())
        with caplog.at_level(logging.INFO, "zeus_bso"):
            bso = train(url, 0.1 if ends else 0.95)
            with pytest.raises(ZeusBSOTrainFailError) if ends else nullcontext():
                bso.on_train_end()
        assert set(leftovers.sockets()) <= before, "a socket of a test before may be gone, but none may come"
        assert "So far: Not enough data yet" in caplog.text or not ends, "what the server knows is read before"

    def test_a_run_that_diverges_is_stopped(self, url: str, database: Path) -> None:
        nan = float("nan")
        with pytest.raises(ZeusBSOTrainFailError):
            train(url, nan, nan, nan, nan)
        [trial] = trials(database)
        assert (trial["outcome"], trial["metric"]) == ("diverged", None)

    def test_the_next_launch_is_the_next_trial_of_the_same_job(self, url: str, database: Path) -> None:
        for _ in range(3):
            train(url, 0.95)
        assert [trial["trial_number"] for trial in trials(database)] == [1, 2, 3]

    def test_a_run_that_converged_is_finished_when_it_is_launched_again(self, url: str, database: Path) -> None:
        first = train(url, 0.95, run_id="night-1")
        again = optimizer(url, run_id="night-1")
        assert again.get_batch_size() == first.current_batch_size
        assert again.training_finished
        again.on_train_end()
        assert len(trials(database)) == 1

    def test_a_cancelled_run_gets_its_trial_back(self, url: str, database: Path) -> None:
        train(url, 0.1, run_id="night-1").cancel()
        train(url, 0.95, run_id="night-1")
        [trial] = trials(database)
        assert trial["outcome"] == "converged"

    def test_a_twin_that_still_runs_keeps_its_trial(
        self, url: str, database: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = train(url, 0.1, run_id="night-1")
        # In the same process a new run ends the one before; a twin is a process of its own.
        monkeypatch.setattr(LiveRun, "end_others", lambda run: None)
        twin = train(url, 0.1, run_id="night-1")
        assert twin.trial_number != first.trial_number
        assert "is trained by another process" in caplog.text
        twin.cancel()
        first.on_evaluate(0.95)
        assert first.training_finished

    def test_another_spec_under_the_same_id_is_an_error_that_names_the_field(self, url: str) -> None:
        train(url, 0.95)
        other = JOB.model_copy(update={"target_metric": 0.8})
        with pytest.raises(ZeusBSOSpecConflictError, match="target_metric"):
            BatchSizeOptimizer(ReplayMonitor([], DEVICES), url, other)


class TestEnds:
    @pytest.mark.parametrize(
        ("rest", "outcome", "reason"),
        [
            ("bso.on_evaluate(0.1)", "target-missed", None),
            ("bso.on_evaluate(0.1); sys.exit(0)", "target-missed", None),
            ("bso.on_evaluate(0.1); sys.exit(3)", None, "error"),
            ("pass", None, "cancelled"),
            ("bso.on_evaluate(0.1); raise ValueError('bad data')", None, "error"),
            ("bso.on_evaluate(0.1); raise MemoryError", None, "oom"),
            ("bso.on_evaluate(0.1); os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)", None, "preempted"),
            ("bso.on_evaluate(0.1); os.kill(os.getpid(), signal.SIGINT); time.sleep(30)", None, "cancelled"),
        ],
    )
    def test_the_end_of_the_process_is_the_end_of_the_trial(
        self, url: str, database: Path, rest: str, outcome: str | None, reason: str | None
    ) -> None:
        done = script(url, rest)
        [trial] = trials(database)
        assert (trial["outcome"], trial["reason"]) == (outcome, reason), done.stderr

    def test_a_process_that_is_shot_leaves_its_trial_open(self, url: str, database: Path) -> None:
        script(url, "bso.on_evaluate(0.1); os._exit(1)")
        [trial] = trials(database)
        assert (trial["status"], trial["current_epoch"]) == ("Dispatched", 1)

    def test_a_forked_childs_end_leaves_the_trial_alone(self, url: str, database: Path) -> None:
        fork = """
        if os.fork() == 0:
            bso.on_evaluate(0.1)
            sys.exit(1)
        os.wait()
        bso.on_evaluate(0.95)
        """
        done = script(url, fork)
        [trial] = trials(database)
        assert (trial["outcome"], trial["current_epoch"]) == ("converged", 1), done.stderr
        assert done.returncode == 0


class TestRanks:
    def test_ranks_that_report_the_same_epoch_get_one_answer(self, url: str, database: Path) -> None:
        zero = optimizer(url)
        ranks = [zero, *(optimizer(url, rank=rank) for rank in (1, 2))]
        size = zero.get_batch_size()
        for bso in ranks:
            bso.current_batch_size, bso.trial_number = size, zero.trial_number
            bso.on_train_begin()
        for metrics in ((0.2, 0.1, 0.3), (0.95, 0.1, 0.2)):
            for bso, metric in zip(ranks, metrics, strict=True):
                bso.on_evaluate(metric)
        assert [bso.training_finished for bso in ranks] == [True] * 3
        [trial] = trials(database)
        assert (trial["outcome"], trial["metric"], trial["time"]) == ("converged", 0.95, 4.0)


def test_the_embedded_mode_leaves_no_thread_and_no_open_file_behind(database: Path) -> None:
    train(f"sqlite:///{database}", 0.95)
    gc.collect()  # What other tests have left is not counted.
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(3):
        train(f"sqlite:///{database}", 0.95)
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before  # noqa: PTH208


def test_the_embedded_server_keeps_its_file_when_the_script_changes_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    bso = optimizer("sqlite:///here.db")
    monkeypatch.chdir(tmp_path / "elsewhere")
    bso.get_batch_size()
    bso.cancel()
    assert [trial["reason"] for trial in trials(tmp_path / "here.db")] == ["cancelled"]


def test_the_embedded_server_says_nothing_in_the_log_of_a_quiet_run(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(f"sqlite:///{database}", 0.95)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
