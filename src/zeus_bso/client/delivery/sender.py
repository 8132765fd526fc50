"""Sends messages from a separate thread, so that the training loop waits as little as possible."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from zeus_bso.client.connection.api import Api
from zeus_bso.client.delivery.spool import SPOOL_DIR_VARIABLE, Spool, TrialMessage
from zeus_bso.protocol.transport import CALL_S, Answer, TransportError

logger = logging.getLogger("zeus_bso")

REPORT_WAIT_S = 0.9 * CALL_S
"""How long a message waits for its answer at most [s]. With all its other work, a call stays below ``CALL_S``."""

WAIT_WHILE_AWAY_S = 0.025
"""How long a message waits while the server is away [s]. With all its other work, a call takes less than 50 ms."""

_REFUSED_SENDER = (401, 403, 409)
"""Refusals of the sender, not of the message."""

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0


class ReportSender:
    """Delivers the latest message. If the server is away, the message is kept on disk until it is delivered.

    Reports are cumulative, so only the latest message matters. While the server is away, the sender tries it again and
    again in the background. Once it is delivered, no data is missing.

    Args:
        api: The server.
        spool: Keeps messages that the server has not received. None to keep none.
        refused: Called with every refusal, in the sender's thread.
    """

    def __init__(self, api: Api, spool: Spool | None, refused: Callable[[Answer], None]) -> None:
        self._api = api
        self._spool = spool
        self._refused = refused
        self._changed = threading.Condition()
        self._pending: TrialMessage | None = None
        self._latest_tried: TrialMessage | None = None
        self._answered: tuple[TrialMessage, Answer] | None = None
        self._latest: TrialMessage | None = None
        self._spooled_message: TrialMessage | None = None
        self._spool_error: str | None = None
        self._away = False
        self._closed = False
        # Nothing is logged while the lock is held: a signal handler may interrupt the logging and want the lock.
        self._unlogged: list[str] = []
        # The thread starts here, because an interpreter that is about to exit starts no more threads.
        self._thread = threading.Thread(target=self._run, name="zeus-bso-sender", daemon=True)
        self._thread.start()

    @property
    def away(self) -> bool:
        """Whether the server failed to answer the last time."""
        return self._away

    @property
    def pending(self) -> bool:
        """Whether the latest message still waits for an answer."""
        return self._pending is not None

    @property
    def spooled(self) -> bool:
        """Whether a message is on disk: the latest, or an earlier one if the latest could not be written."""
        return self._spooled_message is not None

    @property
    def latest_spooled(self) -> bool:
        """Whether the latest message is on disk."""
        return self._spooled_message is not None and self._spooled_message is self._latest

    def send_later(self, message: TrialMessage) -> None:
        """Deliver a message in the background. It replaces the previous message."""
        with self._changed:
            self._pending = self._latest = message
            self._spool_message(message)
            self._changed.notify_all()
        self._log()

    def send_and_wait(self, message: TrialMessage, insist_s: float | None = None) -> Answer | None:
        """Send a message and wait for its answer: less than 5 s, or 50 ms while the server is away.

        Args:
            message: The message.
            insist_s: How long to wait for an answer, over any number of tries [s]. None for the limits above.

        Returns:
            The answer. None if none has come yet.
        """
        with self._changed:
            answered = self._answer_to(message)
            if answered is not None and answered.status < 400:
                return answered
            self._pending = self._latest = message
            self._changed.notify_all()
            if self._away or insist_s is not None:
                # Written first, so that nothing is lost if the process ends while it waits.
                self._spool_message(message)
            was_away = self._away
            patience_s = insist_s if insist_s is not None else WAIT_WHILE_AWAY_S if was_away else REPORT_WAIT_S
            tried_out = self._changed.wait_for(
                # A signal handler may have sent another message meanwhile.
                lambda: (
                    self._closed
                    or self._answer_to(message)
                    or self._latest is not message
                    or (insist_s is None and self._latest_tried is message)
                ),
                patience_s,
            )
            # If the server was away, the wait was short. A server that has just come back may need longer.
            if not tried_out and insist_s is None and not was_away:
                self._note_away(f"{self._api.transport.address} gave no answer within {patience_s:g} s.")
            answer = self._answer_to(message)
            if answer is None and self._pending is message:
                self._spool_message(message)
        self._log()
        return answer

    def close(self, patience_s: float = 1.0) -> None:
        """Stop sending, and wait for a message that is under way.

        Args:
            patience_s: How long to wait [s].
        """
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._thread.join(patience_s)
        if self._spool is not None:
            self._spool.release()

    def _answer_to(self, message: TrialMessage) -> Answer | None:
        return self._answered[1] if self._answered is not None and self._answered[0] is message else None

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while (message := self._next()) is not None:
            answer = self._try(message)
            if answer is not None:
                if answer.status >= 400:
                    self._refused(answer)
                self._note_answer(message, answer)
                pause_s = _FIRST_PAUSE_S
                continue
            self._log()
            with self._changed:
                self._latest_tried = message
                if self._pending is message and self._away:
                    self._spool_message(message)
                self._changed.notify_all()
                same = not self._changed.wait_for(
                    lambda: self._closed or self._pending is not self._latest_tried, pause_s
                )
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S) if same else _FIRST_PAUSE_S

    def _next(self) -> TrialMessage | None:
        """Wait for a message. Returns None if the sender has been closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._pending is not None)
            return None if self._closed else self._pending

    def _note_answer(self, message: TrialMessage, answer: Answer) -> None:
        with self._changed:
            if self._away:
                self._away = False
                self._unlogged.append(f"The server at {self._api.transport.address} answers again.")
            self._answered = (message, answer)
            if self._pending is message:
                self._pending = None
                # The server would refuse the message again, whoever sends it.
                if answer.status < 400 or answer.for_good:
                    self._clear()
                else:
                    self._spool_message(message)
            self._changed.notify_all()
        self._log()

    def _try(self, message: TrialMessage) -> Answer | None:
        try:
            answer = send(self._api, message)
        except TransportError as error:
            self._note_away(str(error))
            return None
        if answer.passing:
            self._note_away(f"The server at {self._api.transport.address} answers {answer.status} {answer.message}")
            return None
        return answer

    def _note_away(self, reason: str) -> None:
        with self._changed:
            if self._away:
                return
            self._away = True
            self._unlogged.append(
                f"{reason} Training goes on, and stops by the rules that are known here. The reports are sent again in "
                "the background. Each of them contains the totals of the run."
            )

    def _log(self) -> None:
        with self._changed:
            sentences, self._unlogged = self._unlogged, []
        for sentence in sentences:
            logger.warning("%s", sentence)

    def _spool_message(self, message: TrialMessage) -> None:
        if self._spool is None or self._spooled_message is message:
            return
        try:
            self._spool.keep(message)
            self._spooled_message = message
            self._spool_error = None
        except OSError as error:
            # The disk may have room again by the next message.
            if self._spool_error != error.strerror:
                self._spool_error = error.strerror
                folder = "" if self._spool.path is None else f" in {self._spool.path.parent}"
                self._unlogged.append(
                    f"A message that could not be sent cannot be kept{folder} either ({error.strerror}). Every message "
                    f"tries again. {SPOOL_DIR_VARIABLE} may name another folder."
                )

    def _clear(self) -> None:
        if self._spool is None or self._spooled_message is None:
            return
        try:
            self._spool.clear()
            self._spooled_message = None
        except OSError as error:
            self._unlogged.append(f"{self._spool.path} has been sent, but cannot be removed ({error.strerror}).")


def send(api: Api, message: TrialMessage, timeout_s: float = CALL_S) -> Answer:
    """Send the report of a message, then its end. The end counts even if something is wrong with the report.

    Raises:
        TransportError: No answer came.
    """
    if message.report is not None:
        answer = api.report(message.report, timeout_s)
        if message.end is None or answer.passing or answer.status in _REFUSED_SENDER:
            return answer
    assert message.end is not None
    return api.end(message.end, timeout_s)
