"""Which revision of the schema a database has, told without Alembic: no server with a current schema ever loads it.

Alembic, with what it brings along, is a tenth of a server's memory.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

VERSION_TABLE = "zeus_bso_schema_version"

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


@cache
def head() -> str:
    """The revision that this version works with: that of the last of its migrations, ``vREVISION_name.py``."""
    return max(path.stem.removeprefix("v").partition("_")[0] for path in _VERSIONS.glob("v*_*.py"))


def upgrade_connection(connection: Connection) -> None:
    """Bring the schema up to date, in a transaction that was begun."""
    if not _is_current(connection):
        from zeus_bso.server.database import migrate

        migrate.upgrade_connection(connection)


def check_connection(connection: Connection) -> None:
    """Check the schema, in a transaction that was begun.

    Raises:
        SchemaError: It is not the one that this version works with; the message says what to do.
    """
    if not _is_current(connection):
        from zeus_bso.server.database import migrate

        migrate.check_connection(connection)


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table(VERSION_TABLE):
        return False
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all() == [head()]
