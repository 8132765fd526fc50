"""Headers of every answer: security for browsers, and the mark of a zeus-bso server for clients."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zeus_bso.protocol.urls import MARK_HEADER

HEADERS = {
    MARK_HEADER: "1",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""The defaults, for answers that are not pages: no browser caches or frames them, and they load nothing."""

_ENCODED = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


class SecurityHeaders:
    """Adds the headers to each answer and keeps those that the answer already has.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(added for added in _ENCODED if added[0] not in given)]
            await send(message)

        await self._app(scope, receive, answer)
