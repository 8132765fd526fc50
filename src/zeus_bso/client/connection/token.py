"""Finds the token for a server. No message contains it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from zeus_bso.exceptions import ZeusBSOConfigError

TOKEN_VARIABLE = "ZEUS_BSO_TOKEN"
TOKEN_FILE_VARIABLE = "ZEUS_BSO_TOKEN_FILE"

_TOKEN = re.compile(r"[\x21-\x7e]+")
_USER_INFO = re.compile(r"^\w+://[^/?#]*@")


def given_token(token: str | None, url: str) -> str | None:
    """The token to send: the argument, or else the one in the environment. None if the URL has user info.

    Raises:
        ZeusBSOConfigError: The file in ``ZEUS_BSO_TOKEN_FILE`` cannot be read, or the token cannot be sent in a header.
    """
    if token is None and not _USER_INFO.match(url):
        token = os.environ.get(TOKEN_VARIABLE) or _token_in_file()
    if token is None:
        return None
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise ZeusBSOConfigError(
            f"The token is empty, or has spaces or characters beyond ASCII (argument token, {TOKEN_VARIABLE}, or the "
            f"file that {TOKEN_FILE_VARIABLE} names)."
        )
    return token


def _token_in_file() -> str | None:
    path = os.environ.get(TOKEN_FILE_VARIABLE)
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ZeusBSOConfigError(f"The token's file {path} ({TOKEN_FILE_VARIABLE}) cannot be read: {reason}.") from None
