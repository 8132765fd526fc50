"""``zeus-bso run``: launches a real script, and again while its runs are of no use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import uuid
from pathlib import Path

import pytest
from tests.support.forked import run_python, shell_variables
from tests.support.signals import WAIT_FOR_A_SIGNAL

from zeus_bso.cli.run import _Launcher

TRAIN = """
import sys
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

job = JobSpec(
    job_id_prefix={prefix!r}, batch_sizes=[8, 16, 32], default_batch_size=32, target_metric=0.9, max_epochs=2
)
with BatchSizeOptimizer(ReplayMonitor([(1.0, 1.0)] * 9), job=job, {options}) as bso:
    size = bso.get_batch_size()
    print(size, flush=True)
    bso.on_train_begin()
    for epoch in range(2):
        {epoch}
        bso.on_evaluate({metric})
        if bso.training_finished:
            break
"""


@pytest.fixture(autouse=True)
def _server(shared_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts share a server, and are forked."""
    for name, value in shell_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ZEUS_BSO_SERVER_URL", shared_url)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python("-m", "zeus_bso", "run", *arguments, folder=folder)


def launch(folder: Path, arguments: list[str], *before: str) -> subprocess.Popen[str]:
    """The launcher, with no terminal that would send signals to the script by itself."""
    command = [*before, sys.executable, "-m", "zeus_bso", "run", *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def script(folder: Path, *, metric: str = "0.1", epoch: str = "pass", options: str = "") -> list[str]:
    """The command that launches a training script."""
    fields = {"metric": metric, "epoch": epoch, "options": options, "prefix": f"run-{uuid.uuid4().hex}"}
    (folder / "train.py").write_text(textwrap.dedent(TRAIN).format(**fields))
    return ["--", "python", "train.py"]


def test_a_size_that_fails_to_converge_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_SERVER_URL", "sqlite:///run.db")
    done = run(tmp_path, *script(tmp_path, metric="0.95 if size == 8 else 0.1"))
    assert done.returncode == 0
    assert (done.stdout.split()[0], done.stdout.split()[-1]) == ("32", "8")
    assert "batch size 32 missed the target; launching it again (1 of 3)" in done.stderr
    assert "Traceback" not in done.stderr
    assert "zeus-bso: Stopped: the target was not reached" in done.stderr


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


def test_a_command_that_ends_well_without_an_outcome_is_told_where_to_start_it(tmp_path: Path) -> None:
    done = run(tmp_path, "--", sys.executable, "-c", "print('trained elsewhere')")
    assert (done.stdout, done.returncode) == ("trained elsewhere\n", 0)
    assert "the outcome of the run is not known" in done.stderr
    assert "start zeus-bso run itself there" in done.stderr


def test_an_outcome_that_cannot_be_known_is_said(tmp_path: Path) -> None:
    elsewhere = ["--", "env", "-u", "ZEUS_BSO_OUTCOME_FILE", *script(tmp_path)[1:]]
    done = run(tmp_path, "--relaunch", "2", *elsewhere)
    assert done.stdout.split() == ["32"]
    assert "the script failed (status 1), and the outcome of its training is not known" in done.stderr
    assert "ssh" not in done.stderr
    assert "not known" not in run(tmp_path, *script(tmp_path, metric="0.95")).stderr


def test_another_program_is_run_once_and_its_exit_code_is_ours(tmp_path: Path) -> None:
    assert run(tmp_path, "--", "sh", "-c", "exit 5").returncode == 5
    assert run(tmp_path, "sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "zeus-bso run -- python train.py"),
        (["--relaunch", "-1", "true"], 2, "at least 0"),
        (["--", "no-such-command-here"], 127, "no-such-command-here"),
        (["--", "/"], 126, "/"),
    ],
)
def test_what_cannot_be_run_is_said(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_signal_reaches_the_script_and_ends_the_relaunching(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    waiting = script(tmp_path, epoch=f"import time; print('begun', flush=True); {WAIT_FOR_A_SIGNAL}")
    process = launch(tmp_path, waiting)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["32\n", "begun\n"]
    os.kill(process.pid, number)
    assert process.wait(240) == 128 + number
    process.stdout.close()


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    told = "import os, signal; os.kill(os.getppid(), 1); print(signal.getsignal(1) is signal.SIG_IGN)"
    process = launch(tmp_path, ["--", sys.executable, "-c", told], "nohup")
    output, _ = process.communicate(timeout=240)
    assert (output, process.returncode) == ("True\n", 0)


def test_a_signal_that_comes_before_the_script_has_begun_reaches_it(tmp_path: Path) -> None:
    launcher = _Launcher([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "outcome")
    with launcher:
        os.kill(os.getpid(), signal.SIGTERM)
        assert launcher.launch() == 128 + signal.SIGTERM
    assert launcher.told_to_end
