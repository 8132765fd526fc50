"""Finds the schema revision of a database without Alembic, so that a server with a current schema never loads it.

Alembic and its dependencies take a tenth of a server's memory.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from zeus_bso.exceptions import ZeusBSOConfigError

VERSION_TABLE = "zeus_bso_schema_version"

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


@cache
def head() -> str:
    """The revision that this version needs, which is that of its last migration, ``vREVISION_name.py``."""
    return max(path.stem.removeprefix("v").partition("_")[0] for path in _VERSIONS.glob("v*_*.py"))


def describe_older_schema(revision: str) -> str:
    """The sentence about a schema of an older release."""
    return f"The database's schema ({revision}) is older than this version's ({head()}). Run: zeus-bso db upgrade"


def check_encoding(connection: Connection) -> None:
    """Check that the database stores text as Unicode. Tables of MySQL and files of SQLite always do.

    Raises:
        ZeusBSOConfigError: It does not. The message says how to create one that does.
    """
    if connection.dialect.name == "postgresql":
        encoding = connection.scalar(text("SELECT current_setting('server_encoding')"))
        if encoding != "UTF8":
            raise ZeusBSOConfigError(
                f"The database stores text as {encoding}, but zeus-bso needs UTF8. "
                "Create another one: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0"
            )


def is_current(connection: Connection) -> bool:
    """Whether the schema is the one that this version needs."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return False
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all() == [head()]
