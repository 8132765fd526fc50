"""Real servers on real databases."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _forked(_forking: None) -> None:
    """Servers here are forked, unless a test is about their start."""
