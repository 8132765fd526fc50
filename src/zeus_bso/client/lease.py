"""Heartbeats: while a run is heard of, its trial stays its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from zeus_bso.client.api import Api
from zeus_bso.client.transport import TransportError
from zeus_bso.common import Heartbeat

logger = logging.getLogger("zeus_bso")


class Heart:
    """Beats from a daemon thread; a beat that fails is let pass, as the lease outlives ten of them.

    Args:
        api: Where to beat.
        beat: Says what to send.
        interval_s: Time between two beats [s].
    """

    def __init__(self, api: Api, beat: Callable[[], Heartbeat], interval_s: float) -> None:
        self._api = api
        self._beat = beat
        self._interval_s = interval_s
        # No event: its lock would keep a signal's handler out that interrupts whoever stops the heart.
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="zeus-bso-heart", daemon=True)

    def start(self) -> None:
        """Begin to beat, one interval from now."""
        self._thread.start()

    def stop(self, patience_s: float = 1.0) -> None:
        """Stop beating, and wait for a beat under way: one that arrives after the end would reopen the trial.

        Args:
            patience_s: How long to wait for it [s].
        """
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(patience_s)

    def _run(self) -> None:
        while not self._is_over():
            self._beat_once()

    def _is_over(self) -> bool:
        """Wait for the next beat; whether there is none."""
        with self._changed:
            return self._changed.wait_for(lambda: self._stopped, self._interval_s)

    def _beat_once(self) -> None:
        try:
            answer = self._api.beat(self._beat())
        except TransportError as error:
            logger.debug("Heartbeat without an answer: %s", error)
        else:
            logger.debug("Heartbeat answered %s", answer.status)
