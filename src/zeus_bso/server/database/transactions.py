"""Transactions: one request, one unit of work, committed before the answer is sent.

A *unit of work* is a plain function of a connection. The database runs it in a transaction, commits, and runs it again
when it lost a race, so that a request either happened as a whole or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NoReturn, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from zeus_bso.exceptions import DatabaseUnavailableError

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]

WRITE_ATTEMPTS = 4
"""A write is run at most so often: once, and three times again."""

WRITE_BUDGET_S = 4.0
"""A write gives up after so long: clients of the protocol time out at 5 s."""


class Database(Protocol):
    """Runs units of work."""

    @property
    def connections(self) -> int:
        """Connections of this process at most."""

    async def start(self) -> None:
        """Open the database."""

    async def close(self) -> None:
        """Finish what runs and close all connections."""

    async def write(self, work: Work[T], *, budget_s: float = WRITE_BUDGET_S) -> T:
        """Run ``work`` in a transaction of its own and commit it, within ``budget_s`` seconds.

        Raises:
            DatabaseUnavailableError: The database did not acknowledge it. Nothing was stored, unless the connection
                broke in the middle of the commit.
        """

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a read transaction of its own.

        Raises:
            DatabaseUnavailableError: The database did not answer.
        """

    async def snapshot(self, work: Work[T], *, budget_s: float) -> T:
        """Run ``work`` in a read transaction whose statements all see the same state, within ``budget_s`` seconds.

        Raises:
            DatabaseUnavailableError: The database did not answer.
        """


_RACES = frozenset({1205, 1213, "40001", "40P01", "55P03"})
"""Codes of a lock not granted in time, a deadlock or a serialization failure, in MySQL and PostgreSQL."""


def lost_a_race(error: DBAPIError) -> bool:
    """Whether the transaction would succeed if it ran again.

    It was refused a lock, was chosen as the victim of a deadlock, or another one took a unique key that it had found
    free.
    """
    if isinstance(error, IntegrityError):
        return True
    # MySQL's number says more than its SQL state, which is HY000 for a lock not granted in time.
    codes = {getattr(error.orig, "sqlstate", None), *getattr(error.orig, "args", ())[:1]}
    return not _RACES.isdisjoint(codes) or "database is locked" in str(error.orig)


def give_up(error: BaseException | None = None) -> NoReturn:
    """Say that the database did not take the transaction; the details are for the log.

    Raises:
        DatabaseUnavailableError: Always.
    """
    if error is None:
        raise DatabaseUnavailableError("The database is busy; nothing was stored. Try again.")
    reason = getattr(error, "orig", error)
    logger.error("The database did not take a transaction: %s", str(reason) or type(reason).__name__)
    raise DatabaseUnavailableError("The database is not available. Send the request again.") from error
