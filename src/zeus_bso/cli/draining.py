"""How a server behind a load balancer ends: first it is no longer ready, then it closes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from fastapi import FastAPI

KEEP_ALIVE_S = 75
"""How long an idle connection stays open [s]: longer than a client waits between two heartbeats."""

GRACE_S = 10
"""How long the server waits for requests in progress after it has closed its port [s]."""


def drain_when_told_to_end(app: FastAPI, drain_s: float) -> None:
    """On SIGTERM, make an app unready at once and end its server after a delay.

    During the delay the server still answers requests, and it closes each connection with the next answer. So a load
    balancer and its clients can go elsewhere before the port closes. SIGINT still ends the server at once.

    Args:
        app: The application, not yet started.
        drain_s: The delay [s]. With 0 the server ends at once.
    """
    if drain_s == 0:
        return
    drain = _Drain()
    app.add_middleware(_LastAnswers, drain=drain)
    lifespan = app.router.lifespan_context

    @asynccontextmanager
    async def listening(app: FastAPI) -> AsyncIterator[Mapping[str, Any] | None]:
        async with lifespan(app) as state:
            drain.listen(drain_s)
            yield state

    app.router.lifespan_context = listening  # type: ignore[assignment]


class _Drain:
    """Records whether the server has received SIGTERM."""

    def __init__(self) -> None:
        self.begun = False

    def listen(self, drain_s: float) -> None:
        """Install a handler of SIGTERM before the server's own one. Call this in the server's event loop."""
        loop = asyncio.get_running_loop()
        end = signal.getsignal(signal.SIGTERM)
        assert callable(end)

        def begin(number: int, frame: FrameType | None, end: Callable[[int, FrameType | None], Any] = end) -> None:
            if not self.begun:
                self.begun = True
                # A signal handler may interrupt anything, even the event loop.
                loop.call_soon_threadsafe(loop.call_later, drain_s, end, number, None)

        signal.signal(signal.SIGTERM, begin)


class _LastAnswers:
    """Once the drain has begun, says that the server is not ready, and closes each connection with its next answer."""

    def __init__(self, app: ASGIApp, drain: _Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it asks whether the server is ready."""
        if scope["type"] != "http" or not self._drain.begun:
            await self._app(scope, receive, send)
            return

        async def close_after(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        app = _NOT_READY if scope["path"] == "/readyz" else self._app
        await app(scope, receive, close_after)


_NOT_READY = JSONResponse({"message": "The server is shutting down."}, 503, {"Retry-After": "1"})
