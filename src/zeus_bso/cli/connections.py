"""Limits on connections: what a stranger may hold open or send before anyone has checked a token."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import resource
import time
from enum import Enum, auto
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 4000
"""How many connections a process holds open, unless its limit on open files is lower."""

MAX_HEAD_BYTES = 64 * 1024
"""Size of the largest request head: the request line and the headers [bytes]."""

HEAD_S = 10.0
"""How long the head of a request may take, from the first byte or from the connection's beginning [s]."""

BODY_S = 30.0
"""How long nothing of a body may come [s]."""

REST_S = 5.0
"""How long the rest of a body may take when the request has been answered already [s]."""

UNREAD_S = 60.0
"""How long a client may read nothing of an answer [s]."""

QUIET_S = 3600.0
"""The log tells of each limit once in this time [s]."""

_SLICE_BYTES = 16 * 1024
_SWEEP_S = 1.0
_OTHER_FILES = 200


def allow_open_files() -> None:
    """Raise this process' limit on open files as far as it may, because every connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def most_connections() -> int:
    """How many connections this process may hold open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(MAX_CONNECTIONS, max(files - _OTHER_FILES, files // 2))


_told_at: dict[str, float] = {}


def _is_new(what: str) -> bool:
    """Whether the log has not told this for long."""
    now = time.monotonic()
    if now - _told_at.get(what, -QUIET_S) < QUIET_S:
        return False
    _told_at[what] = now
    return True


class _RareWarnings(logging.Filter):
    """Lets each of uvicorn's warnings, which strangers cause as often as they like, pass once in :data:`QUIET_S`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the log takes a record."""
        return record.levelno != logging.WARNING or _is_new(str(record.msg))


logging.getLogger("uvicorn.error").addFilter(_RareWarnings())


class _Stage(Enum):
    """The part of a request that a connection is about to receive."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()


class LimitedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with limits on the size of a head, on silence, and on the number of connections.

    The parser copies what it has of a header with each piece that arrives, so without a limit the time for one header
    grows with the square of its size.
    """

    _waiting: ClassVar[dict[LimitedProtocol, None]] = {}
    """The connections of this process that wait for their clients, the one that has waited longest first."""

    _sweeping: ClassVar[bool] = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._stage = _Stage.HEAD
        self._since = self.loop.time()
        self._head_bytes = 0
        self._unanswered = 0
        self._unsent = 0
        self._unsent_since = self._since

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request. If there are too many connections, close the one that has waited longest."""
        super().connection_made(transport)
        self._wait(_Stage.HEAD)
        if len(self.connections) > most_connections():
            longest = next(iter(self._waiting))
            longest._close(f"more than {most_connections()} connections were open, and it had waited longest")
        if not LimitedProtocol._sweeping:
            LimitedProtocol._sweeping = True
            self.loop.call_later(_SWEEP_S, self._sweep)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._waiting.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, and refuse a head that is too large."""
        if self._stage is _Stage.NOTHING:
            self._wait(_Stage.HEAD)
        elif self._stage is _Stage.BODY and self._unanswered:
            self._wait(_Stage.BODY)
        for start in range(0, len(data), _SLICE_BYTES):
            part = data[start : start + _SLICE_BYTES]
            super().data_received(part)
            if self.transport.is_closing():
                return
            self._head_bytes += len(part) if self._stage is _Stage.HEAD else 0
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse_head()
                return

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._wait(_Stage.HEAD)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin the body, and the work on the request."""
        self._unanswered += 1
        self._wait(_Stage.BODY)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request. The next one may follow."""
        self._stage = _Stage.NOTHING
        self._waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Give the client little time for a body that nobody needs any more."""
        self._unanswered -= 1
        self._wait(self._stage)
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nobody has used for long, even if its client reads nothing."""
        self.transport.abort()

    def _wait(self, stage: _Stage) -> None:
        self._stage, self._since, self._head_bytes = stage, self.loop.time(), 0
        self._waiting.pop(self, None)
        self._waiting[self] = None

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in list(self.connections):
            if isinstance(connection, LimitedProtocol):
                connection._check(now)
        LimitedProtocol._sweeping = bool(self.connections)
        if self.connections:
            self.loop.call_later(_SWEEP_S, self._sweep)

    def _check(self, now: float) -> None:
        """Close the connection if its client has kept it waiting for too long."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > UNREAD_S:
            self._close(f"it read nothing of its answer for {UNREAD_S:.0f} s")
        if self._stage is _Stage.BODY and self._unanswered and self.flow.read_paused:
            self._since = now  # the client waits for us
        limit_s, why = self._limit()
        if now - self._since > limit_s:
            self._close(why)

    def _limit(self) -> tuple[float, str]:
        """How long the client may take for what comes next [s], and what is logged of one that takes longer."""
        if self._stage is _Stage.HEAD:
            return HEAD_S, f"it sent no complete request head within {HEAD_S:.0f} s"
        if self._stage is _Stage.NOTHING:
            return math.inf, ""
        if self._unanswered:
            return BODY_S, f"it sent nothing of a request's body for {BODY_S:.0f} s"
        return REST_S, f"its request was answered, and the rest of the body did not come in {REST_S:.0f} s"

    def _refuse_head(self) -> None:
        if not self._unanswered:
            body = json.dumps({"message": f"The request's head is larger than {MAX_HEAD_BYTES} bytes."}).encode()
            head = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
            self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self._tell(f"it sent a request head of more than {MAX_HEAD_BYTES} bytes")
        self.transport.close()

    def _close(self, why: str) -> None:
        self._tell(why)
        self._waiting.pop(self, None)
        self.transport.abort()

    def _tell(self, why: str) -> None:
        if _is_new(why):
            address = self.client[0] if self.client else "unknown"
            logger.warning("Closed a connection from %s: %s. Others like it are not logged for an hour.", address, why)
