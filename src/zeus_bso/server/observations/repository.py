"""Past runs of jobs in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, Table, bindparam, case, func, insert, select, update

from zeus_bso.protocol.words import Outcome
from zeus_bso.savings import Use
from zeus_bso.server.batch_size_state.models import Used
from zeus_bso.server.database.schema import job, observation, trial
from zeus_bso.server.database.writing import write_rows
from zeus_bso.server.observations.models import KnownRuns, PastRunRecord, PastTotals
from zeus_bso.server.observations.observation_rows import observation_of, observation_values

_AT_ONCE = 500
"""So many run ids are looked for in one query."""

_FIGURES = ("energy", "time", "cost")
_SMALLEST_TO_SQUARE = 1e-150

_INSERT = insert(observation)
_SAVE_COST = (
    update(observation)
    .where(observation.c.job_id == bindparam("job"), observation.c.number == bindparam("of_number"))
    .values(cost=bindparam("new_cost"), reward=bindparam("new_reward"))
)


class ObservationRepository:
    """Past runs in the database. Every method is part of the caller's transaction.

    A caller must lock the job before it writes here.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def known(self, job_id: str, source: str, run_ids: Sequence[str]) -> KnownRuns:
        """Read what is known about past runs of a job before it is told of some."""
        return KnownRuns(
            run_ids=frozenset(self._known_ids(job_id, source, run_ids)),
            last_number=self._connection.scalar(
                select(func.coalesce(func.max(observation.c.number), 0)).where(observation.c.job_id == job_id)
            )
            or 0,
            mean_power=self._mean_power(trial, trial.c.job_id == job_id, trial.c.outcome == Outcome.CONVERGED.value),
            past_power=self._mean_power(
                observation, observation.c.job_id == job_id, observation.c.estimated.is_(False)
            ),
        )

    def create(self, observations: Sequence[PastRunRecord]) -> None:
        """Store new past runs."""
        write_rows(self._connection, _INSERT, [observation_values(each) for each in observations])

    def of_job(self, job_id: str) -> list[PastRunRecord]:
        """Read all past runs of a job, by number."""
        rows = self._connection.execute(
            select(observation).where(observation.c.job_id == job_id).order_by(observation.c.number)
        ).mappings()
        return [observation_of(row) for row in rows]

    def save_costs(self, observations: Sequence[PastRunRecord]) -> None:
        """Replace cost and reward of past runs."""
        write_rows(
            self._connection,
            _SAVE_COST,
            [
                {"job": each.job_id, "of_number": each.number, "new_cost": each.cost, "new_reward": each.reward}
                for each in observations
            ],
        )

    def used(self, job_id: str, generation: int) -> dict[int, Used]:
        """Add up what the past runs whose cost a generation has learnt have used, by batch size."""
        rows = self._connection.execute(
            select(
                observation.c.batch_size,
                func.sum(observation.c.energy).label("energy"),
                func.sum(observation.c.time).label("time"),
            )
            .where(
                observation.c.job_id == job_id,
                observation.c.generation == generation,
                observation.c.reward.is_not(None),
            )
            .group_by(observation.c.batch_size)
        )
        return {row.batch_size: Used(row.energy, row.time) for row in rows}

    def totals_of(self, job_ids: Collection[str] | None) -> dict[str, PastTotals]:
        """Sum up the past runs of several jobs, or of all for None. A job without any is missing."""
        counts = select(observation.c.job_id, observation.c.source, func.count().label("runs")).group_by(
            observation.c.job_id, observation.c.source
        )
        baseline = (
            select(
                observation.c.job_id,
                func.count().label("runs"),
                func.count(case((observation.c.estimated, 1))).label("estimated"),
                *(column for name in _FIGURES for column in _sums(name)),
                func.max(observation.c.ended_at).label("last_at"),
            )
            .join(job, job.c.job_id == observation.c.job_id)
            .where(
                observation.c.batch_size == job.c.default_batch_size,
                observation.c.outcome == Outcome.CONVERGED.value,
                observation.c.cost.is_not(None),
            )
            .group_by(observation.c.job_id)
        )
        if job_ids is not None:
            counts = counts.where(observation.c.job_id.in_(job_ids))
            baseline = baseline.where(observation.c.job_id.in_(job_ids))
        sources: dict[str, dict[str, int]] = defaultdict(dict)
        for row in self._connection.execute(counts):
            sources[row.job_id][row.source] = row.runs
        found = {job_id: PastTotals(sources=dict(sorted(of_job.items()))) for job_id, of_job in sources.items()}
        for row in self._connection.execute(baseline):
            energy, time, cost = (
                Use(row.runs, getattr(row, f"{name}_total"), getattr(row, f"{name}_squares")) for name in _FIGURES
            )
            totals = replace(found[row.job_id], energy=energy, time=time, cost=cost)
            found[row.job_id] = replace(totals, estimated=row.estimated, last_at=row.last_at)
        return found

    def _known_ids(self, job_id: str, source: str, run_ids: Sequence[str]) -> Iterator[str]:
        of_source = (observation.c.job_id == job_id, observation.c.source == source)
        for start in range(0, len(run_ids), _AT_ONCE):
            some = run_ids[start : start + _AT_ONCE]
            yield from self._connection.scalars(
                select(observation.c.run_id).where(*of_source, observation.c.run_id.in_(some))
            )

    def _mean_power(self, kind: Table, *which: ColumnElement[bool]) -> float | None:
        """Mean power of these trials or past runs, as far as both figures are known [W]."""
        row = self._connection.execute(
            select(func.sum(kind.c.energy).label("energy"), func.sum(kind.c.time).label("time")).where(
                *which, kind.c.time > 0, kind.c.energy > 0
            )
        ).one()
        return float(row.energy / row.time) if row.time else None


def _sums(name: str) -> tuple[ColumnElement[float], ColumnElement[float]]:
    """Sum and sum of squares of a figure."""
    figure: ColumnElement[float] = observation.c[name]
    # PostgreSQL raises an error for a product that underflows, instead of rounding it to 0.
    squares = func.sum(case((figure > _SMALLEST_TO_SQUARE, figure * figure), else_=0.0))
    return func.sum(figure).label(f"{name}_total"), squares.label(f"{name}_squares")
