"""Writes some rows with one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable


def write_rows(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run a statement for each row. PostgreSQL and SQLite take them all at once."""
    if rows:
        connection.execute(statement, rows[0] if len(rows) == 1 else rows)
