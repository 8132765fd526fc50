"""What protects against requests that another site makes a browser send."""

from __future__ import annotations

import pytest
from fastapi import Request

from zeus_bso.exceptions import ForbiddenError
from zeus_bso.server.security.csrf import is_masked, masked, refuse_other_sites

TOKEN = "0123456789abcdef" * 4
OTHER = "f" * 64


def test_a_token_looks_different_on_every_page_and_stays_valid() -> None:
    shown = [masked(TOKEN) for _ in range(50)]

    assert len(set(shown)) == len(shown)
    assert all(is_masked(text, TOKEN) for text in shown)
    assert not any(TOKEN in text or is_masked(text, OTHER) for text in shown)


@pytest.mark.parametrize("given", ["", "x", TOKEN, OTHER, TOKEN + OTHER, "0" * 128, "\ud800", "é" * 128])
def test_nothing_else_is_taken_for_it(given: str) -> None:
    assert not is_masked(given, TOKEN)


def sent(headers: dict[str, str]) -> Request:
    named = {"host": "bso.example:8000"} | headers
    return Request({"type": "http", "headers": [(name.encode(), text.encode()) for name, text in named.items()]})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://bso.example:8000"},
        {"origin": "https://BSO.example:8000"},
        {"sec-fetch-site": "same-origin", "origin": "https://as.seen.behind.a.proxy"},
        {"sec-fetch-site": "none"},
    ],
)
def test_programs_our_own_pages_and_whoever_types_an_address_may_change_things(headers: dict[str, str]) -> None:
    refuse_other_sites(sent(headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-site", "origin": "http://bso.example:8000"},
        {"sec-fetch-site": ""},
        {"origin": "http://evil.example"},
        {"origin": "http://bso.example"},
        {"origin": "http://bso.example:8000.evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "null", "host": ""},
    ],
)
def test_a_page_of_another_site_may_change_nothing(headers: dict[str, str]) -> None:
    with pytest.raises(ForbiddenError):
        refuse_other_sites(sent(headers))
