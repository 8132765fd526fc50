"""Totals over all jobs, cached so that a scrape reads only what has changed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from zeus_bso import savings
from zeus_bso.protocol.words import EnergySource
from zeus_bso.savings import Saving
from zeus_bso.server.dependencies import Transactions
from zeus_bso.server.overview.job_cache import JobCache
from zeus_bso.server.overview.models import JobFigures
from zeus_bso.server.overview.overview import Overview


@dataclass(frozen=True, slots=True)
class AllJobsTotals:
    """Totals over all jobs.

    Attributes:
        jobs: Number of jobs by stage.
        trials: Number of trials by status and reason. The reason of a decided trial is its outcome.
        open_trials: Number of running trials.
        alarmed_jobs: Number of jobs whose latest runs did not converge.
        energy: Saved energy [J], or None if there is not enough data.
        time: Saved time [s], or None if there is not enough data.
        spent_energy: Energy that ended trials used [J].
        saved_of_jobs: Id, saved energy [J], and whether it is an estimate, for each job. The most recently active
            jobs come first.
        limits_of_jobs: Id, and power limit of each GPU at the chosen batch size [W], for each job that has one. The
            most recently active jobs come first.
    """

    jobs: Counter[str]
    trials: Counter[tuple[str, str]]
    open_trials: int
    alarmed_jobs: int
    energy: Saving | None
    time: Saving | None
    spent_energy: float
    saved_of_jobs: Sequence[tuple[str, float, bool]]
    limits_of_jobs: Sequence[tuple[str, float]]


class JobTotalsCache:
    """Cache of the totals over all jobs, at most ``fresh_s`` seconds old.

    It reads only jobs that have changed since the last time. Nothing but a scrape uses it.

    Args:
        transactions: The transactions.
        fresh_s: How long a result may be used again [s].
        most_jobs: Largest number of jobs with a series of their own.
    """

    def __init__(self, transactions: Transactions, fresh_s: float, most_jobs: int) -> None:
        self._cache: JobCache[JobFigures] = JobCache(transactions, Overview.figures)
        self._fresh_s = fresh_s
        self._most_jobs = most_jobs
        self._totals: AllJobsTotals | None = None
        self._read_at = -float("inf")
        self._reading = asyncio.Lock()

    async def totals(self) -> AllJobsTotals:
        """The totals.

        Raises:
            DatabaseUnavailableError: The database did not answer.
        """
        async with self._reading:
            if self._totals is None or time.monotonic() - self._read_at > self._fresh_s:
                self._totals = await self._read()
                self._read_at = time.monotonic()
            return self._totals

    async def _read(self) -> AllJobsTotals:
        known = await self._cache.refresh()
        latest_first = sorted(known.values(), key=lambda known: known[0].updated_at, reverse=True)
        totals = [each.totals for _, each in latest_first]
        trials: Counter[tuple[str, str]] = Counter()
        for _, each in latest_first:
            trials.update(each.trials)
        return AllJobsTotals(
            jobs=Counter(version.stage for version, _ in latest_first),
            trials=trials,
            open_trials=sum(version.open_trials for version, _ in latest_first),
            alarmed_jobs=sum(each.alarmed for each in totals),
            energy=savings.total([each.energy for each in totals if each.energy]),
            time=savings.total([each.time for each in totals if each.time]),
            spent_energy=sum(each.spent_energy for each in totals),
            saved_of_jobs=[
                (version.job_id, each.totals.energy.saved, each.totals.energy_source is EnergySource.ESTIMATE)
                for version, each in latest_first
                if each.totals.energy is not None
            ][: self._most_jobs],
            limits_of_jobs=[
                (version.job_id, each.power_limit) for version, each in latest_first if each.power_limit is not None
            ][: self._most_jobs],
        )
