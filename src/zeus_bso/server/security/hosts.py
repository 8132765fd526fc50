"""Host-header check against DNS rebinding, for servers without tokens."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class LocalNames:
    """Refuses requests whose host name is not one of this machine.

    Any web site can let its own name point to an address of this machine or of its network, and its pages can then read
    the answers of a server there. A numeric address cannot be such a name.

    Args:
        app: The application, which has no tokens.
        allowed: More names that are allowed, separated by spaces or commas.
    """

    def __init__(self, app: ASGIApp, allowed: str = "") -> None:
        self._app = app
        names = ("", "localhost", socket.gethostname(), *re.split(r"[\s,]+", allowed))  # every browser names a host
        self._names = {name.lower().rstrip(".") for name in names}
        self._allows = functools.lru_cache(maxsize=64)(self._is_allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if its host name is allowed."""
        if scope["type"] != "http" or all(map(self._allows, Headers(scope=scope).getlist("host"))):
            await self._app(scope, receive, send)
            return
        await _REFUSED(scope, receive, send)

    def _is_allowed(self, host: str) -> bool:
        name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
        name = name.lower().rstrip(".")
        if name in self._names or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


_REFUSED = JSONResponse(
    {
        "message": "This server has no tokens, so it answers only to numeric addresses, localhost and the name of its "
        "machine. To reach it by another name, add the name to ZEUS_BSO_ALLOWED_HOSTS, or set ZEUS_BSO_API_TOKENS."
    },
    403,
)
