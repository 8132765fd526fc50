"""Chooses the transport for a URL."""

from __future__ import annotations

import math
import os
from pathlib import Path

from zeus_bso.client.connection.token import given_token
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.transport import LAUNCH_S, FileTransport

SERVER_URL_VARIABLE = "ZEUS_BSO_SERVER_URL"
WAIT_VARIABLE = "ZEUS_BSO_WAIT_S"
"""Variable for how long a launch waits for a server that is away [s]."""

_WAYS = (
    f"give server_url, or set {SERVER_URL_VARIABLE}, as one of\n"
    "  http://127.0.0.1:8000      a server, started with: zeus-bso serve\n"
    "  sqlite:///zeus-bso.db      no server: a file on this machine"
)


def transport_for(server_url: str | None, token: str | None = None) -> FileTransport:
    """The transport for a URL: ``http(s)://...`` or ``sqlite:///path``.

    Args:
        server_url: The URL. None for the URL in ``ZEUS_BSO_SERVER_URL``.
        token: The server's token. None for user info in the URL, or else the token in the environment.

    Raises:
        ZeusBSOConfigError: There is no URL, or it is of another kind. The message shows both kinds.
    """
    url = (server_url or os.environ.get(SERVER_URL_VARIABLE) or "").strip()
    scheme = url.partition("://")[0].lower()
    if not url:
        raise ZeusBSOConfigError(f"No server is given: {_WAYS}")
    # Imported where needed: a file needs no HTTP, and a connection to a server needs no asyncio.
    if scheme in ("http", "https"):
        from zeus_bso.client.connection.http_transport import HttpTransport

        return HttpTransport(url, given_token(token, url), patience_s=_patience_s())
    if scheme == "sqlite":
        from zeus_bso.embedded import EmbeddedTransport, file_url

        return EmbeddedTransport(file_url(url))
    raise ZeusBSOConfigError(f"The server's URL begins neither with http(s):// nor with sqlite:///: {_WAYS}")


def missing_file(server_url: str | None) -> str | None:
    """The URL, if it names a file that does not exist. Whoever only reads should not create it."""
    url = (server_url or os.environ.get(SERVER_URL_VARIABLE) or "").strip()
    path = url.removeprefix("sqlite:///").partition("?")[0]
    return url if url.startswith("sqlite:///") and path and not Path(path).exists() else None


def _patience_s() -> float:
    given = os.environ.get(WAIT_VARIABLE, "").strip()
    try:
        patience_s = float(given) if given else LAUNCH_S
    except ValueError:
        patience_s = math.nan
    if not 0 <= patience_s <= 86_400:
        raise ZeusBSOConfigError(f"{WAIT_VARIABLE} must be a number of seconds from 0 to 86400, not {given!r}.")
    return patience_s
