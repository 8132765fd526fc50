"""Sends requests over HTTP, and checks that a zeus-bso server has answered them."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import IO
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError, ReadTimeoutError, SSLError

from zeus_bso.client.connection import http_errors
from zeus_bso.client.connection.http_pool import open_pool, proxy_for
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.transport import CALL_S, LAUNCH_S, Answer, TransportError
from zeus_bso.protocol.urls import MARK_HEADER

MAX_ANSWER_BYTES = 2**26
"""Size limit of an answer."""

_PIECE_BYTES = 2**16

_PAUSES_S = (0.1, 0.3)
"""Pauses before the second and third try of a call whose connection failed [s]."""

_SAID_BY_PROXIES = (400, 404, 405, 413)
"""Refusals that gateways also send in JSON. Only the mark header shows that such an answer is the server's."""


class HttpTransport:
    """Sends requests over HTTP on kept-alive connections.

    After a failed connection the transport tries again, because all calls of the client are idempotent. It sends the
    token as a bearer token, and user info in the URL as basic authentication. No message contains either of them.

    Args:
        url: The server's base URL.
        token: The server's token. It takes precedence over user info.
        patience_s: How long a launch waits for a server that is away [s].

    Raises:
        ZeusBSOConfigError: It is not a base URL, or the environment names a proxy or certificates that cannot be used.
    """

    def __init__(self, url: str, token: str | None = None, *, patience_s: float = LAUNCH_S) -> None:
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
        self._origin = f"{parts.scheme}://{host}{port}"
        self._parts = parts
        self._pool = open_pool(parts, timed=True)
        proxy = proxy_for(parts)
        self._proxy = None if proxy is None else proxy[0]
        self.patience_s = patience_s
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
            TransportError: No answer came within ``timeout_s`` seconds, including retries.
        """
        if os.getpid() != self._pid:
            raise TransportError("A forked process does not use its parent's connection.")
        deadline = time.monotonic() + timeout_s
        for pause_s in (*_PAUSES_S, None):
            try:
                return self._once(method, self._url(path, params), body, deadline - time.monotonic())
            except HTTPError as error:  # noqa: PERF203 - trying again is what the loop is for
                is_last = pause_s is None or isinstance(error, ReadTimeoutError | SSLError)
                if is_last or time.monotonic() + (pause_s or 0.0) >= deadline:
                    raise http_errors.error_of(error, self._address, timeout_s, self._proxy) from None
                time.sleep(pause_s or 0.0)
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
        """Send a file, or write the answer into one, piece by piece. This does not try again.

        Raises:
            TransportError: There was no answer, or it broke off.
        """
        try:
            with open_pool(self._parts, timed=False) as pool:
                response = pool.urlopen(
                    method,
                    self._url(path, params),
                    body=body,
                    headers=self._headers,
                    redirect=False,
                    retries=False,
                    timeout=Timeout(connect=CALL_S, read=timeout_s),
                    preload_content=False,
                )
                if into is None or response.status != 200:
                    return _answer(response, response.read(), self._address)
                for piece in response.stream():
                    into.write(piece)
                return Answer(response.status)
        except HTTPError as error:
            raise http_errors.error_of(error, self._address, timeout_s, self._proxy) from None

    def close(self) -> None:
        """Close idle connections."""
        if os.getpid() == self._pid:
            # `clear` closes a pool's connections once nobody holds the pool any more, as an exception may.
            for key in self._pool.pools.keys():  # noqa: SIM118 - it cannot be iterated
                if (pool := self._pool.pools.get(key)) is not None:
                    pool.close()
            self._pool.clear()

    def _url(self, path: str, params: Mapping[str, str] | None) -> str:
        return self._origin + self._prefix + path + (f"?{urlencode(params)}" if params else "")

    def _once(self, method: str, url: str, body: Mapping[str, object] | None, timeout_s: float) -> Answer:
        headers = self._headers
        data = None
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
            data = json.dumps(body, allow_nan=False).encode()
        response = self._pool.urlopen(
            method,
            url,
            body=data,
            headers=headers,
            redirect=False,
            retries=False,
            timeout=Timeout(total=max(0.001, timeout_s)),
            preload_content=False,
        )
        try:
            content = self._content(response)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return _answer(response, content, self._address)

    def _content(self, response: BaseHTTPResponse) -> bytes:
        """Read an answer up to the size limit."""
        content = bytearray()
        while piece := response.read1(_PIECE_BYTES):
            content += piece
            if len(content) > MAX_ANSWER_BYTES:
                raise TransportError(f"What answers at {self._address} is not a zeus-bso server: it does not end.")
        return bytes(content)


def _split(url: str) -> SplitResult:
    """Split a base URL. Error messages do not repeat it, because it may contain a password."""
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


def _answer(response: BaseHTTPResponse, data: bytes, address: str) -> Answer:
    """Read an answer of the server.

    Raises:
        TransportError: The answer is not from a zeus-bso server.
    """
    status, headers = response.status, response.headers
    if 300 <= status < 400:
        raise http_errors.redirected(address, status, headers.get("Location"))
    answer = Answer.read(status, data)
    if Answer(status).passing:
        return replace(answer or Answer(status), retry_after_s=_retry_after_s(headers.get("Retry-After")))
    if answer is None or (status >= 400 and not _is_refusal(answer, is_marked=MARK_HEADER in headers)):
        raise http_errors.foreign(address, status, data)
    return answer


def _is_refusal(answer: Answer, *, is_marked: bool) -> bool:
    """Whether a refusal is from the server."""
    return is_marked or (list(answer.body) == ["message"] and answer.status not in _SAID_BY_PROXIES)


def _retry_after_s(value: str | None) -> float | None:
    """Read a ``Retry-After`` header, which contains seconds or a date. Returns seconds."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, at.timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
