"""Hands events to a tracker in a thread, because a tracker may wait for a network, or for ever."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from zeus_bso.client.tracking.targets import Tracker
from zeus_bso.client.training_guard import TrainingGuard

_MOST_WAITING = 1000
"""A tracker that takes nothing loses what comes after so many events."""

_Act = Callable[[Tracker], None]


class TrackerFeed:
    """The events for one tracker, in their order.

    Args:
        tracker: The tracker.
        name: Its name in messages.
        guard: Logs errors.
    """

    def __init__(self, tracker: Tracker, name: str, guard: TrainingGuard) -> None:
        self._tracker = tracker
        self._name = name
        self._guard = guard
        self._events: queue.Queue[_Act | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._failed = self._closed = False

    def post(self, act: _Act) -> None:
        """Hand over an event. This does not wait."""
        if self._closed:
            return
        with self._guard(f"log the run to {self._name}"):
            self._tracker.attach()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="zeus-bso-tracker", daemon=True)
            self._thread.start()
        self._put(act)

    def flush(self, wait_s: float) -> None:
        """Wait until the tracker has taken all events, or the time is over."""
        done = threading.Event()
        if self._thread is not None and not self._closed and self._put(lambda tracker: done.set()):
            done.wait(wait_s)

    def close(self) -> None:
        """Take no more events, and end the thread when the tracker has taken those that wait."""
        self._closed = True
        with suppress(queue.Full):  # then the thread finds out when it has taken them
            self._events.put_nowait(None)

    def _put(self, act: _Act) -> bool:
        try:
            self._events.put_nowait(act)
        except queue.Full:
            self._guard.log_once(f"{self._name} does not keep up: a part of the run is not logged there.")
            return False
        return True

    def _work(self) -> None:
        while (act := self._events.get()) is not None:
            self._call(act)
            if self._closed and self._events.empty():
                return

    def _call(self, act: _Act) -> None:
        """Call the tracker. Its first error is logged, whatever it is."""
        try:
            act(self._tracker)
        except BaseException as error:  # noqa: BLE001 - a tracker may raise anything, and none of it ends a training
            if not self._failed:
                self._failed = True
                self._guard.log_once(f"Could not log the run to {self._name}: {type(error).__name__}: {error}")
