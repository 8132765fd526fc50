"""Database errors as one sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from zeus_bso.cli.errors import CommandError
from zeus_bso.exceptions import DatabaseUnavailableError


@contextmanager
def database_errors_in_one_line() -> Iterator[None]:
    """Turn errors of the database driver or the file system into a :class:`CommandError`."""
    from sqlalchemy.exc import ArgumentError, DBAPIError

    from zeus_bso.server.database.failures import describe

    try:
        yield
    except BrokenPipeError:  # Nobody reads the output any more.
        raise
    except DatabaseUnavailableError as error:
        raise CommandError(error.message if error.__cause__ is None else describe(error.__cause__)) from error
    except ArgumentError as error:
        raise CommandError("the database URL cannot be read; it should look like sqlite:///path/to/file.db") from error
    except DBAPIError as error:
        raise CommandError(f"the database refused the request: {_first_line(error.orig or error)}") from error
    except (sqlite3.Error, OSError) as error:
        raise CommandError(f"the database cannot be opened: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return next(iter(text.splitlines()), type(error).__name__)
