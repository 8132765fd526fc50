"""Column types and expressions with the same meaning in every database."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import DateTime, String, Text, TypeDecorator
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

_SQLITE_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC timestamp with microseconds. SQLite stores it as text that sorts by time."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type of the dialect."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(26))
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Convert an aware timestamp to the database's form."""
        if value is None:
            return None
        value = value.astimezone(timezone.utc)
        if dialect.name == "sqlite":
            return value.strftime(_SQLITE_FORMAT)
        return value.replace(tzinfo=None) if dialect.name in ("mysql", "mariadb") else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read an aware timestamp in UTC."""
        if value is None:
            return None
        stamp: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
        return stamp.replace(tzinfo=timezone.utc) if stamp.tzinfo is None else stamp.astimezone(timezone.utc)


class Identifier(TypeDecorator[str]):
    """A name that is compared byte by byte, including case and trailing blanks."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose a binary collation where the default collation is not binary."""
        if dialect.name not in ("mysql", "mariadb"):
            return dialect.type_descriptor(String(255))
        collation = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
        return dialect.type_descriptor(mysql.VARCHAR(255, charset="utf8mb4", collation=collation))


class Json(TypeDecorator[Any]):
    """A JSON document, stored as text so that every database returns it unchanged."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write the document compactly."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read the document."""
        return None if value is None else json.loads(value)


class database_now(FunctionElement[datetime]):  # noqa: N801 - an SQL function, named like one
    """The database's clock, in UTC."""

    type = UtcDateTime()
    inherit_cache = True


class statement_begin(FunctionElement[datetime]):  # noqa: N801 - an SQL function, named like one
    """The database's clock, in UTC, when the statement began. So all rows of one statement are judged alike."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(database_now, "sqlite")
@compiles(statement_begin, "sqlite")
def _sqlite_now(element: FunctionElement[datetime], compiler: SQLCompiler, **kw: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f', 'now')"


@compiles(database_now, "mysql")
@compiles(database_now, "mariadb")
@compiles(statement_begin, "mysql")
@compiles(statement_begin, "mariadb")
def _mysql_now(element: FunctionElement[datetime], compiler: SQLCompiler, **kw: Any) -> str:
    return "utc_timestamp(6)"


@compiles(database_now, "postgresql")
def _postgresql_now(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    return "clock_timestamp()"


@compiles(statement_begin, "postgresql")
def _postgresql_statement_begin(element: statement_begin, compiler: SQLCompiler, **kw: Any) -> str:
    return "statement_timestamp()"
