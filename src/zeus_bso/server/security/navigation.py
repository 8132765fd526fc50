"""People are sent to the login page, and back to where they wanted to go."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse

LOGIN_URL = "/login"

_OWN_ADDRESS = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def is_navigation(request: Request) -> bool:
    """Whether a person has opened an address in a browser, as opposed to a program or a page's script."""
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return False
    return request.headers.get("sec-fetch-mode", "navigate") == "navigate"


def to_login(request: Request) -> RedirectResponse:
    """Send a person to the login page; it knows where they wanted to go."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    answer = RedirectResponse(f"{LOGIN_URL}?{urlencode({'next': own_address(wanted)})}", 303)
    answer.headers["Vary"] = "Accept"
    return answer


def own_address(address: str) -> str:
    r"""The address, if it is a path of this server, else the front page: no login leads to another site.

    A browser reads ``//host`` and ``/\host`` as other sites, and drops line ends and tabs before it reads.
    """
    return address if _OWN_ADDRESS.fullmatch(address) and len(address) <= 4096 else "/"
