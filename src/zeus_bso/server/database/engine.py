"""Opens the database that a URL names."""

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
    """Create the database object for a URL. It opens no connection yet.

    Args:
        url: URL of an SQLite, MySQL, MariaDB or PostgreSQL database. The driver is optional.
        pool_size: Largest number of connections to a database server.

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
        ZeusBSOConfigError: The URL is malformed, or names a database that is not supported. The message does not repeat
            the URL, because it may contain a password.
    """
    options = url.rpartition("@")[2].partition("?")[2]  # a password may have a question mark too
    if "" in (option.partition("=")[1] for option in options.split("&") if option):
        raise ZeusBSOConfigError("The options of the database URL must be name=value, with & between them")
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ZeusBSOConfigError(f"The database URL cannot be read; it should look like {_EXAMPLES}") from None
    dialect, plus, driver = parsed.drivername.partition("+")
    if dialect == "postgres":  # the name that hosts of databases give
        parsed = parsed.set(drivername=f"postgresql{plus}{driver}")
    backend = parsed.get_backend_name()
    if backend != "sqlite" and backend not in DRIVERS:
        raise ZeusBSOConfigError(f"The database '{backend}' is not supported; the URL should look like {_EXAMPLES}")
    return parsed
