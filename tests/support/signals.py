"""The signals that end a process do so in tests, whatever shell starts them."""

from __future__ import annotations

import signal
from types import FrameType

WAIT_FOR_A_SIGNAL = "any(time.sleep(0.05) for _ in iter(int, 1))"
"""What a script does until a signal ends it. One long sleep would miss a signal that comes just before it begins."""


def reset_signals() -> None:
    """Let signals end this process and its children again.

    A shell starts a background job with SIGINT ignored, ``nohup`` a command with SIGHUP ignored, and children inherit
    both. A run under ``nohup`` still outlives the terminal: a handler, unlike what is ignored, is not inherited.
    """
    hangup_is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.signal(signal.SIGHUP, _stay if hangup_is_ignored else signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP, signal.SIGINT, signal.SIGTERM})


def tidy_up_when_terminated() -> None:
    """Let SIGTERM end a run as Ctrl-C does, with all that its tests have started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _stay(number: int, frame: FrameType | None) -> None:
    pass
