"""On which databases a test of the contract runs."""

from __future__ import annotations

import pytest

EVERY_DATABASE = pytest.mark.databases("every")
"""The default: what a statement, a lock, a clock or a column of the database can break."""

ANY_DATABASE = pytest.mark.databases("any")
"""A rule that looks at rows which every database returns alike. Tests on every database send the same statements."""
