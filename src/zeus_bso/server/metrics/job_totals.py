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
from zeus_bso.server.overview.models import JobVersion
from zeus_bso.server.overview.overview import JobFigures, Overview
from zeus_bso.server.unit_of_work import UnitOfWork

_AT_ONCE = 200


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
    """

    jobs: Counter[str]
    trials: Counter[tuple[str, str]]
    open_trials: int
    alarmed_jobs: int
    energy: Saving | None
    time: Saving | None
    spent_energy: float
    saved_of_jobs: Sequence[tuple[str, float, bool]]


class JobTotalsCache:
    """Cache of the totals over all jobs, at most ``fresh_s`` seconds old.

    It reads only jobs that have changed since the last time. Nothing but a scrape uses it.

    Args:
        transactions: The transactions.
        fresh_s: How long a result may be used again [s].
        most_jobs: Largest number of jobs with a series of their own.
    """

    def __init__(self, transactions: Transactions, fresh_s: float, most_jobs: int) -> None:
        self._transactions = transactions
        self._fresh_s = fresh_s
        self._most_jobs = most_jobs
        self._known: dict[str, tuple[JobVersion, JobFigures]] = {}
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
        marks = await self._transactions.read(lambda unit: Overview.of(unit).marks(), long=True)
        present = {mark.job_id for mark in marks}
        self._known = {job_id: known for job_id, known in self._known.items() if job_id in present}
        changed = [mark for mark in marks if self._mark(mark.job_id) != mark]
        for start in range(0, len(changed), _AT_ONCE):
            self._known |= await self._read_some(changed[start : start + _AT_ONCE])
        return self._sum_up()

    async def _read_some(self, marks: Sequence[JobVersion]) -> dict[str, tuple[JobVersion, JobFigures]]:
        def figures(unit: UnitOfWork) -> dict[str, JobFigures]:
            return Overview.of(unit).figures([mark.job_id for mark in marks])

        found = await self._transactions.read(figures, long=True)
        return {mark.job_id: (mark, found[mark.job_id]) for mark in marks if mark.job_id in found}

    def _mark(self, job_id: str) -> JobVersion | None:
        known = self._known.get(job_id)
        return known[0] if known else None

    def _sum_up(self) -> AllJobsTotals:
        latest_first = sorted(self._known.values(), key=lambda known: known[0].updated_at, reverse=True)
        figures = [figures for _, figures in latest_first]
        trials: Counter[tuple[str, str]] = Counter()
        for each in figures:
            trials.update(each.trials)
        return AllJobsTotals(
            jobs=Counter(mark.stage for mark, _ in latest_first),
            trials=trials,
            open_trials=sum(mark.open_trials for mark, _ in latest_first),
            alarmed_jobs=sum(each.alarmed for each in figures),
            energy=savings.total([each.energy for each in figures if each.energy]),
            time=savings.total([each.time for each in figures if each.time]),
            spent_energy=sum(each.spent_energy for each in figures),
            saved_of_jobs=[
                (mark.job_id, each.energy.saved, each.energy_source is EnergySource.ESTIMATE)
                for mark, each in latest_first
                if each.energy is not None
            ][: self._most_jobs],
        )
