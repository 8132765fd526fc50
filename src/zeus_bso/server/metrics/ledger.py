"""What the database knows of all jobs, kept at hand so that a scrape reads only what changed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from zeus_bso import savings
from zeus_bso.common import EnergySource
from zeus_bso.savings import Saving
from zeus_bso.server.dependencies import Transactions
from zeus_bso.server.overview.models import JobMark
from zeus_bso.server.overview.overview import JobFigures, Overview

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Totals:
    """All jobs, summed up.

    Attributes:
        jobs: Jobs by stage.
        trials: Trials by status and reason, which is the outcome of one that was decided.
        open_trials: Trials that run.
        alarmed_jobs: Jobs of whose latest runs none converged.
        energy: What was saved of energy [J]; None: there is not enough data.
        time: What was saved of time [s]; likewise.
        spent_energy: Energy that ended trials used [J].
        saved_of_jobs: Energy saved by jobs, the latest active first: id, energy [J], whether it is an estimate.
    """

    jobs: Counter[str]
    trials: Counter[tuple[str, str]]
    open_trials: int
    alarmed_jobs: int
    energy: Saving | None
    time: Saving | None
    spent_energy: float
    saved_of_jobs: Sequence[tuple[str, float, bool]]


class Ledger:
    """Sums over all jobs, at most ``fresh_s`` seconds old.

    Only jobs that changed since the last time are read again. Nothing but a scrape depends on it.

    Args:
        zeus: The transactions.
        fresh_s: For how long an answer is given again [s].
        most_jobs: So many jobs are told one by one at most.
    """

    def __init__(self, zeus: Transactions, fresh_s: float, most_jobs: int) -> None:
        self._zeus = zeus
        self._fresh_s = fresh_s
        self._most_jobs = most_jobs
        self._known: dict[str, tuple[JobMark, JobFigures]] = {}
        self._totals: Totals | None = None
        self._read_at = -float("inf")
        self._reading = asyncio.Lock()

    async def totals(self) -> Totals:
        """The sums.

        Raises:
            DatabaseUnavailableError: The database did not answer.
        """
        async with self._reading:
            if self._totals is None or time.monotonic() - self._read_at > self._fresh_s:
                self._totals = await self._read()
                self._read_at = time.monotonic()
            return self._totals

    async def _read(self) -> Totals:
        marks = await self._zeus.look(lambda overview: overview.marks())
        present = {mark.job_id for mark in marks}
        self._known = {job_id: known for job_id, known in self._known.items() if job_id in present}
        changed = [mark for mark in marks if self._mark(mark.job_id) != mark]
        for start in range(0, len(changed), _AT_ONCE):
            self._known |= await self._read_some(changed[start : start + _AT_ONCE])
        return self._sum_up()

    async def _read_some(self, marks: Sequence[JobMark]) -> dict[str, tuple[JobMark, JobFigures]]:
        def figures(overview: Overview) -> dict[str, JobFigures]:
            return overview.figures([mark.job_id for mark in marks])

        found = await self._zeus.look(figures)
        return {mark.job_id: (mark, found[mark.job_id]) for mark in marks if mark.job_id in found}

    def _mark(self, job_id: str) -> JobMark | None:
        known = self._known.get(job_id)
        return known[0] if known else None

    def _sum_up(self) -> Totals:
        latest_first = sorted(self._known.values(), key=lambda known: known[0].updated_at, reverse=True)
        figures = [figures for _, figures in latest_first]
        trials: Counter[tuple[str, str]] = Counter()
        for each in figures:
            trials.update(each.trials)
        return Totals(
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
