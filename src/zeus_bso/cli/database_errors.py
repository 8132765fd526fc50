"""Errors of the database, in a sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from zeus_bso.cli.errors import CommandError


@contextmanager
def database_errors_in_one_line() -> Iterator[None]:
    """Turn what a driver or the file system says about the database into a :class:`CommandError`."""
    from sqlalchemy.exc import ArgumentError, DBAPIError

    try:
        yield
    except ArgumentError as error:
        raise CommandError("the database URL makes no sense; it should look like sqlite:///path/to/file.db") from error
    except DBAPIError as error:
        raise CommandError(f"the database refused: {_first_line(error.orig or error)}") from error
    except (sqlite3.Error, OSError) as error:
        raise CommandError(f"the database cannot be opened: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
