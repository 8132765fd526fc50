"""``zeus-bso run``: launches a real script over an embedded server, and again while its runs are of no use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

TRAIN = """
import sys
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

job = JobSpec(
    job_id_prefix="run", batch_sizes=[8, 16, 32], default_batch_size=32, target_metric=0.9, max_epochs=2
)
with BatchSizeOptimizer(ReplayMonitor([(1.0, 1.0)] * 9), "sqlite:///run.db", job, {options}) as bso:
    size = bso.get_batch_size()
    print(size, flush=True)
    bso.on_train_begin()
    for epoch in range(2):
        {epoch}
        bso.on_evaluate({metric})
        if bso.training_finished:
            break
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zeus_bso", "run", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def script(folder: Path, *, metric: str = "0.1", epoch: str = "pass", options: str = "") -> list[str]:
    """The command that launches a training script."""
    (folder / "train.py").write_text(textwrap.dedent(TRAIN).format(metric=metric, epoch=epoch, options=options))
    return ["--", sys.executable, "train.py"]


def test_a_size_that_fails_to_converge_is_followed_by_another(tmp_path: Path) -> None:
    done = run(tmp_path, *script(tmp_path, metric="0.95 if size == 8 else 0.1"))
    assert done.returncode == 0
    assert (done.stdout.split()[0], done.stdout.split()[-1]) == ("32", "8")
    assert "batch size 32 failed to converge (target-missed); launching it again (1 of 3)" in done.stderr


def test_it_is_launched_again_so_often_and_no_more(tmp_path: Path) -> None:
    done = run(tmp_path, "--relaunch", "1", *script(tmp_path))
    assert len(done.stdout.split()) == 2
    assert done.returncode == 1
    assert done.stderr.count("launching it again") == 1


def test_running_out_of_memory_is_followed_by_a_smaller_size(tmp_path: Path) -> None:
    oom = "if size > 8: raise MemoryError"
    done = run(tmp_path, *script(tmp_path, metric="0.95", epoch=oom))
    assert done.stdout.split() == ["32", "16", "8"]
    assert done.returncode == 0
    assert "batch size 32 ran out of memory" in done.stderr


def test_a_script_that_stops_without_an_error_is_launched_again_too(tmp_path: Path) -> None:
    done = run(tmp_path, "--relaunch", "2", *script(tmp_path, options="on_fail='stop'"))
    assert (len(done.stdout.split()), done.returncode) == (3, 0)


@pytest.mark.parametrize(("epoch", "code"), [("raise ValueError('bad data')", 1), ("sys.exit(7)", 7)])
def test_an_error_in_the_script_is_not_tried_again(tmp_path: Path, epoch: str, code: int) -> None:
    done = run(tmp_path, *script(tmp_path, epoch=epoch))
    assert (done.stdout.split(), done.returncode) == (["32"], code)


def test_a_run_that_converges_is_the_last(tmp_path: Path) -> None:
    done = run(tmp_path, *script(tmp_path, metric="0.95"))
    assert (done.stdout.split(), done.returncode) == (["32"], 0)


def test_another_program_is_run_once_and_its_exit_code_is_ours(tmp_path: Path) -> None:
    assert run(tmp_path, "--", "sh", "-c", "exit 5").returncode == 5
    assert run(tmp_path, "sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "zeus-bso run -- python train.py"),
        (["--relaunch", "-1", "true"], 2, "0 or more"),
        (["--", "no-such-command-here"], 127, "no-such-command-here"),
        (["--", "/"], 126, "/"),
    ],
)
def test_what_cannot_be_run_is_said(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_signal_reaches_the_script_and_ends_the_relaunching(tmp_path: Path) -> None:
    waiting = script(tmp_path, epoch="import time; print('begun', flush=True); time.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-m", "zeus_bso", "run", *waiting], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["32\n", "begun\n"]
    began = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert time.monotonic() - began < 30
    process.stdout.close()
