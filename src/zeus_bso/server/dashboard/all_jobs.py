"""All jobs, as the pages about them show them: computed once for all tabs, and kept for some seconds."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

from fastapi.concurrency import run_in_threadpool

from zeus_bso.server.dependencies import Transactions
from zeus_bso.server.overview.job_cache import JobCache
from zeus_bso.server.overview.models import DayUse, JobLine, JobVersion
from zeus_bso.server.overview.overview import Overview
from zeus_bso.server.overview.prices import EnergyPrices
from zeus_bso.server.security.job_access import JobAccess

_FIELDS = attrgetter(*JobVersion.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class ReachableJobs:
    """The jobs that a caller can reach.

    Attributes:
        lines: The jobs, by id.
        prices: Price and emissions of energy.
        version: A text that changes whenever the content of the pages changes.
    """

    lines: tuple[JobLine, ...]
    prices: EnergyPrices
    version: str


class AllJobs:
    """Reads all jobs for the pages about them.

    What one tab has made it read serves every tab for ``fresh_s`` seconds. It keeps the jobs by id, whoever asked, and
    picks those within a caller's reach for each reach anew.

    Args:
        transactions: The transactions, which reach every job.
        fresh_s: How long what was read may be used again [s].
    """

    def __init__(self, transactions: Transactions, fresh_s: float) -> None:
        self._prices = EnergyPrices.of(transactions.settings)
        self._fresh_s = fresh_s
        self._cache: JobCache[JobLine] = JobCache(transactions, Overview.lines)
        self._uses: JobCache[list[DayUse]] = JobCache(transactions, Overview.uses_by_day)
        self._used: dict[str, list[DayUse]] = {}
        self._used_at = -float("inf")
        self._within: dict[JobAccess, ReachableJobs] = {}
        self._known: Mapping[str, tuple[JobVersion, JobLine]] = {}
        self._read_at = -float("inf")
        self._reading = asyncio.Lock()

    async def within(self, access: JobAccess) -> ReachableJobs:
        """The jobs within reach.

        Raises:
            DatabaseUnavailableError: The database did not answer.
        """
        async with self._reading:
            if time.monotonic() - self._read_at >= self._fresh_s:
                self._known = await self._cache.refresh()
                self._within = {}
                self._read_at = time.monotonic()
            if access not in self._within:
                self._within[access] = await run_in_threadpool(_reachable, self._known, access, self._prices)
            return self._within[access]

    async def with_uses(self, access: JobAccess) -> tuple[ReachableJobs, Mapping[str, list[DayUse]]]:
        """The jobs within reach, and what the trials of each job used on the latest days.

        Raises:
            DatabaseUnavailableError: The database did not answer.
        """
        reachable = await self.within(access)
        async with self._reading:
            if time.monotonic() - self._used_at >= self._fresh_s:
                known = await self._uses.refresh()
                self._used = {job_id: uses for job_id, (_, uses) in known.items()}
                self._used_at = time.monotonic()
            return reachable, self._used


def _reachable(
    known: Mapping[str, tuple[JobVersion, JobLine]], access: JobAccess, prices: EnergyPrices
) -> ReachableJobs:
    found = [known[job_id] for job_id in sorted(known) if access.covers(job_id)]
    versions = str([_FIELDS(version) for version, _ in found])
    digest = hashlib.sha256(versions.encode(errors="surrogatepass")).hexdigest()
    return ReachableJobs(tuple(line for _, line in found), prices, digest)
