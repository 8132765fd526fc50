"""Heartbeats. While the server hears of a run, the run keeps its trial."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from zeus_bso.client.connection.api import Api
from zeus_bso.protocol.messages import Heartbeat
from zeus_bso.protocol.transport import TransportError

logger = logging.getLogger("zeus_bso")


LONG_IN_EPOCHS = 10
LONG_IN_BEATS = 10
"""A run is no longer trained if it has not evaluated for the time of this many epochs and heartbeats."""


class SilenceTimer:
    """Compares the time since a run's last evaluation with its longest epoch."""

    def __init__(self) -> None:
        self._heard_at = time.monotonic()
        self._longest_s = 0.0

    def heard(self) -> None:
        """Note an evaluation."""
        now = time.monotonic()
        self._longest_s = max(self._longest_s, now - self._heard_at)
        self._heard_at = now

    def is_long(self, heartbeat_s: float) -> bool:
        """Whether the run has been silent so long that nobody trains it. Always false before its first evaluation."""
        if not self._longest_s:
            return False
        silent_s = time.monotonic() - self._heard_at
        return silent_s > max(LONG_IN_EPOCHS * self._longest_s, LONG_IN_BEATS * heartbeat_s)


class HeartbeatThread:
    """Sends heartbeats from a daemon thread. It ignores one that fails, because the lease outlives ten of them.

    Args:
        api: The server.
        beat: Returns the heartbeat to send, or None to send none now.
        interval_s: Time between two heartbeats [s].
    """

    def __init__(self, api: Api, beat: Callable[[], Heartbeat | None], interval_s: float) -> None:
        self._api = api
        self._beat = beat
        self._interval_s = interval_s
        # Not an Event: its lock would block a signal handler that interrupts stop() and calls it again.
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="zeus-bso-heartbeat", daemon=True)

    def start(self) -> None:
        """Start. The first heartbeat comes after one interval."""
        self._thread.start()

    def stop(self, patience_s: float = 1.0) -> None:
        """Stop, and wait for a heartbeat that is under way. If it arrived after the end, it would reopen the trial.

        Args:
            patience_s: How long to wait [s].
        """
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(patience_s)

    def _run(self) -> None:
        while not self._is_over():
            self._beat_once()

    def _is_over(self) -> bool:
        """Wait for the next heartbeat. Returns whether the thread has been stopped."""
        with self._changed:
            return self._changed.wait_for(lambda: self._stopped, self._interval_s)

    def _beat_once(self) -> None:
        beat = self._beat()
        if beat is None:
            return
        try:
            answer = self._api.beat(beat)
        except TransportError as error:
            logger.debug("Heartbeat without an answer: %s", error)
        else:
            logger.debug("Heartbeat answered %s", answer.status)
