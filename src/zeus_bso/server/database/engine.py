"""Which database a URL names."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.server.database.sqlite import SqliteDatabase
from zeus_bso.server.database.transactions import Database


def open_database(url: str) -> Database:
    """Make the database that a URL names; nothing is opened yet.

    Raises:
        ZeusBSOConfigError: The URL is malformed, or names a database that is not supported.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise ZeusBSOConfigError(
            f"The database '{parsed.get_backend_name()}' is not supported. Use an SQLite file: sqlite:///path/to/file.db"
        )
    return SqliteDatabase(parsed)


def parse_url(url: str) -> URL:
    """Parse a database URL.

    Raises:
        ZeusBSOConfigError: It is malformed. The message does not repeat it, since it may hold a password.
    """
    try:
        return make_url(url)
    except ArgumentError:
        raise ZeusBSOConfigError(
            "The database URL cannot be read; it should look like sqlite:///path/to/file.db"
        ) from None
