"""Letters sent from a thread of their own, so that the training loop waits no longer than it must."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from zeus_bso.client.api import Api
from zeus_bso.client.spool import Letter, Spool
from zeus_bso.client.transport import CALL_S, Answer, TransportError

logger = logging.getLogger("zeus_bso")

PATIENCE_S = 0.9 * CALL_S
"""A letter waits at most so long for its answer, so that a call stays below ``CALL_S`` with all else it does [s]."""

AWAY_S = 0.025
"""While the server is away, a letter waits at most so long [s]: with all else it does, a call takes below 50 ms."""

_NOT_HEARD = (401, 403, 409)
"""Refusals of who speaks, not of what is said."""

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0


class Courier:
    """Delivers the latest letter, and keeps it on disk until it is delivered.

    Reports are cumulative, so that only the latest letter matters: while the server is away it is tried again and
    again in the background, and what it answers then heals the gap.

    Args:
        api: Where to deliver.
        spool: Keeps what the server did not take; None: nothing does.
        refused: Told of every refusal, in the courier's thread.
    """

    def __init__(self, api: Api, spool: Spool | None, refused: Callable[[Answer], None]) -> None:
        self._api = api
        self._spool = spool
        self._refused = refused
        self._changed = threading.Condition()
        self._pending: Letter | None = None
        self._tried: Letter | None = None
        self._settled: tuple[Letter, Answer] | None = None
        self._kept: Letter | None = None
        self._away = False
        self._closed = False
        # Nothing is logged while the lock is held: a signal's handler may come for it out of a call of the log.
        self._unsaid: list[str] = []
        # Started here: an interpreter that is about to exit starts no thread any more.
        self._thread = threading.Thread(target=self._run, name="zeus-bso-courier", daemon=True)
        self._thread.start()

    @property
    def away(self) -> bool:
        """Whether the server has not answered the last time."""
        return self._away

    @property
    def undelivered(self) -> bool:
        """Whether the latest letter still waits for an answer."""
        return self._pending is not None

    @property
    def keeps(self) -> bool:
        """Whether the latest letter lies on the disk."""
        return self._kept is not None

    def post(self, letter: Letter) -> None:
        """Have a letter delivered in the background, in place of the one before."""
        with self._changed:
            self._pending = letter
            self._keep(letter)
            self._changed.notify_all()
        self._say()

    def deliver(self, letter: Letter, insist_s: float | None = None) -> Answer | None:
        """Send a letter and wait for its answer: below 5 s, or 50 ms while the server is away.

        Args:
            letter: The letter.
            insist_s: Wait so long for an answer, however often it takes to try [s].

        Returns:
            The answer; None: none came yet.
        """
        with self._changed:
            self._pending = letter
            self._changed.notify_all()
            if self._away or insist_s is not None:
                # First of all: whoever ends the process while it waits loses nothing.
                self._keep(letter)
            patience_s = insist_s if insist_s is not None else AWAY_S if self._away else PATIENCE_S
            tried_out = self._changed.wait_for(
                lambda: self._closed or self._answer_to(letter) or (insist_s is None and self._tried is letter),
                patience_s,
            )
            if not tried_out and insist_s is None:
                self._note_away(f"{self._api.transport.address} gave no answer within {patience_s:g} s.")
            answer = self._answer_to(letter)
            if answer is None and self._pending is letter:
                self._keep(letter)
        self._say()
        return answer

    def close(self, patience_s: float = 1.0) -> None:
        """Send nothing more, and wait for a letter under way.

        Args:
            patience_s: How long to wait for it [s].
        """
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._thread.join(patience_s)
        if self._spool is not None:
            self._spool.leave()

    def _answer_to(self, letter: Letter) -> Answer | None:
        return self._settled[1] if self._settled is not None and self._settled[0] is letter else None

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while (letter := self._next()) is not None:
            answer = self._try(letter)
            if answer is not None:
                if answer.status >= 400:
                    self._refused(answer)
                self._settle(letter, answer)
                pause_s = _FIRST_PAUSE_S
                continue
            self._say()
            with self._changed:
                self._tried = letter
                self._changed.notify_all()
                same = not self._changed.wait_for(lambda: self._closed or self._pending is not self._tried, pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S) if same else _FIRST_PAUSE_S

    def _next(self) -> Letter | None:
        """Wait for a letter; None: there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._pending is not None)
            return None if self._closed else self._pending

    def _settle(self, letter: Letter, answer: Answer) -> None:
        with self._changed:
            if self._away:
                self._away = False
                self._unsaid.append(f"The server at {self._api.transport.address} answers again.")
            self._settled = (letter, answer)
            if self._pending is letter:
                self._pending = None
                # What another process has taken over is no longer ours to tell.
                if answer.status < 400 or answer.status == 409:
                    self._clear()
                else:
                    self._keep(letter)
            self._changed.notify_all()
        self._say()

    def _try(self, letter: Letter) -> Answer | None:
        try:
            answer = send(self._api, letter)
        except TransportError as error:
            self._note_away(str(error))
            return None
        if answer.status >= 500:
            self._note_away(f"The server at {self._api.transport.address} answers {answer.status} {answer.message}")
            return None
        return answer

    def _note_away(self, reason: str) -> None:
        with self._changed:
            if self._away:
                return
            self._away = True
            self._unsaid.append(
                f"{reason} Training goes on, and is stopped by the rules known here; reports are tried again in the "
                "background, each carrying the totals of the run. Is the server running?"
            )

    def _say(self) -> None:
        with self._changed:
            sentences, self._unsaid = self._unsaid, []
        for sentence in sentences:
            logger.warning("%s", sentence)

    def _keep(self, letter: Letter) -> None:
        if self._spool is None or self._kept is letter:
            return
        try:
            self._spool.keep(letter)
            self._kept = letter
        except OSError as error:
            self._unsaid.append(
                f"What could not be reported cannot be kept in {self._spool.path.parent} either ({error.strerror}); "
                "set ZEUS_BSO_SPOOL_DIR to a folder that can be written."
            )
            self._spool = None

    def _clear(self) -> None:
        if self._spool is None or self._kept is None:
            return
        try:
            self._spool.clear()
            self._kept = None
        except OSError as error:
            self._unsaid.append(f"{self._spool.path} has been told and cannot be removed ({error.strerror}).")


def send(api: Api, letter: Letter, timeout_s: float = CALL_S) -> Answer:
    """Tell the server: the report first, then the end, which stands whatever is wrong with the report.

    Raises:
        TransportError: No answer came.
    """
    if letter.report is not None:
        answer = api.report(letter.report, timeout_s)
        if letter.end is None or answer.status >= 500 or answer.status in _NOT_HEARD:
            return answer
    assert letter.end is not None
    return api.end(letter.end, timeout_s)
