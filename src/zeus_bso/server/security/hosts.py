"""By which names a server is called that asks nobody who they are."""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class LocalNames:
    """Refuses requests to another name than this machine's own.

    A page of any site can let its own name point to 127.0.0.1, and then read what a server there answers to that name.
    An address in numbers cannot be such a name.

    Args:
        app: The application, which listens on loopback and asks for no token.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, if its name is one of ours."""
        if scope["type"] != "http" or _is_local(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        await _REFUSED(scope, receive, send)


def _is_local(host: str) -> bool:
    name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    if not name or name.lower().rstrip(".") == "localhost" or name.lower().endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


_REFUSED = JSONResponse(
    {
        "message": "This server asks for no token, so it answers to 127.0.0.1 and localhost alone. "
        "To reach it by another name, set ZEUS_BSO_API_TOKENS."
    },
    403,
)
