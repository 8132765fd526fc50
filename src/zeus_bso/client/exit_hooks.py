"""Hooks for the end of a process: signals, exceptions that nobody caught, and the interpreter's exit.

A process has one set of hooks. They are installed while a run is live, and removed after the last run. Each hook calls
the function that it replaced. A script with a signal handler of its own still decides whether the process lives on.
"""

from __future__ import annotations

import atexit
import opcode
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType, TracebackType
from typing import Any, Generic, NoReturn, Protocol, TypeGuard, TypeVar

from zeus_bso.client.child_exit import watch_child_exit
from zeus_bso.client.end_reasons import reason_of
from zeus_bso.protocol.words import FailReason

SIGNAL_S = 2.0
"""How long the server has after a signal, for all runs together [s]. After SIGTERM, SIGKILL often comes soon."""

EXIT_S = 10.0
"""How long the server has at the exit of the process, for all runs together [s]."""

_DEADLY = (signal.SIGTERM, signal.SIGHUP)
_WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)
"""Signals that schedulers send before the time is up. We take them only when training starts, because some frameworks
set no handler of their own if they find one."""

_DEBUGGERS = ("pdb", "ipdb", "pudb")

_Handler = Callable[[int, FrameType | None], object] | int | None
_P = TypeVar("_P")


class Watched(Protocol):
    """A run that gets notes of events that may end it."""

    def note_signal(self, reason: FailReason) -> None:
        """Note a signal that asks the process to end."""

    def note_error(self, error: BaseException, thread: threading.Thread | None = None) -> None:
        """Note an exception that nobody caught, in this thread or else in the main thread."""

    def note_exit(self, evidence: FailReason | None) -> None:
        """Note that the process exits. The evidence is the reason, or None if its script ended by itself."""

    def end_as_noted(self, *, exits: bool = False, budget_s: float | None = None) -> None:
        """End the run for the noted reason. Wait ``budget_s`` seconds for the server, or tell it in the background."""


class _Hook(Generic[_P]):
    """A function that replaces another one, and calls it.

    Each hook keeps its own previous function, because another library may install its hook between two of ours.

    Args:
        hooks: The owner.
        previous: The function that it replaces.
    """

    def __init__(self, hooks: ExitHooks, previous: _P) -> None:
        self.hooks = hooks
        self.previous = previous


