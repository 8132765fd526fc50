"""Transactions: one request, one unit of work, committed before the answer is sent.

A *unit of work* is a plain function of a connection. The database runs it in a transaction and commits. If the
transaction lost a race, the database runs it again. So a request takes effect as a whole or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.database.failures import LOST_RACES, codes_of, describe

logger = logging.getLogger(__name__)

T = TypeVar("T")
Item = TypeVar("Item")
Work = Callable[[Connection], T]
WorkTogether = Callable[[Connection, Sequence[Item]], Sequence[T | Exception | None]]
"""Does the same for several items, each about another job: the result or the error of each, or None for an item whose
work was not done."""

WRITE_ATTEMPTS = 4
"""How often a write runs at most: once, and three times again."""

WRITE_BUDGET_S = 4.0
"""How long a write tries before it gives up [s]. Clients of the protocol time out at 5 s."""


class Database(Protocol):
    """Runs units of work."""

    @property
    def connections(self) -> int:
        """Largest number of connections of this process."""

    async def start(self) -> None:
        """Open the database."""

    async def close(self) -> None:
        """Finish what runs and close all connections."""

    async def write(self, work: Work[T], *, job_id: str | None = None, budget_s: float = WRITE_BUDGET_S) -> T:
        """Run ``work`` in its own transaction and commit it, within ``budget_s`` seconds.

        Args:
            work: The work.
            job_id: The job that the work locks, if it locks one.
            budget_s: The time for all attempts [s].

        Raises:
            DatabaseUnavailableError: The database did not acknowledge the commit. Nothing was stored, unless the
                connection broke during the commit.
        """

    async def write_together(self, item: Item, together: WorkTogether[Item, T], alone: Work[T], *, job_id: str) -> T:
        """Write something about one job, in a transaction that it may share with such writes about other jobs.

        Args:
            item: What to write.
            together: Writes several items. It waits for no lock, so that nobody waits for the job of somebody else.
            alone: Writes this item, where ``together`` did not.
            job_id: The job.

        Raises:
            DatabaseUnavailableError: As :meth:`write` does.
        """

    async def check(self) -> None:
        """Check that the database can be written, without writing.

        Raises:
            DatabaseUnavailableError: It cannot.
        """

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in its own read transaction.

        Raises:
            DatabaseUnavailableError: The database did not answer.
        """

    async def snapshot(self, work: Work[T], *, budget_s: float) -> T:
        """Run ``work`` in a read transaction whose statements all see the same state, within ``budget_s`` seconds.

        Raises:
            DatabaseUnavailableError: The database did not answer.
        """


def lost_a_race(error: DBAPIError) -> bool:
    """Whether the transaction may succeed if it runs again.

    This is so if it got no lock, was the victim of a deadlock, or found a unique key free that another transaction
    then took.
    """
    if isinstance(error, IntegrityError):
        return True
    return not LOST_RACES.isdisjoint(codes_of(error)) or "database is locked" in str(error.orig)


def give_up(error: BaseException | None = None) -> NoReturn:
    """Report that the database did not accept the transaction. Only the log gets the details.

    Raises:
        DatabaseUnavailableError: Always.
    """
    if error is None:
        raise DatabaseUnavailableError("The database is busy; nothing was stored. Try again.")
    logger.error("The database did not accept a transaction. %s", describe(error))
    raise DatabaseUnavailableError("The database is not available. Send the request again.") from error
