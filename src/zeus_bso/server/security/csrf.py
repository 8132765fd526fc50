"""Protection against requests that another site makes a browser send."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from zeus_bso.exceptions import ForbiddenError

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"

_FORM = "application/x-www-form-urlencoded"


def refuse_other_sites(request: Request) -> None:
    """Refuse a request that a page of another site has sent. Only browsers name the site of the page.

    Raises:
        ForbiddenError: A page of another site has sent the request.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        own = site in ("same-origin", "none")
    else:
        host = request.headers.get("host", "").lower()
        # "Origin: null" names no host, and is not the same as a request without a Host header.
        own = origin is None or (host != "" and _host(origin) == host)
    if not own:
        raise ForbiddenError("A page of another site may not change anything here.")


async def refuse_without_csrf(request: Request, expected: str, *, in_form: bool) -> None:
    """Refuse a request with a cookie if it has no CSRF token from one of our pages.

    Args:
        request: The request.
        expected: The CSRF token of the page.
        in_form: Whether the CSRF token may be a field of the form in the body.

    Raises:
        ForbiddenError: The CSRF token is missing or belongs to another session.
    """
    given = request.headers.get(CSRF_HEADER) or ""
    if in_form and not given:
        given = (await read_form(request)).get(CSRF_FIELD, "")
    if not is_masked(given, expected):
        raise ForbiddenError(
            f"The header {CSRF_HEADER} is missing or wrong. A browser session can make changes only from the pages of "
            "this server. Reload the page, or send a token."
        )


async def read_form(request: Request) -> dict[str, str]:
    """Read the fields of a form. Of a repeated field only the first value counts. Other bodies have no fields."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return {}
    fields = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True, max_num_fields=None)
    return {name: values[0] for name, values in fields.items()}


def masked(token: str) -> str:
    """A CSRF token as a page shows it: other digits each time.

    Pages are compressed and repeat what was searched for. Digits that stay the same could be guessed one by one from
    the size of a page.

    Args:
        token: The token, in hexadecimal digits.
    """
    secret = bytes.fromhex(token)
    mask = secrets.token_bytes(len(secret))
    return (mask + _xor(secret, mask)).hex()


def is_masked(given: str, expected: str) -> bool:
    """Whether a text is a CSRF token as a page has shown it. The tokens are compared in constant time."""
    try:
        both = bytes.fromhex(given)
    except ValueError:
        return False
    half = len(both) // 2
    return hmac.compare_digest(_xor(both[:half], both[half:]), bytes.fromhex(expected))


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
