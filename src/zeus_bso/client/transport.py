"""How requests reach the server: over HTTP, or in this process. The only seam of the client."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

CALL_S = 5.0
"""A call takes at most so long, with its retries [s]."""

MAX_ANSWER_BYTES = 2**26
"""Larger answers are not read."""

_PIECE_BYTES = 2**16

_PAUSES_S = (0.1, 0.3)
"""Pauses before the second and third try of a call whose connection failed [s]."""


class TransportError(ZeusBSOError):
    """No answer came. It never leaves the client."""


@dataclass(frozen=True)
class Answer:
    """The server's answer.

    Attributes:
        status: HTTP status.
        body: The decoded JSON object; empty where none came.
        items: The decoded JSON list, where the answer is one.
    """

    status: int
    body: Mapping[str, object] = field(default_factory=dict)
    items: Sequence[object] = ()

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
    def message(self) -> str:
        """The sentence in an error's body; empty where there is none."""
        message = self.body.get("message")
        return message if isinstance(message, str) else ""


class Transport(Protocol):
    """Sends requests; may be used from several threads."""

    @property
    def address(self) -> str:
        """Where it sends them, for messages; it holds no secret."""

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


class HttpTransport:
    """Sends requests over HTTP on kept-alive connections.

    A connection that fails is tried again: all of the client's calls are idempotent. A token is sent as such, user
    info in the URL as basic authentication; both are kept out of every message.

    Args:
        url: The server's base URL.
        token: The server's token; it goes before user info.

    Raises:
        ZeusBSOConfigError: It is not a base URL.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        import urllib3

        parts = _split(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = f":{parts.port}" if parts.port is not None else ""
        self._prefix = parts.path.rstrip("/")
        self._address = f"{parts.scheme}://{host}{port}{self._prefix}"
        self._headers = {"Accept": "application/json", "User-Agent": "zeus-bso"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        elif parts.username is not None or parts.password is not None:
            user_info = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(user_info.encode()).decode()}"
        self._pool = urllib3.connection_from_url(f"{parts.scheme}://{host}{port}", maxsize=4, block=False)
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"HttpTransport({self._address!r})"

    @property
    def address(self) -> str:
        """The base URL, without user info."""
        return self._address

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
        import urllib3

        if os.getpid() != self._pid:
            raise TransportError("A forked process does not use its parent's connection.")
        deadline = time.monotonic() + timeout_s
        target = self._prefix + path + (f"?{urlencode(params)}" if params else "")
        for pause_s in (*_PAUSES_S, None):
            try:
                return self._once(method, target, body, deadline - time.monotonic())
            except urllib3.exceptions.ReadTimeoutError:  # noqa: PERF203 - trying again is what the loop is for
                raise TransportError(f"{self._address} gave no answer within {timeout_s:g} s.") from None
            except urllib3.exceptions.HTTPError as error:
                if pause_s is None or time.monotonic() + pause_s >= deadline:
                    raise TransportError(f"{self._address} cannot be reached: {_reason(error)}.") from None
                time.sleep(pause_s)
        raise AssertionError("the last try returns or raises")

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

        Raises:
            TransportError: There was no answer, or it broke off.
        """
        import urllib3

        target = self._prefix + path + (f"?{urlencode(params)}" if params else "")
        timeout = urllib3.Timeout(connect=CALL_S, read=timeout_s)
        try:
            response = self._pool.urlopen(
                method, target, body=body, headers=self._headers, retries=False, timeout=timeout, preload_content=False
            )
            if into is None or response.status != 200:
                return _answer(response.status, response.read(), self._address)
            for piece in response.stream():
                into.write(piece)
            return Answer(response.status)
        except urllib3.exceptions.HTTPError as error:
            raise TransportError(f"{self._address} cannot be reached, or broke off: {_reason(error)}.") from None

    def close(self) -> None:
        """Close idle connections."""
        if os.getpid() == self._pid:
            self._pool.close()

    def _once(self, method: str, target: str, body: Mapping[str, object] | None, timeout_s: float) -> Answer:
        from urllib3 import Timeout

        headers = self._headers
        data = None
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
            data = json.dumps(body, allow_nan=False).encode()
        deadline = time.monotonic() + timeout_s
        response = self._pool.urlopen(
            method,
            target,
            body=data,
            headers=headers,
            retries=False,
            timeout=Timeout(total=max(0.001, timeout_s)),
            preload_content=False,
        )
        try:
            content = self._content(response, deadline)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return _answer(response.status, content, self._address)

    def _content(self, response: BaseHTTPResponse, deadline: float) -> bytes:
        """Read an answer, whose pieces may come one by one for ever."""
        content = bytearray()
        while piece := response.read1(_PIECE_BYTES):
            content += piece
            if len(content) > MAX_ANSWER_BYTES:
                raise TransportError(f"What answers at {self._address} is not a zeus-bso server: it does not end.")
            if time.monotonic() > deadline:
                raise TransportError(f"{self._address} gave no whole answer in time.")
        return bytes(content)


def _split(url: str) -> SplitResult:
    """Take a base URL apart; what is wrong with one is said without repeating it, as it may hold a password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ZeusBSOConfigError("The server's URL is malformed; it should look like http://127.0.0.1:8000.") from None
    if not host or "@" in parts.path:
        raise ZeusBSOConfigError(
            "The server's URL is malformed; it should look like http://127.0.0.1:8000, and special characters in "
            "user info must be percent-encoded."
        )
    if parts.query or parts.fragment:
        raise ZeusBSOConfigError("The server's URL must end after its path: no '?' and no '#'.")
    return parts


def _answer(status: int, data: bytes, address: str) -> Answer:
    if 300 <= status < 400:
        raise TransportError(f"{address} redirects to another address ({status}); give that one as server_url.")
    answer = Answer.read(status, data)
    if answer is None and status < 400:
        raise TransportError(f"What answers at {address} is not a zeus-bso server.")
    return answer or Answer(status)


def _reason(error: Exception) -> str:
    """The last part of an error's text: urllib3 puts the connection object's repr before it."""
    return str(error).rpartition(": ")[2] or type(error).__name__
