"""CSRF tokens as pages show them."""

from __future__ import annotations

import pytest

from zeus_bso.server.security.csrf import is_masked, masked

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
