"""Which transport a URL names."""

from __future__ import annotations

import os

from zeus_bso.client.token import given_token
from zeus_bso.client.transport import FileTransport, HttpTransport
from zeus_bso.exceptions import ZeusBSOConfigError

SERVER_URL_VARIABLE = "ZEUS_BSO_SERVER_URL"

_WAYS = (
    f"give server_url, or set {SERVER_URL_VARIABLE}, as one of\n"
    "  http://127.0.0.1:8000      a server, started with: zeus-bso serve\n"
    "  sqlite:///zeus-bso.db      no server: a file on this machine"
)


def transport_for(server_url: str | None, token: str | None = None) -> FileTransport:
    """The transport for a URL: ``http(s)://...`` or ``sqlite:///path``.

    Args:
        server_url: The URL; None: the one in ``ZEUS_BSO_SERVER_URL``.
        token: The server's token; None: user info in the URL, else what the environment names.

    Raises:
        ZeusBSOConfigError: There is none, or it is of another kind; the message shows both.
    """
    url = (server_url or os.environ.get(SERVER_URL_VARIABLE) or "").strip()
    scheme = url.partition("://")[0].lower()
    if not url:
        raise ZeusBSOConfigError(f"No server is given: {_WAYS}")
    if scheme in ("http", "https"):
        return HttpTransport(url, given_token(token, url))
    if scheme == "sqlite":
        # Loaded only here: it brings asyncio, which a script with a server never needs.
        from zeus_bso.client.embedded import EmbeddedTransport, file_url

        return EmbeddedTransport(file_url(url))
    raise ZeusBSOConfigError(f"The server's URL begins neither with http(s):// nor with sqlite:///: {_WAYS}")
