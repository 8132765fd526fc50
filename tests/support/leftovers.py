"""What a test starts ends with it: finds the processes, sockets, threads, runs, databases and files that are left."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.support.databases import SHARED
from tests.support.forked import started_by as forked_by
from tests.support.private_servers import is_alive
from zeus_bso.client.exit_hooks import HOOKS
from zeus_bso.client.live_run import LiveRun

GRACE_S = 60.0
"""A process whose end is under way, as that of a grandchild, may take so long."""

RUN_GRACE_S = 60.0
"""A call of the client that is under way takes 5 s at most; a busy machine takes its time."""

ENDING_S = 10.0
"""A thread that closes its last connection may take so long."""

_OPENED_BY: dict[str, str] = {}

_OF_RUNS = ("zeus-bso-sender", "zeus-bso-heartbeat", "zeus-bso-flush")

_RESOURCE_TRACKER = b"from multiprocessing.resource_tracker import main"
"""Of a process that uses multiprocessing; it ends with it."""

_RUNNERS_OWN = ("lock", "pytest-of-", "servers")
"""Beginnings of the names of what the test runner keeps in the folder of the run."""

_PYTORCHS_OWN = ("torchelastic_", "torchinductor_")
"""Beginnings of the names of logs and caches that PyTorch keeps; they go with the folder of the run."""


_FRAMEWORKS_OWN = "ThreadPoolExecutor-"
"""Beginning of the names of threads that PyTorch keeps in pools until the process ends. Ours have other names."""


def started_by(test: str) -> set[int]:
    """The processes that the body of a test has started, and all that those have started."""
    mark = f"\0PYTEST_CURRENT_TEST={test} (call)\0".encode()
    shared = f"\0{SHARED}=1\0".encode()
    environments = {pid: b"\0" + _read(pid, "environ") for pid in _pids()}
    found = {pid for pid, environment in environments.items() if mark in environment and shared not in environment}
    # The system shows the environment that a process began with; what is forked has got another since.
    return {pid for pid in found if _is_process(pid)} | forked_by(test)


def forked() -> set[int]:
    """The children of this process that have been forked, and still run this very program."""
    own = _read(os.getpid(), "cmdline")
    return {pid for pid in _children() if is_alive(pid) and _read(pid, "cmdline") == own}


def of_run(folder: Path) -> set[int]:
    """The processes of a run, apart from the one that leads it."""
    mark = os.fsencode(folder)
    return {
        pid
        for pid in _pids()
        if pid != os.getpid() and (mark in _read(pid, "environ") or mark in _read(pid, "cmdline")) and _is_process(pid)
    }


def end(pids: set[int]) -> list[str]:
    """Wait a while for the end of processes; kill those that go on, and tell which they were."""
    deadline = time.monotonic() + GRACE_S
    while (left := {pid for pid in pids if is_alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.02)
    told = [f"process {pid}: {_command(pid)}" for pid in sorted(left)]
    kill(left)
    return told


def kill(pids: set[int]) -> None:
    """End processes with SIGKILL."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def end_runs() -> list[str]:
    """End the runs of the client that live in this process; returns the threads of runs that go on all the same.

    They would speak into the log of a later test.
    """
    for run in HOOKS:
        if isinstance(run, LiveRun):
            run.release(at_once=True)
    threads = [thread for thread in threading.enumerate() if thread.name in _OF_RUNS]
    deadline = time.monotonic() + RUN_GRACE_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [f"thread {thread.name}" for thread in threads if thread.is_alive()]


def in_this_process() -> list[str]:
    """The sockets that stay open here once what nobody can reach is gone, and the threads that keep it from ending.

    What is just about to end, such as a thread that closes its last connection, has some seconds for it.
    """
    deadline = time.monotonic() + ENDING_S
    while (left := _open_here()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _open_here() -> list[str]:
    gc.collect()
    threads = [thread.name for thread in threading.enumerate() if not thread.daemon]
    threads.remove(threading.main_thread().name)
    if "torch" in sys.modules:
        threads = [name for name in threads if not name.startswith(_FRAMEWORKS_OWN)]
    return [*sockets(), *(f"thread {name}" for name in threads)]


def in_folder(folder: Path) -> list[str]:
    """The files that tests left outside of their own folders, and the databases that they did not drop."""
    return [str(path) for path in sorted(folder.iterdir()) if not path.name.startswith(_RUNNERS_OWN + _PYTORCHS_OWN)]


def _children() -> Iterator[int]:
    """The children of this process."""
    own = str(os.getpid()).encode()
    for pid in _pids():
        # The name of the command stands in brackets and may hold anything.
        fields = _read(pid, "stat").rpartition(b")")[2].split()
        if fields[1:2] == [own]:
            yield pid


def _pids() -> list[int]:
    # After each test that may start a process: paths as objects would take most of the time.
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def _is_process(pid: int) -> bool:
    return is_alive(pid) and _RESOURCE_TRACKER not in _read(pid, "cmdline")


def _command(pid: int) -> str:
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")[:300]


def _read(pid: int, name: str) -> bytes:
    try:
        file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return b"".join(iter(lambda: os.read(file, 2**16), b""))
    except OSError:
        return b""
    finally:
        os.close(file)


def remember_sockets(test: str) -> None:
    """Note the test after which each open socket was first seen."""
    for name, _ in _socket_files():
        _OPENED_BY.setdefault(name, test)


def sockets() -> Iterator[str]:
    """The sockets of networks that are open in this process, and after which tests they were first seen."""
    for name, number in _socket_files():
        with suppress(OSError), socket.socket(fileno=os.dup(number)) as found:
            if found.family in (socket.AF_INET, socket.AF_INET6):
                yield f"socket of {_ends(found)}, open since {_OPENED_BY.get(name, 'the last test')}"


def _ends(found: socket.socket) -> str:
    try:
        return f"{found.getsockname()} to {found.getpeername()}"
    except OSError:  # it listens
        return f"{found.getsockname()}"


def _socket_files() -> Iterator[tuple[str, int]]:
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - after each test
        with suppress(OSError):
            if (name := os.readlink(f"/proc/self/fd/{number}")).startswith("socket:"):  # noqa: PTH115
                yield name, int(number)
