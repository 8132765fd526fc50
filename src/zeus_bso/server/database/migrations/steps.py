"""Changes of the schema that first ask whether they are done.

MySQL and MariaDB commit each change by itself. A migration that was interrupted there therefore runs again from its
beginning, and passes over what it finds done. In a printed script (``--sql``) nothing can be asked.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op


def create_table(name: str, *parts: Any, **options: Any) -> None:
    """Create a table, unless it exists."""
    if not _has_table(name):
        op.create_table(name, *parts, **options)


def drop_table(name: str) -> None:
    """Drop a table, unless it is gone."""
    if context.is_offline_mode() or _has_table(name):
        op.drop_table(name)


def create_index(name: str, table: str, columns: list[str], *, unique: bool = False) -> None:
    """Create an index, unless it exists."""
    if context.is_offline_mode() or name not in {index["name"] for index in _inspector().get_indexes(table)}:
        op.create_index(op.f(name), table, columns, unique=unique)


def drop_index(name: str, table: str) -> None:
    """Drop an index, unless it is gone."""
    if context.is_offline_mode() or name in {index["name"] for index in _inspector().get_indexes(table)}:
        op.drop_index(op.f(name), table)


def add_column(table: str, column: sa.Column[Any]) -> None:
    """Add a column, unless it exists."""
    if context.is_offline_mode() or column.name not in _columns(table):
        op.add_column(table, column)


def drop_column(table: str, name: str) -> None:
    """Drop a column, unless it is gone."""
    if context.is_offline_mode() or name in _columns(table):
        op.drop_column(table, name)


def rename_column(table: str, old: str, new: str, kind: sa.types.TypeEngine[Any]) -> None:
    """Rename a column that is never null, unless it is done."""
    if context.is_offline_mode() or old in _columns(table):
        op.alter_column(table, old, new_column_name=new, existing_type=kind, existing_nullable=False)


def _has_table(name: str) -> bool:
    return not context.is_offline_mode() and _inspector().has_table(name)


def _columns(table: str) -> set[str]:
    return {column["name"] for column in _inspector().get_columns(table)}


def _inspector() -> sa.Inspector:
    """A new one each time, because it remembers what it has found."""
    return sa.inspect(op.get_bind())
