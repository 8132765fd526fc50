"""Compresses pages and long lists for clients that ask for it."""

from __future__ import annotations

import gzip

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIN_BYTES = 2048
"""Size of the smallest answer that is compressed [bytes]. Answers to asks and reports are far smaller."""

_TYPES = ("text/html", "application/json")
_LEVEL = 5
"""Almost as small as with the highest level, in half the time."""


class Compression:
    """Compresses HTML and JSON with gzip, in another thread than the one that answers reports.

    Streamed answers, such as exports, and answers of other types stay as they are. Entity tags stay the same, because
    they are weak: they name the content, not its bytes.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and compress its answer if it is worth it."""
        if scope["type"] != "http" or scope["method"] == "HEAD":
            await self._app(scope, receive, send)
            return
        accepted = accepts_gzip(Headers(scope=scope).get("accept-encoding", ""))
        await self._app(scope, receive, _Answer(send, accepted=accepted).pass_on)


class _Answer:
    """An answer on its way: held back until it is whole if it is going to be compressed."""

    def __init__(self, send: Send, *, accepted: bool) -> None:
        self._send = send
        self._accepted = accepted
        self._held_back: Message | None = None
        self._body = bytearray()

    async def pass_on(self, message: Message) -> None:
        """Pass on the next part."""
        if message["type"] == "http.response.start" and _worth_it(message):
            MutableHeaders(scope=message).add_vary_header("Accept-Encoding")
            if self._accepted:
                self._held_back = message
                return
        if self._held_back is None:
            await self._send(message)
            return
        self._body.extend(message.get("body", b""))
        if not message.get("more_body", False):
            await self._send_compressed(self._held_back)

    async def _send_compressed(self, start: Message) -> None:
        compressed = await run_in_threadpool(gzip.compress, self._body, _LEVEL)
        headers = MutableHeaders(scope=start)
        headers["Content-Encoding"], headers["Content-Length"] = "gzip", str(len(compressed))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": compressed})


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client with this ``Accept-Encoding`` wants gzip."""
    weights = {}
    for part in accept_encoding.lower().split(","):
        coding, _, parameter = part.partition(";")
        weights[coding.strip()] = parameter.replace(" ", "").removeprefix("q=")
    weight = weights.get("gzip", weights.get("*", "0"))
    try:
        return not weight or float(weight) > 0
    except ValueError:
        return False


def _worth_it(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    length = headers.get("content-length", "")  # streamed answers have none
    return (
        length.isdigit()
        and int(length) >= MIN_BYTES
        and headers.get("content-type", "").partition(";")[0] in _TYPES
        and "content-encoding" not in headers
    )
