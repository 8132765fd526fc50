"""The server behind a proxy: whose headers it believes, and the path prefix under which users see it."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.server.dashboard.login import login
from zeus_bso.server.dashboard.page_routes import dashboard
from zeus_bso.server.router import router
from zeus_bso.server.security.navigation import PREFIX
from zeus_bso.server.security.routes import GuardedRoute

if TYPE_CHECKING:
    from fastapi import FastAPI

PROXIES_VARIABLE = "FORWARDED_ALLOW_IPS"
"""Names the proxies, as addresses and networks. Uvicorn knows it, too."""

_PREFIX = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)*")


def refuse_own_paths(root_path: str) -> None:
    """Check that a path prefix cannot be taken for a path of the server.

    Raises:
        CommandError: It can.
    """
    own = {
        route.path.split("/")[1]
        for part in (router, dashboard, login)
        for route in part.routes
        if isinstance(route, GuardedRoute)
    }
    if root_path.strip("/").partition("/")[0] in own - {""}:
        raise CommandError(f"--root-path {root_path} begins with a path of the server; choose another.", BAD_USE)


def stand_behind_proxies(app: FastAPI, root_path: str) -> None:
    """Make an app believe the proxies that are named.

    Args:
        app: The application.
        root_path: The path prefix under which users see the server, if no proxy names one.
    """
    app.add_middleware(_Forwarded, proxies=os.environ.get(PROXIES_VARIABLE, ""), root_path=root_path)


class _Forwarded:
    """Takes the client's address and scheme from proxies that are named, and a path prefix also from this machine.

    A prefix changes nothing but the links in the answer, and a browser sends none by itself. An address counts wrong
    tokens, so nobody may choose it.
    """

    def __init__(self, app: ASGIApp, proxies: str, root_path: str) -> None:
        self._addresses = ProxyHeadersMiddleware(app, trusted_hosts=proxies)  # type: ignore[arg-type]
        self._next = self._addresses if proxies else app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, without the prefix in its path."""
        if scope["type"] == "http":
            scope[PREFIX] = self._prefix(scope)
            path = scope["path"]
            if self._root_path and (path == self._root_path or path.startswith(self._root_path + "/")):
                scope["path"] = path[len(self._root_path) :] or "/"
        await self._next(scope, receive, send)  # type: ignore[arg-type]

    def _prefix(self, scope: Scope) -> str:
        sent = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
        if sent and _PREFIX.fullmatch(sent) and self._believes((scope.get("client") or ("",))[0]):
            return sent
        return self._root_path

    def _believes(self, address: str) -> bool:
        if address in self._addresses.trusted_hosts:
            return True
        try:
            return ipaddress.ip_address(address).is_loopback
        except ValueError:
            return False
