"""Reports sent from a thread of their own, so that the training loop waits no longer than it must."""

from __future__ import annotations

import logging
import threading

from zeus_bso.client.api import Api
from zeus_bso.client.transport import CALL_S, Answer, TransportError
from zeus_bso.common import TrainingResult

logger = logging.getLogger("zeus_bso")

AWAY_S = 0.05
"""While the server is away, a report waits for it at most so long [s]."""

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0


class Reporter:
    """Delivers the latest report.

    Reports are cumulative, so that only the latest matters: while the server is away it is tried again and again in
    the background, and what it answers then heals the gap.

    Args:
        api: Where to report.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._changed = threading.Condition()
        self._pending: TrainingResult | None = None
        self._settled: tuple[TrainingResult, Answer | None] | None = None
        self._away = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def deliver(self, report: TrainingResult) -> Answer | None:
        """Send a report and wait for its answer: up to 5 s, or 50 ms while the server is away.

        Returns:
            The answer; None: none came yet.
        """
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="zeus-bso-reporter", daemon=True)
                self._thread.start()
            self._pending = report
            self._changed.notify_all()
            patience_s = AWAY_S if self._away else CALL_S
            if not self._changed.wait_for(lambda: self._closed or self._is_settled(report), patience_s):
                self._note_away(f"{self._api.transport.address} gave no answer within {CALL_S:g} s.")
            return self._settled[1] if self._settled is not None and self._settled[0] is report else None

    def close(self, patience_s: float = 1.0) -> None:
        """Send nothing more, and wait for a report under way.

        Args:
            patience_s: How long to wait for it [s].
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(patience_s)

    def _is_settled(self, report: TrainingResult) -> bool:
        return self._settled is not None and self._settled[0] is report

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while (report := self._next()) is not None:
            answer = self._try(report)
            with self._changed:
                self._settled = (report, answer)
                self._changed.notify_all()
                if answer is not None:
                    pause_s = _FIRST_PAUSE_S
                    self._away = False
                    if self._pending is report:
                        self._pending = None
                else:
                    self._changed.wait_for(lambda: self._closed, pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _next(self) -> TrainingResult | None:
        """Wait for a report; None: there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._pending is not None)
            return None if self._closed else self._pending

    def _try(self, report: TrainingResult) -> Answer | None:
        try:
            answer = self._api.report(report)
        except TransportError as error:
            self._note_away(str(error))
            return None
        if answer.status >= 500:
            self._note_away(f"The server at {self._api.transport.address} answers {answer.status} {answer.message}")
            return None
        if self._away:
            logger.warning("The server at %s answers again.", self._api.transport.address)
        return answer

    def _note_away(self, reason: str) -> None:
        with self._changed:
            if self._away:
                return
            self._away = True
        logger.warning(
            "%s Training goes on; reports are tried again in the background, each carrying the totals of the run. "
            "Is the server running?",
            reason,
        )
