"""Redirects people to the login page, and back to the page that they wanted."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse

LOGIN_URL = "/login"

PREFIX = "zeus_bso.prefix"
"""The key in a request's scope that holds the path prefix under which the user sees the server."""

_OWN_ADDRESS = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def is_navigation(request: Request) -> bool:
    """Whether a person has opened this address in a browser. Programs and scripts of a page do not count."""
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return False
    return request.headers.get("sec-fetch-mode", "navigate") == "navigate"


def prefix_of(request: Request) -> str:
    """The path prefix under which the user sees this server, to put before each address in an answer. Often empty."""
    return str(request.scope.get(PREFIX, ""))


def to_login(request: Request) -> RedirectResponse:
    """Redirect a person to the login page, which gets the address of the page they wanted."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    answer = RedirectResponse(f"{prefix_of(request)}{LOGIN_URL}?{urlencode({'next': own_address(wanted)})}", 303)
    answer.headers["Vary"] = "Accept"
    return answer


def own_address(address: str) -> str:
    r"""The address if it is a path of this server, else the front page, so that no login leads to another site.

    A browser reads ``//host`` and ``/\host`` as other sites, and it first removes line ends and tabs.
    """
    return address if _OWN_ADDRESS.fullmatch(address) and len(address) <= 4096 else "/"
