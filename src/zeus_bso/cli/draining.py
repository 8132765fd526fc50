"""How a server ends that others stand in front of: first it is no longer ready, then it closes."""

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
"""An idle connection stays open for so long: longer than a client waits between two heartbeats."""

GRACE_S = 10
"""A request that has not been answered so long after the server closed is given up."""


def drain_when_told_to_end(app: FastAPI, drain_s: float) -> None:
    """Let SIGTERM make an app unready at once, and end its server after a while.

    In between requests are answered as ever, and connections are closed with their answers, so that a load balancer
    and its clients have gone elsewhere before the port closes. SIGINT still ends the server at once.

    Args:
        app: The application, not yet started.
        drain_s: How long that is [s]; 0: the server ends at once.
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
    """Whether the server has been told to end."""

    def __init__(self) -> None:
        self.begun = False

    def listen(self, drain_s: float) -> None:
        """Stand before the server's own handler of SIGTERM; to be called in its event loop."""
        loop = asyncio.get_running_loop()
        end = signal.getsignal(signal.SIGTERM)
        assert callable(end)

        def begin(number: int, frame: FrameType | None, end: Callable[[int, FrameType | None], Any] = end) -> None:
            if not self.begun:
                self.begun = True
                # A handler may run in the midst of anything, even of the loop.
                loop.call_soon_threadsafe(loop.call_later, drain_s, end, number, None)

        signal.signal(signal.SIGTERM, begin)


class _LastAnswers:
    """Once the drain has begun: not ready, and a connection's next answer is its last."""

    def __init__(self, app: ASGIApp, drain: _Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, unless it asks whether the server is ready."""
        if scope["type"] != "http" or not self._drain.begun:
            await self._app(scope, receive, send)
            return

        async def close_after(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        app = _NOT_READY if scope["path"] == "/readyz" else self._app
        await app(scope, receive, close_after)


_NOT_READY = JSONResponse({"message": "The server is about to end."}, 503, {"Retry-After": "1"})
