"""How requests reach the server: over HTTP, or in this process. The only seam of the client."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Protocol

from zeus_bso.exceptions import ZeusBSOError

CALL_S = 5.0
"""A call takes at most so long, with its retries [s]."""

LAUNCH_S = 30.0
"""A launch waits at most so long for a server that is away [s]."""

_PASSING = (408, 425, 429)
"""Refusals below 500 that say: not now."""

_FOR_GOOD = (400, 404, 409, 413, 422)
"""Refusals of what is said; not of who says it."""


class TransportError(ZeusBSOError):
    """No answer of the server came. It never leaves the client.

    Args:
        message: What happened, and what to do.
        lasting: Whether a launch gives up at once: something is set up wrongly, or the call has taken its whole time.
        retry_after_s: How long a launch waits at least before it tries again [s].
    """

    def __init__(self, message: str, *, lasting: bool = False, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.lasting = lasting
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Answer:
    """The server's answer.

    Attributes:
        status: HTTP status.
        body: The decoded JSON object; empty where none came.
        items: The decoded JSON list, where the answer is one.
        retry_after_s: When to try again, as the server says [s]; None: it does not.
    """

    status: int
    body: Mapping[str, object] = field(default_factory=dict)
    items: Sequence[object] = ()
    retry_after_s: float | None = None

    @classmethod
    def read(cls, status: int, data: bytes) -> Answer | None:
        """Read an answer's bytes; None: they are neither a JSON object nor a list."""
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            return None
        if isinstance(body, dict):
            return cls(status, body)
        return cls(status, items=tuple(body)) if isinstance(body, list) else None

    @property
    def passing(self) -> bool:
        """Whether the same request may be answered otherwise a little later."""
        return self.status >= 500 or self.status in _PASSING

    @property
    def for_good(self) -> bool:
        """Whether it is a refusal that another try would meet again."""
        return self.status in _FOR_GOOD

    @property
    def message(self) -> str:
        """The sentence in an error's body; empty where there is none."""
        message = self.body.get("message")
        return message if isinstance(message, str) else ""


class Transport(Protocol):
    """Sends requests; may be used from several threads."""

    @property
    def address(self) -> str:
        """Where it sends them, for messages; it holds no secret."""

    @property
    def patience_s(self) -> float:
        """How long a launch waits for a server that is away [s]."""

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
        timeout_s: float = CALL_S,
    ) -> Answer:
        """Send a request and wait for its answer.

        Raises:
            TransportError: None came within ``timeout_s`` seconds, retries included.
        """

    def close(self) -> None:
        """Let go of connections; no request may follow."""


class FileTransport(Transport, Protocol):
    """Also sends and fetches files."""

    def transfer(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: IO[bytes] | None = None,
        into: IO[bytes] | None = None,
        timeout_s: float,
    ) -> Answer:
        """Send a file, or write the answer into one, piece by piece; nothing is tried again.

        Args:
            method: The method.
            path: The path.
            params: Query parameters.
            body: What to send.
            into: Where an answer of status 200 is written; any other is read as usual.
            timeout_s: The longest silence to wait through [s].

        Raises:
            TransportError: There was no answer, or it broke off.
        """