class _ExceptHook(_Hook[Callable[[type[BaseException], BaseException, TracebackType | None], object]]):
    def __call__(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        for run in self.hooks:
            run.note_error(error)
            run.end_as_noted()
        self.previous(kind, error, traceback)


class _ThreadExceptHook(_Hook[Callable[[threading.ExceptHookArgs], object]]):
    def __call__(self, args: threading.ExceptHookArgs, /) -> None:
        if args.exc_value is not None:
            for run in self.hooks:
                run.note_error(args.exc_value, args.thread)
        self.previous(args)


class _SysExit(_Hook[Callable[[str | int | None], NoReturn]]):
    def __call__(self, status: str | int | None = None, /) -> NoReturn:
        self.hooks.note_exit(status)
        self.previous(status)


class _SignalHandler(_Hook[_Handler]):
    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note the signal, then do what would happen without us."""
        # If another handler calls this one, that handler decides whether the process ends.
        deadly = not callable(self.previous) and signal.getsignal(number) is self
        with self.hooks.signalled(number, deadly=deadly):
            if callable(self.previous):
                self.previous(number, frame)
        if deadly:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


_PLACES = ((sys, "excepthook", _ExceptHook), (threading, "excepthook", _ThreadExceptHook), (sys, "exit", _SysExit))
"""Where Python reports exceptions and exits, and the hook that we install there."""


class ExitHooks:
    """The hooks of this process.

    An exit callback of Python does not get the exit status. That is why we watch ``sys.exit``, and check whether the
    outermost frame of the main thread ended normally or by an exception.
    """

    def __init__(self) -> None:
        self._live: dict[Watched, None] = {}
        self._exited = False
        self._exit_reason: FailReason | None = None
        self._forget_child_exit: Callable[[], object] | None = None
        self._signals_under_way: set[int] = set()
        self._outermost: FrameType | None = None
        self._last_error: BaseException | None = None
        # Runs end in any thread. A signal handler may take the lock again in the same thread.
        self._lock = threading.RLock()

    def __iter__(self) -> Iterator[Watched]:
        """The live runs, in the order in which they started."""
        return iter(tuple(self._live))

    def add(self, run: Watched) -> None:
        """Watch for events that may end a run."""
        with self._lock:
            if run in self._live:
                return
            if not self._live:
                self._give_back_signals()
                self._look_around()
                self._forget_child_exit = watch_child_exit(self.end_all)
            # Python calls exit callbacks in reverse order. A server in this process may have started since, and it must
            # outlive the run that reports its end to it.
            atexit.unregister(self._on_exit)
            atexit.register(self._on_exit)
            self._live[run] = None
            self.refresh(training=False)

    def remove(self, run: Watched) -> None:
        """Stop watching a run. After the last run, remove the hooks that no other library has replaced since."""
        with self._lock:
            if run not in self._live:
                return
            del self._live[run]
            if not self._live:
                self._uninstall()

    def refresh(self, *, training: bool = True) -> None:
        """Install hooks again where the script has replaced them. Forget an exit that the script has caught.

        Args:
            training: Whether training has begun.
        """
        with self._lock:
            self._exited = False
            if not self._live:
                self._give_back_signals()
                return
            for module, name, hook in _PLACES:
                found = getattr(module, name)
                if not self._is_ours(found):
                    setattr(module, name, hook(self, found))
            if threading.current_thread() is threading.main_thread():
                for number in (*_DEADLY, signal.SIGINT, *(_WARNINGS if training else ())):
                    self._take(number)

    def let_go(self) -> None:
        """Stop watching all runs. For a forked child, where the lock may be held by a thread that does not exist."""
        self._lock = threading.RLock()
        self._live.clear()
        self._uninstall()

    def note_exit(self, status: str | int | None) -> None:
        """Note a call of ``sys.exit``."""
        if threading.current_thread() is threading.main_thread():
            exit_ = SystemExit(status)
            # The exception that the script handles now, as the SystemExit that comes of this call will have it.
            exit_.__context__ = sys.exc_info()[1]
            self._exited, self._exit_reason = True, reason_of(exit_)

    @contextmanager
    def signalled(self, number: int, *, deadly: bool) -> Iterator[None]:
        """Note a signal once, even if it passes several of our handlers.

        Args:
            number: The signal.
            deadly: Whether the signal ends the process now.
        """
        first = number not in self._signals_under_way
        self._signals_under_way.add(number)
        try:
            if first:
                self._note_signal(number, deadly=deadly)
            yield
        finally:
            if first:
                self._signals_under_way.discard(number)

    def _note_signal(self, number: int, *, deadly: bool) -> None:
        is_interrupt = number == signal.SIGINT
        for run in self:
            run.note_signal(FailReason.CANCELLED if is_interrupt else FailReason.PREEMPTED)
        # SIGINT becomes an exception, and a warning leaves time. Both are reported when the process ends.
        if number in _DEADLY or (deadly and not is_interrupt):
            self._end_runs(SIGNAL_S, exits=False)

    def _end_runs(self, budget_s: float, *, exits: bool) -> None:
        """Start to end all runs, then wait for each in turn, for ``budget_s`` seconds in total."""
        deadline = time.monotonic() + budget_s
        for run in self:
            run.end_as_noted(exits=exits)
        for run in self:
            run.end_as_noted(exits=exits, budget_s=max(0.0, deadline - time.monotonic()))

    def _look_around(self) -> None:
        """Note the state of the process before the first run."""
        _unhook_children()
        self._last_error = getattr(sys, "last_value", None)
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        while frame is not None and frame.f_back is not None:
            frame = frame.f_back
        self._outermost = frame

    def _uninstall(self) -> None:
        atexit.unregister(self._on_exit)
        if self._forget_child_exit is not None:
            self._forget_child_exit()
        self._outermost = self._last_error = self._forget_child_exit = None
        for module, name, _ in _PLACES:
            while self._is_ours(found := getattr(module, name)):
                setattr(module, name, found.previous)
        self._give_back_signals()

    def _take(self, number: int) -> None:
        found = signal.getsignal(number)
        # An ignored signal (nohup) ends nothing. A handler that was not set from Python cannot be called.
        if found not in (signal.SIG_IGN, None) and not self._is_ours(found):
            signal.signal(number, _SignalHandler(self, found))

    def _give_back_signals(self) -> None:
        """Restore the signal handlers. Other threads than the main one cannot, and leave it to a later call."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (*_DEADLY, signal.SIGINT, *_WARNINGS):
            while self._is_ours(found := signal.getsignal(number)):
                signal.signal(number, found.previous)

    def _is_ours(self, found: object) -> TypeGuard[_Hook[Any]]:
        return isinstance(found, _Hook) and found.hooks is self

    def _on_exit(self) -> None:
        self.end_all(self._evidence())

    def end_all(self, evidence: FailReason | None) -> None:
        """End every live run because the process exits.

        Args:
            evidence: The reason. None if the script ended by itself with status 0.
        """
        for run in self:
            run.note_exit(evidence)
        self._end_runs(EXIT_S, exits=True)

    def _evidence(self) -> FailReason | None:
        """The reason why the process exits. None if its script ended by itself with status 0."""
        if _is_interactive():
            return FailReason.CANCELLED
        error = getattr(sys, "last_value", None)
        if error is not None and error is not self._last_error:
            return reason_of(error)
        # Who catches such an exit, as profilers do, does not make it an end by itself. An evaluation since does.
        if self._exited and self._exit_reason is not None:
            return self._exit_reason
        if self._exited or (self._outermost is not None and not _was_left_by_exception(self._outermost)):
            return None
        # A SystemExit was raised directly. Python does not reveal its status.
        return FailReason.ERROR if self._outermost is not None else None


def _was_left_by_exception(frame: FrameType) -> bool:
    """Whether a frame ended without reaching its return."""
    return not opcode.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN")


def _is_interactive() -> bool:
    """Whether a person types the code. The end of such a process says nothing about a training."""
    return hasattr(sys, "ps1") or notebook() is not None or _is_in_debugger()


def _is_in_debugger() -> bool:
    """Whether a debugger runs the script. It catches the exceptions of the script."""
    return sys.orig_argv[1:2] == ["-m"] and sys.orig_argv[2] in _DEBUGGERS


def notebook() -> object | None:
    """The IPython shell of this process, or None. This does not import IPython."""
    ipython = sys.modules.get("IPython")
    shell: object | None = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell


HOOKS = ExitHooks()


@cache
def _unhook_children() -> None:
    """Remove the hooks in every forked child.

    They would do nothing there. But a Python signal handler acts later than the system's default, and the parent
    expects a worker process to end at once when it terminates it.
    """
    os.register_at_fork(after_in_child=HOOKS.let_go)
