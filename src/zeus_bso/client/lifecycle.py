"""How a run ends: normally, by an exception, or by a signal. Each end is told once."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import cache
from types import FrameType, TracebackType
from typing import NoReturn, Protocol

from zeus_bso.common import FailReason

SIGNAL_S = 2.0
"""Whoever sends SIGTERM soon sends SIGKILL: the server is given at most so long [s]."""

EXIT_S = 10.0
"""At the exit of the process the server is given at most so long [s]."""

_OUT_OF_MEMORY = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "HIP out of memory",
    "RESOURCE_EXHAUSTED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)

_Handler = Callable[[int, FrameType | None], object] | int | None


class _SysExit(Protocol):
    def __call__(self, status: str | int | None = None, /) -> NoReturn: ...


def is_imported_by_child() -> bool:
    """Whether a spawned child is importing the script that spawned it, as multiprocessing itself tells."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and bool(getattr(process.current_process(), "_inheriting", False))


def reason_of(error: BaseException | None) -> FailReason | None:
    """Why a run that left with this exception ended; None: it ended by itself.

    An exception that was raised from, or while handling, one that says out-of-memory counts as that.
    """
    if error is None:
        return None
    if isinstance(error, KeyboardInterrupt):
        return FailReason.CANCELLED
    if isinstance(error, SystemExit):
        return None if error.code in (None, 0) else FailReason.ERROR
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if is_out_of_memory(cause):
            return FailReason.OOM
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return FailReason.ERROR


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, of the host or of a device; judged without importing any."""
    kind = type(error)
    if isinstance(error, MemoryError) or kind.__name__ in ("OutOfMemoryError", "ResourceExhaustedError"):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)


class Endings:
    """Watches for the end of the process, from the first ask until the trial has ended.

    It hooks into the interpreter's exit, ``sys.excepthook``, ``sys.exit`` and the handlers of SIGTERM, SIGHUP and
    SIGINT, and calls what it finds there as well. A forked child gets all of them back as they were.

    Python tells an exit callback nothing about the exit status; that is why ``sys.exit`` is watched: a script that
    leaves with an error has not missed its target. Likewise for an interrupt that it catches to leave tidily.

    Args:
        end: Called with the reason (None: the run ended by itself) and the time that it may take [s].
    """

    def __init__(self, end: Callable[[FailReason | None, float], None]) -> None:
        self._end = end
        self._watching = False
        self._suspicion: FailReason | None = None
        self._handlers: dict[int, _Handler] = {}

    def watch(self) -> None:
        """Begin to watch; signals only when called in the main thread, where alone Python allows it."""
        if self._watching:
            return
        self._watching = True
        _live.add(self)
        _unhook_children()
        atexit.register(self._on_exit)
        self._excepthook, sys.excepthook = sys.excepthook, self._on_exception
        self._exit: _SysExit
        self._exit, sys.exit = sys.exit, self._on_sys_exit
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGTERM", "SIGHUP", "SIGINT"):
                if hasattr(signal, name):
                    self._take(getattr(signal, name))

    def unwatch(self) -> None:
        """Put back what was found, where no one else has hooked in since."""
        if not self._watching:
            return
        self._watching = False
        _live.discard(self)
        atexit.unregister(self._on_exit)
        if sys.excepthook == self._on_exception:
            sys.excepthook = self._excepthook
        if sys.exit == self._on_sys_exit:
            sys.exit = self._exit
        if threading.current_thread() is threading.main_thread():
            for number, previous in self._handlers.items():
                if signal.getsignal(number) == self._on_signal:
                    signal.signal(number, previous)

    def still_running(self) -> None:
        """Training goes on: an exit or interrupt that was under way has been caught by the script."""
        self._suspicion = None

    def _take(self, number: int) -> None:
        previous = signal.getsignal(number)
        # An ignored signal ends nothing (nohup), and a handler that was not set from Python cannot be called.
        if previous in (signal.SIG_IGN, None):
            return
        self._handlers[number] = previous
        signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._watching:
            if number == signal.SIGINT:
                self._suspicion = FailReason.CANCELLED
            else:
                self._end(FailReason.PREEMPTED, SIGNAL_S)
        previous = self._handlers[number]
        if callable(previous):
            previous(number, frame)
            return
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _on_exception(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if self._watching:
            self._end(reason_of(error), EXIT_S)
        self._excepthook(kind, error, traceback)

    def _on_sys_exit(self, status: str | int | None = None, /) -> NoReturn:
        if threading.current_thread() is threading.main_thread():
            self._suspicion = None if status in (None, 0) else FailReason.ERROR
        self._exit(status)

    def _on_exit(self) -> None:
        if self._watching:
            self._end(self._suspicion, EXIT_S)


_live: set[Endings] = set()
"""The watching ones."""


@cache
def _unhook_children() -> None:
    """Have the hooks taken off in forked children.

    They would do nothing there; but a signal handler of Python's is slower to act than none, and whoever terminates
    a worker process counts on its end.
    """
    os.register_at_fork(after_in_child=_unhook)


def _unhook() -> None:
    for endings in tuple(_live):
        endings.unwatch()
