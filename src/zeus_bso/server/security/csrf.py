"""Requests that another site makes a browser send."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from zeus_bso.exceptions import ForbiddenError

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"

_FORM = "application/x-www-form-urlencoded"


def refuse_other_sites(request: Request) -> None:
    """Refuse a request that a page of another site has sent; what is no browser says nothing about sites.

    Raises:
        ForbiddenError: It was sent by one.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        own = site in ("same-origin", "none")
    else:
        own = origin is None or _host(origin) == request.headers.get("host", "").lower()
    if not own:
        raise ForbiddenError("A page of another site may not change anything here.")


async def refuse_without_csrf(request: Request, expected: str, *, in_form: bool) -> None:
    """Refuse a request with a cookie that does not prove to come from one of our pages.

    Args:
        request: The request.
        expected: What the page was given.
        in_form: The proof may be a field of the form in the body.

    Raises:
        ForbiddenError: The proof is missing, or of another session.
    """
    given = request.headers.get(CSRF_HEADER) or ""
    if in_form and not given:
        given = (await read_form(request)).get(CSRF_FIELD, "")
    if not same(given, expected):
        raise ForbiddenError(
            f"A browser's session changes something here only from our own pages: the header {CSRF_HEADER} is missing "
            "or wrong. Reload the page, or send a token."
        )


async def read_form(request: Request) -> dict[str, str]:
    """Read the fields of a form; each once. Another body than a form has none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return {}
    fields = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True, max_num_fields=None)
    return {name: values[0] for name, values in fields.items()}


def same(given: str, expected: str) -> bool:
    """Whether two secrets are the same, in the same time whether they are or not."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode(errors="surrogatepass"))


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
