"""A run that is interrupted goes on with its trial: real processes, real signals, a real server."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.away import Outage
from tests.support.forked import run_python
from tests.support.jobs import Json

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

Make = Callable[[str], Outage]

SCRIPT = """
import json, os, signal, sys, time
from pathlib import Path
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

url, run_id, dies_at, ends_by, first_window = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
checkpoint = Path("checkpoint.json")
state = json.loads(checkpoint.read_text()) if checkpoint.exists() else None
# Each window is another one, so that sums tell which windows they are made of.
bso = BatchSizeOptimizer(
    ReplayMonitor([(2.0 ** k, 3.0 * 2.0 ** k) for k in range(first_window, 30)]),
    url,
    JobSpec(
        job_id=sys.argv[6],
        job_id_prefix="x",
        batch_sizes=[32, 64],
        default_batch_size=64,
        target_metric=0.9,
        eta_knob=1.0,
    ),
    run_id=run_id or None,
    resume=state["bso"] if state else None,
    heartbeat_s=0.1,
)
size = bso.get_batch_size()
epoch = state["epoch"] if bso.resumed else 0
print(bso.trial_number, size, epoch, bso.resumed, flush=True)
bso.on_train_begin()
while not bso.training_finished:
    epoch += 1
    bso.on_evaluate(0.95 if epoch == 6 else 0.1)
    if epoch == 3:
        checkpoint.write_text(json.dumps({"epoch": epoch, "bso": bso.state_dict()}))
    if epoch == dies_at:
        os.kill(os.getpid(), getattr(signal, ends_by))
        time.sleep(30)
"""


def launch(
    folder: Path, server: Outage, *, run_id: str, dies_at: int = 0, ends_by: str = "", first_window: int = 0
) -> str:
    """Launch the script in a folder; returns what it was given: trial, batch size, first epoch, whether it resumed."""
    arguments = [server.url, run_id, str(dies_at), ends_by, str(first_window), server.job_id]
    done = run_python("-c", SCRIPT, *arguments, folder=folder)
    assert done.returncode == (-getattr(signal, ends_by) if ends_by else 0), done.stderr
    return done.stdout.strip()


def one_size(server: Outage) -> JobSpec:
    return JobSpec(job_id=server.job_id, job_id_prefix="x", batch_sizes=[64], default_batch_size=64, target_metric=0.9)


def used(trial: Json) -> dict[str, float]:
    return {name: trial[name] for name in ("time", "energy", "wasted_time", "wasted_energy", "current_epoch")}


def sums(*windows: int) -> float:
    return float(sum(2**k for k in windows))


def fall_silent() -> None:
    """Let the time pass after which a process that beat every 0.1 s counts as gone."""
    time.sleep(0.4)


@pytest.mark.parametrize("ends_by", ["SIGKILL", "SIGTERM"])
class TestInterrupted:
    def test_with_a_checkpoint_it_goes_on_from_there_and_only_what_is_beyond_is_wasted(
        self, outages: Make, tmp_path: Path, ends_by: str
    ) -> None:
        with outages("503") as server:
            assert launch(tmp_path, server, run_id="night-1", dies_at=5, ends_by=ends_by) == "1 64 0 False"
            [trial] = server.trials()
            expected = ("Dispatched", None) if ends_by == "SIGKILL" else ("Failed", "preempted")
            assert (trial["status"], trial["reason"]) == expected
            fall_silent()
            assert launch(tmp_path, server, run_id="night-1", first_window=10) == "1 64 3 True"
            [trial] = server.trials()
        assert (trial["status"], trial["outcome"]) == ("Succeeded", "converged")
        survived, wasted = sums(0, 1, 2, 10, 11, 12), sums(3, 4)
        assert used(trial) == {
            "time": survived,
            "energy": 3 * survived,
            "wasted_time": wasted,
            "wasted_energy": 3 * wasted,
            "current_epoch": 6,
        }

    def test_without_a_checkpoint_it_begins_at_zero_and_all_before_is_wasted(
        self, outages: Make, tmp_path: Path, ends_by: str
    ) -> None:
        with outages("503") as server:
            launch(tmp_path, server, run_id="night-1", dies_at=2, ends_by=ends_by)
            fall_silent()
            assert launch(tmp_path, server, run_id="night-1", first_window=10) == "1 64 0 False"
            [trial] = server.trials()
        assert (trial["time"], trial["wasted_time"]) == (sums(*range(10, 16)), sums(0, 1))


class TestState:
    def test_without_a_run_id_the_state_knows_the_run(self, outages: Make, tmp_path: Path) -> None:
        with outages("503") as server:
            launch(tmp_path, server, run_id="", dies_at=5, ends_by="SIGTERM")
            assert launch(tmp_path, server, run_id="", first_window=10) == "1 64 3 True"
            [trial] = server.trials()
        assert (trial["outcome"], trial["wasted_time"]) == ("converged", sums(3, 4))

    def test_the_state_of_a_trial_that_converged_since_is_ignored_and_a_new_one_begins(
        self, outages: Make, tmp_path: Path
    ) -> None:
        with outages("503") as server:
            launch(tmp_path, server, run_id="")
            assert launch(tmp_path, server, run_id="") == "2 32 0 False"
            assert [trial["outcome"] for trial in server.trials()] == ["converged", "converged"]

    def test_what_a_dead_process_of_the_run_has_left_is_told_before_it_goes_on(
        self, outages: Make, spool_dir: Path
    ) -> None:
        with outages("503") as server:
            job = one_size(server)
            away = f"""
import sys
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor
bso = BatchSizeOptimizer(ReplayMonitor([(1.0, 1.0)] * 9), sys.argv[1], JobSpec(**{job.model_dump()!r}), run_id="night")
bso.get_batch_size(); bso.on_train_begin(); bso.on_evaluate(0.1)
print("begun", flush=True); sys.stdin.readline()
bso.on_evaluate(0.95)
import os; os._exit(0)
"""
            process = subprocess.Popen(
                [sys.executable, "-c", away, server.url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            server.begin()
            process.communicate("\n", timeout=240)
            server.end()
            again = BatchSizeOptimizer(ReplayMonitor([]), server.url, job, run_id="night")
            again.get_batch_size()
            assert again.training_finished
            [trial] = server.trials()
        assert (trial["outcome"], trial["energy"]) == ("converged", 2.0)
        assert not list(spool_dir.glob("*.json"))


def test_the_checkpoint_goes_with_the_ask_and_counts_from_there(outages: Make) -> None:
    with outages("503") as server:
        job = one_size(server)
        first = BatchSizeOptimizer(ReplayMonitor([(1.0, 5.0)] * 9), server.url, job, run_id="night")
        first.get_batch_size()
        first.on_train_begin()
        first.on_evaluate(0.1)
        state = first.state_dict()
        first.on_evaluate(0.1)
        first.cancel()
        second = BatchSizeOptimizer(ReplayMonitor([(2.0, 7.0)] * 9), server.url, job, run_id="night", resume=state)
        second.get_batch_size()
        [trial] = server.trials()
        assert (second.resumed, trial["energy"], trial["wasted_energy"]) == (True, 5.0, 5.0)
        second.on_train_begin()
        second.on_evaluate(0.95)
        [trial] = server.trials()
    assert (trial["time"], trial["energy"], trial["current_epoch"]) == (3.0, 12.0, 2)
