"""Which database a URL names."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.server.database.networked import DRIVERS, NetworkedDatabase
from zeus_bso.server.database.sqlite import SqliteDatabase
from zeus_bso.server.database.transactions import Database

_EXAMPLES = (
    "sqlite:///path/to/file.db, mysql+asyncmy://user:password@host/name or postgresql+psycopg://user:password@host/name"
)


def open_database(url: str, *, pool_size: int = 10) -> Database:
    """Make the database that a URL names; nothing is opened yet.

    Args:
        url: SQLite, MySQL, MariaDB or PostgreSQL; the driver need not be named.
        pool_size: Connections to a database server at most.

    Raises:
        ZeusBSOConfigError: The URL is malformed, or names a database that is not supported.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteDatabase(parsed)
    return NetworkedDatabase(parsed, pool_size=pool_size)


def parse_url(url: str) -> URL:
    """Parse a database URL.

    Raises:
        ZeusBSOConfigError: It is malformed, or names a database that is not supported. The message does not repeat it,
            since it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ZeusBSOConfigError(f"The database URL cannot be read; it should look like {_EXAMPLES}") from None
    backend = parsed.get_backend_name()
    if backend != "sqlite" and backend not in DRIVERS:
        raise ZeusBSOConfigError(f"The database '{backend}' is not supported; the URL should look like {_EXAMPLES}")
    return parsed
