"""A limit on the size of request bodies, which applies before anything is parsed."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Answers 413 to a request whose body is larger than the limit, with or without a Content-Length header.

    It reads a body only when the application asks for it, which is after the application has checked the token.

    Args:
        app: The application.
        max_bytes: Size of the largest allowed body [bytes].
        others: Paths with another limit [bytes]. With None, the endpoint checks the size itself and reads the body in
            pieces.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, others: Mapping[str, int | None]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a body that is read as a whole and up to the limit."""
        max_bytes = self._others.get(scope["path"], self._max_bytes) if scope["type"] == "http" else None
        if max_bytes is None:
            await self._app(scope, receive, send)
            return
        too_large = f"The body is larger than {max_bytes} bytes."
        if _declared_bytes(scope) > max_bytes:
            await JSONResponse({"message": too_large}, 413)(scope, receive, send)
            return
        answering = False

        async def receive_whole() -> Message:
            message = await _whole(receive, max_bytes)
            if message is not None:
                return message
            if answering:
                return {"type": "http.disconnect"}
            raise HTTPException(413, too_large)

        async def answer(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        await self._app(scope, receive_whole, answer)


def _declared_bytes(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "0")
    return int(declared) if declared.isdigit() else 0


async def _whole(receive: Receive, max_bytes: int) -> Message | None:
    """A body as one message, or what came in place of it; None if it is larger than the limit."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body += message.get("body", b"")
        if len(body) > max_bytes:
            return None
        more = message.get("more_body", False)
    return {"type": "http.request", "body": bytes(body), "more_body": False}
