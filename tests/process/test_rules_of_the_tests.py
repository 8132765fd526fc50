"""What the tests promise of themselves: their lanes, their signals, and that nothing is left of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support import leftovers
from tests.support.in_process import StartedProcessError, in_one_process
from tests.support.run_folder import VARIABLE
from tests.unit.client.tiny_server import ScriptedTransport

from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

ROOT = Path(__file__).resolve().parents[2]

LEAVES_A_PROCESS = """
import subprocess
from tests.support import leftovers

leftovers.GRACE_S = 0.5
kept = []

def test_it():
    kept.append(subprocess.Popen(["sleep", "600"]))
    print("pid", kept[0].pid)
    assert False, "so that it is told what was printed"
"""

LEAVES_A_FILE = """
import tempfile

def test_it():
    tempfile.mkstemp(prefix="forgotten")
"""

SIGNALS = "import signal; print([signal.getsignal(number) is signal.SIG_IGN for number in (1, 2, 15)])"


def run_of(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A run of the test in a program, under the rules of all tests."""
    (folder / "test_it.py").write_text(program)
    environment = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "TMPDIR")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", f"--rootdir={folder}", str(folder)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)


def start_by_fork() -> None:
    os._exit(0) if (child := os.fork()) == 0 else os.waitpid(child, 0)


def start_by_multiprocessing() -> None:
    multiprocessing.get_context("spawn").Process(target=print).start()


def start_by_subprocess() -> None:
    subprocess.run(["true"], check=True)


def swallow(start: Callable[[], None]) -> None:
    with suppress(StartedProcessError):
        start()


@pytest.mark.parametrize("start", [start_by_fork, start_by_multiprocessing, start_by_subprocess])
def test_in_one_process_none_can_be_started(start: Callable[[], None]) -> None:
    with pytest.raises(StartedProcessError), in_one_process():
        start()
    start_by_subprocess()


def test_who_swallows_the_refusal_fails_all_the_same() -> None:
    with pytest.raises(pytest.fail.Exception, match="must run in one process"), in_one_process():
        swallow(start_by_subprocess)


def test_a_test_that_leaves_a_process_fails_and_the_process_ends(tmp_path: Path) -> None:
    done = run_of(LEAVES_A_PROCESS, tmp_path)

    pid = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("pid "))
    assert done.returncode == 1
    assert f"process {pid}: sleep 600" in done.stdout
    assert not Path(f"/proc/{pid}").exists()


def test_a_run_that_leaves_a_file_fails(tmp_path: Path) -> None:
    done = run_of(LEAVES_A_FILE, tmp_path)

    assert done.returncode == 1
    assert "1 passed" in done.stdout
    assert "/forgotten" in done.stdout


def test_a_socket_that_is_left_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "ENDING_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        leftovers.remember_sockets("this one")
        assert f"socket of {listener.getsockname()}, open since this one" in leftovers.in_this_process()


def test_signals_that_a_shell_ignores_end_the_processes_of_tests() -> None:
    """As in ``nohup make test &``."""
    reset = "from tests.support.signals import reset_signals; reset_signals();"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SIGNALS!r}], check=True)"
    command = ["sh", "-c", 'trap "" INT HUP TERM; exec "$@"', "sh", sys.executable, "-c"]

    def said(program: str) -> str:
        return subprocess.run([*command, program], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert said(start) == "[True, True, True]\n", "this is what a shell does"
    assert said(reset + start) == "[False, False, False]\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_run_of_the_client_that_is_left_is_ended_and_says_no_more() -> None:
    server = ScriptedTransport()
    job = JobSpec(job_id_prefix="left", batch_sizes=[64], default_batch_size=64)
    bso = BatchSizeOptimizer(ReplayMonitor([(1.0, 1.0)] * 2), job=job, heartbeat_s=600.0, transport=server)
    bso.get_batch_size()
    bso.on_train_begin()
    server.away = True
    bso.on_evaluate(0.1)
    assert {"zeus-bso-sender", "zeus-bso-heartbeat"} <= {thread.name for thread in threading.enumerate()}

    assert leftovers.end_runs() == []

    assert not {"zeus-bso-sender", "zeus-bso-heartbeat"} & {thread.name for thread in threading.enumerate()}
