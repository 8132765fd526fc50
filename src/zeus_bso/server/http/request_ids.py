"""Gives every request an id, and counts requests."""

from __future__ import annotations

import random
import re
import time
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zeus_bso.protocol.urls import ASK_URL, GET_NEXT_BATCH_SIZE_URL, HEARTBEAT_URL, REPORT_END_URL, REPORT_RESULT_URL
from zeus_bso.server.instruments import Instruments
from zeus_bso.server.logs import request_id

REQUEST_ID_HEADER = "X-Request-ID"
_ENCODED_HEADER = REQUEST_ID_HEADER.lower().encode()

_ID_BITS = 128

_ids = (
    random.Random()
)  # Of its own, because programs seed the common one. An id is no secret, so it needs no system call.

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_DECISIONS = {
    ("GET", GET_NEXT_BATCH_SIZE_URL): "ask",
    ("POST", ASK_URL): "ask",
    ("POST", REPORT_RESULT_URL): "report",
    ("PATCH", REPORT_END_URL): "end",
    ("POST", HEARTBEAT_URL): "heartbeat",
}


class RequestIds:
    """Gives each request an id, returns the id in the answer, and counts the request by route and status.

    An ``X-Request-ID`` in the request is kept if it is short and plain, so that its log lines match those of a proxy.

    Args:
        app: The application.
        instruments: The counters.
    """

    def __init__(self, app: ASGIApp, instruments: Instruments) -> None:
        self._app = app
        self._instruments = instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        identity = sent if _SANE_ID.fullmatch(sent) else f"{_ids.getrandbits(_ID_BITS):032x}"
        request_id.set(identity)
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
        began = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_ENCODED_HEADER, identity.encode())]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            self._count(scope, status, time.perf_counter() - began)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._instruments.request(scope["method"], route, status)
        decision = _DECISIONS.get((scope["method"], route))
        if decision is not None:
            self._instruments.decision(decision, seconds)
