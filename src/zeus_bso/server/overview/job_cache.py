"""Keeps a value of every job in memory, and reads again only the jobs that have changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from zeus_bso.server.overview.models import JobVersion
from zeus_bso.server.overview.overview import Overview
from zeus_bso.server.unit_of_work import UnitOfWork

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 50
"""Largest number of jobs in one transaction. Between two of them others get the event loop and the connection."""


class Reads(Protocol):
    """Runs work in a read transaction."""

    async def read(self, work: Callable[[UnitOfWork], R], *, long: bool = False) -> R:
        """Run work; ``long`` says that it may take long, and so has to leave connections to others."""


class JobCache(Generic[T]):
    """A value of every job. Whoever uses it lets one refresh run at a time.

    Args:
        transactions: The transactions, which reach every job.
        read: Reads the values of some jobs.
    """

    def __init__(self, transactions: Reads, read: Callable[[Overview, Sequence[str]], Mapping[str, T]]) -> None:
        self._transactions = transactions
        self._read = read
        self._known: Mapping[str, tuple[JobVersion, T]] = {}

    async def refresh(self) -> Mapping[str, tuple[JobVersion, T]]:
        """Read the jobs that have changed. The answer has all jobs, and never changes afterwards.

        Raises:
            DatabaseUnavailableError: The database did not answer.
        """
        versions = await self._transactions.read(lambda unit: Overview.of(unit).versions(), long=True)
        before = self._known
        # The value may be newer than its version, never older: then the next refresh reads it again.
        found = {v.job_id: before[v.job_id] for v in versions if v.job_id in before and before[v.job_id][0] == v}
        changed = [version for version in versions if version.job_id not in found]
        for start in range(0, len(changed), _AT_ONCE):
            some = changed[start : start + _AT_ONCE]
            values = await self._values([version.job_id for version in some])
            found |= {v.job_id: (v, values[v.job_id]) for v in some if v.job_id in values}
        self._known = found
        return found

    async def _values(self, job_ids: Sequence[str]) -> Mapping[str, T]:
        return await self._transactions.read(lambda unit: self._read(Overview.of(unit), job_ids), long=True)
