"""The rule of the fast lane: a test that is meant to run in one process starts no other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

import pytest

_EVENTS = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"}

_LISTS_FONTS = "fc-list"


class StartedProcessError(RuntimeError):
    """A test of the fast lane tried to start a process."""


class _Guard:
    def __init__(self) -> None:
        self.armed = False
        self.seen: list[str] = []
        self._hooked = False

    def hook(self) -> None:
        # An audit hook can never be taken away again: one for the whole life of the process.
        if not self._hooked:
            sys.addaudithook(self.judge)
            self._hooked = True

    def judge(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.armed or event not in _EVENTS:
            return
        if event == "subprocess.Popen" and arguments[0] == _LISTS_FONTS:
            raise FileNotFoundError(_LISTS_FONTS)  # who draws a chart for the first time does without it
        self.seen.append(f"{event} {arguments!r}"[:200])
        raise StartedProcessError(
            f"{self.seen[-1]}: tests of processes, and of database servers, have folders of their own."
        )


_GUARD = _Guard()


def _refuse(process: BaseProcess) -> None:
    # No audit event tells of what multiprocessing spawns.
    _GUARD.judge("os.spawn", (process.name,))


@contextmanager
def in_one_process() -> Iterator[None]:
    """Refuse child processes while the body runs, and fail if any was tried, whatever became of the refusal."""
    _GUARD.hook()
    _GUARD.seen.clear()
    _GUARD.armed = True
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseProcess, "start", _refuse)
            yield
    finally:
        _GUARD.armed = False
    if _GUARD.seen:
        pytest.fail(f"this test must run in one process, and tried to start another: {_GUARD.seen[0]}", pytrace=False)
