"""A process that tests fork is, from its first line to its end, as one that an interpreter of its own runs."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.support import leftovers
from tests.support.forked import PythonProcess, run_python, shell_variables, start_python
from tests.support.signals import WAIT_FOR_A_SIGNAL

SEEN = """
import atexit, os, signal, sys, threading
atexit.register(print, "left by the interpreter")
print(sys.argv, sys.path, sys.flags, __name__, sys.modules["__main__"].__dict__ is globals())
print(os.getcwd(), {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"})
print([(number, signal.getsignal(number)) for number in sorted(signal.valid_signals())])
print(threading.active_count(), threading.current_thread() is threading.main_thread(), os.getsid(0), os.getpgid(0))
print(sys.stdin.read(), [(each.encoding, each.errors, each.line_buffering, each.write_through, each.fileno())
      for each in (sys.stdin, sys.stdout, sys.stderr)], sorted(os.listdir("/proc/self/fd"))[:3], os.umask(0o22))
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('no data')", 1),
        ("raise ValueError('bad data')", 1),
        ("sys.stdout.flush(); os._exit(4)", 4),
        ("sys.stdout.flush(); os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("sys.stdout.flush(); os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
        ("threading.Thread(target=print, args=('waited for',)).start()", 0),
    ],
)
def test_it_sees_and_ends_as_one_that_is_started(tmp_path: Path, end: str, code: int) -> None:
    forked, fresh = (
        run_python("-c", SEEN + end, "one", folder=tmp_path, environment={"ZEUS_BSO_X": "y"}, given="read", fresh=fresh)
        for fresh in (False, True)
    )

    assert (forked.returncode, fresh.returncode) == (code, code), forked.stderr
    assert forked.stdout == fresh.stdout
    assert forked.stderr.splitlines()[-1:] == fresh.stderr.splitlines()[-1:]


def start(program: str, folder: Path, variables: dict[str, str]) -> PythonProcess:
    with (folder / "said").open("w+") as said:
        return start_python(["-c", program], folder, variables, said.fileno(), said.fileno(), said.fileno())


def test_what_a_variable_may_change_while_it_is_imported_is_not_forked(tmp_path: Path) -> None:
    process = start("pass", tmp_path, {"PYTHONUNBUFFERED": "1"})

    assert isinstance(process, subprocess.Popen)
    assert process.wait(240) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_script_of_a_shell_gets_its_signals(tmp_path: Path, number: signal.Signals) -> None:
    waiting = f"import signal, time; print(flush=True); {WAIT_FOR_A_SIGNAL}"
    caught = f"import signal, sys; signal.signal({number}, lambda *_: sys.exit(7)); {waiting}"
    for program, code in ((waiting, -number), (caught, 7)):
        command = ["python", "-c", program]
        environment = os.environ | shell_variables()
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            process.send_signal(number)
            assert process.wait(240) == code


def test_what_a_command_of_a_shell_starts_is_forked_too(tmp_path: Path) -> None:
    inner = "import sys; print('zeus_bso.server.app' in sys.modules)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    environment = os.environ | shell_variables()

    assert subprocess.check_output(["python", "-c", outer], cwd=tmp_path, env=environment) == b"True\n"


def test_one_that_a_test_leaves_is_found(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    process = start("import time; time.sleep(600)", tmp_path, dict(os.environ))
    assert not isinstance(process, subprocess.Popen)
    assert process.pid in leftovers.started_by(request.node.nodeid)
    assert process.poll() is None
    process.kill()

    assert process.wait(240) == -signal.SIGKILL
    assert process.pid not in leftovers.started_by(request.node.nodeid)
