"""Read-only queries over many trials, or many jobs, at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from itertools import starmap
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, or_, select

from zeus_bso.protocol.words import Outcome, TrialStatus
from zeus_bso.savings import Use
from zeus_bso.server.database.schema import IS_WHOLE, job, trial, trial_report
from zeus_bso.server.database.trial_status import ENDED_AT, HAS_ENDED, HAS_FAILED, IS_RUNNING, REASON, STATUS
from zeus_bso.server.overview.commands import ReadReports
from zeus_bso.server.overview.models import DayUse, EndedTrial, JobKey, JobVersion, SizeRecord, StoredReport
from zeus_bso.server.security.job_access import EVERYTHING, JobAccess

_OWN = or_(trial.c.energy_source.is_(None), trial.c.energy_source == job.c.energy_source)
_FOREIGN = and_(
    trial.c.energy_source.is_not(None),
    # Of a job without a source, trials whose energy could be measured only in part are left out.
    or_(job.c.energy_source.is_(None), trial.c.energy_source != job.c.energy_source),
)
_CONVERGED = and_(_OWN, trial.c.outcome == Outcome.CONVERGED.value)
_LOST = and_(_OWN, HAS_ENDED)
_SMALLEST_TO_SQUARE = 1e-150


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _sum(condition: ColumnElement[bool], value: ColumnElement[float]) -> ColumnElement[float]:
    return func.sum(case((condition, value), else_=0.0))


def _use(name: str, value: Any, wasted: Any = None) -> list[ColumnElement[Any]]:
    columns: list[ColumnElement[Any]] = [
        _sum(_CONVERGED, value).label(f"{name}_total"),
        # PostgreSQL raises an error for a product that underflows, instead of rounding it to 0.
        _sum(and_(_CONVERGED, value > _SMALLEST_TO_SQUARE), value * value).label(f"{name}_squares"),
    ]
    if wasted is not None:
        lost = case((_CONVERGED, wasted), (_LOST, value + wasted), else_=0.0)
        columns.append(func.sum(lost).label(f"{name}_lost"))
    return columns


_RECORDS = select(
    trial.c.batch_size,
    trial.c.power_limit,
    func.count().label("trials"),
    _count(IS_RUNNING).label("running"),
    _count(and_(_FOREIGN, HAS_ENDED)).label("foreign"),
    _count(_CONVERGED).label("converged"),
    _count(and_(_OWN, trial.c.status == TrialStatus.SUCCEEDED.value)).label("decided"),
    _count(and_(_OWN, HAS_FAILED)).label("failed"),
    *_use("energy", trial.c.energy, trial.c.wasted_energy),
    *_use("time", trial.c.time, trial.c.wasted_time),
    *_use("cost", trial.c.cost),
    func.max(case((_CONVERGED, trial.c.ended_at))).label("last_converged_at"),
    _sum(_LOST, trial.c.profiling_energy).label("profiling_energy"),
    _sum(_LOST, trial.c.profiling_time).label("profiling_time"),
).select_from(trial.join(job, (job.c.job_id == trial.c.job_id) & IS_WHOLE))

_LAST_CONVERGED = (
    select(trial.c.trial_number)
    .where(
        trial.c.job_id == job.c.job_id,
        trial.c.status == TrialStatus.SUCCEEDED.value,
        trial.c.outcome == Outcome.CONVERGED.value,
    )
    .order_by(trial.c.trial_number.desc())
    .limit(1)
    .correlate(job)
    .scalar_subquery()
)

_ENDED_SINCE = select(
    job.c.job_id,
    select(func.count())
    .select_from(trial)
    .where(trial.c.job_id == job.c.job_id, trial.c.trial_number > func.coalesce(_LAST_CONVERGED, 0), HAS_ENDED)
    .correlate(job)
    .scalar_subquery()
    .label("ended"),
).where(IS_WHOLE)


def _of_running(figure: ColumnElement[Any]) -> ColumnElement[Any]:
    """A figure of the running trials of each job."""
    return (
        select(figure)
        .select_from(trial)
        .where(trial.c.job_id == job.c.job_id, IS_RUNNING)
        .correlate(job)
        .scalar_subquery()
    )


class OverviewRepository:
    """Queries over many trials, or many jobs, within the caller's transaction.

    Args:
        connection: The transaction.
        reach: The jobs that the caller can reach. A method that names no jobs covers only these.
    """

    def __init__(self, connection: Connection, reach: JobAccess = EVERYTHING) -> None:
        self._connection = connection
        self._reach = reach

    def job_keys(self, search: str | None = None) -> list[JobKey]:
        """Find jobs by a part of their id or GPU model, in any case. None for all jobs."""
        statement = select(*(job.c[name] for name in JobKey.__dataclass_fields__)).where(IS_WHOLE)
        if search:
            found = (column.icontains(search, autoescape=True) for column in (job.c.job_id, job.c.gpu_model))
            statement = statement.where(or_(*found))
        rows = self._connection.execute(statement).mappings()
        return [JobKey(**row) for row in rows if self._reach.covers(row["job_id"])]

    def versions(self) -> list[JobVersion]:
        """Read the versions of all jobs."""
        of_running = {
            "open_trials": _of_running(func.count()),
            "running_numbers": _of_running(func.coalesce(func.sum(trial.c.trial_number), 0)),
        }
        columns = (of_running[name] if name in of_running else job.c[name] for name in JobVersion.__dataclass_fields__)
        rows = self._connection.execute(select(*columns).where(IS_WHOLE))
        return [version for version in starmap(JobVersion, rows) if self._reach.covers(version.job_id)]

    def trial_kinds(self, job_ids: Sequence[str]) -> dict[str, dict[tuple[str, str], int]]:
        """Count the trials of several jobs by status and reason. The reason of a decided trial is its outcome."""
        reason = func.coalesce(trial.c.outcome, REASON, "open")
        kinds = (
            select(trial.c.job_id, STATUS.label("status"), reason.label("reason"))
            .where(trial.c.job_id.in_(job_ids))
            .subquery()
        )
        rows = self._connection.execute(select(*kinds.c, func.count().label("trials")).group_by(*kinds.c))
        found: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
        for row in rows:
            found[row.job_id][row.status, row.reason] = row.trials
        return found

    def records(self, job_id: str) -> list[SizeRecord]:
        """Sum up the trials of each batch size of a job at each power limit."""
        statement = _RECORDS.where(trial.c.job_id == job_id).group_by(trial.c.batch_size, trial.c.power_limit)
        return [_record(row) for row in self._connection.execute(statement)]

    def records_of(self, job_ids: Sequence[str] | None = None) -> dict[str, list[SizeRecord]]:
        """Sum up the trials of each batch size of several jobs at each power limit, or of all jobs for None."""
        by = (trial.c.job_id, trial.c.batch_size, trial.c.power_limit)
        statement = _RECORDS.add_columns(trial.c.job_id).group_by(*by)
        if job_ids is not None:
            statement = statement.where(trial.c.job_id.in_(job_ids))
        found: dict[str, list[SizeRecord]] = defaultdict(list)
        for row in self._connection.execute(statement):
            if self._reach.covers(row.job_id):
                found[row.job_id].append(_record(row))
        return found

    def ended_since_converged(self, job_id: str) -> int:
        """Count the ended trials of a job since the latest converged trial."""
        return int(self._connection.execute(_ENDED_SINCE.where(job.c.job_id == job_id)).one().ended)

    def ended_since_converged_of(self, job_ids: Sequence[str] | None = None) -> dict[str, int]:
        """Count the ended trials of several jobs since the latest that converged, or of all jobs for None."""
        statement = _ENDED_SINCE if job_ids is None else _ENDED_SINCE.where(job.c.job_id.in_(job_ids))
        rows = self._connection.execute(statement)
        return {row.job_id: row.ended for row in rows if self._reach.covers(row.job_id)}

    def ends_since_converged_of(self, job_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """Count the ended trials of several jobs since the latest that converged, by outcome or reason."""
        ends = (
            select(trial.c.job_id, func.coalesce(trial.c.outcome, REASON).label("end"))
            .select_from(trial.join(job, job.c.job_id == trial.c.job_id))
            .where(job.c.job_id.in_(job_ids), trial.c.trial_number > func.coalesce(_LAST_CONVERGED, 0), HAS_ENDED)
            .subquery()
        )
        rows = self._connection.execute(select(*ends.c, func.count().label("trials")).group_by(*ends.c))
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for row in rows:
            found[row.job_id][row.end] = row.trials
        return found

    def ended_trials(self, job_id: str) -> list[EndedTrial]:
        """Read energy and time of every ended trial of a job, in the order in which they ended."""
        converged = case((trial.c.outcome == Outcome.CONVERGED.value, 1), else_=0)
        judged = {"converged": converged, "ended_at": ENDED_AT}
        columns = (judged[name] if name in judged else trial.c[name] for name in EndedTrial.__dataclass_fields__)
        rows = self._connection.execute(
            select(*columns)
            .select_from(trial.join(job, job.c.job_id == trial.c.job_id))
            .where(trial.c.job_id == job_id, _LOST)
        )
        ended = [EndedTrial(*row) for row in rows]
        return sorted(ended, key=lambda one: (one.ended_at, one.trial_number))

    def uses_by_day(self, job_ids: Sequence[str], since: datetime) -> dict[str, list[DayUse]]:
        """Sum up the trials of several jobs by the day on which they ended, from a moment on, by day."""
        ends = (
            select(
                trial.c.job_id,
                func.date(ENDED_AT).label("day"),
                case((trial.c.outcome == Outcome.CONVERGED.value, 1), else_=0).label("converged"),
                (trial.c.energy + trial.c.wasted_energy + trial.c.profiling_energy).label("energy"),
            )
            .select_from(trial.join(job, job.c.job_id == trial.c.job_id))
            .where(trial.c.job_id.in_(job_ids), _LOST, since <= ENDED_AT)
            .subquery()
        )
        rows = self._connection.execute(
            select(ends.c.job_id, ends.c.day, func.sum(ends.c.converged), func.sum(ends.c.energy))
            .group_by(ends.c.job_id, ends.c.day)
            .order_by(ends.c.day)
        )
        found: dict[str, list[DayUse]] = defaultdict(list)
        for job_id, day, converged, energy in rows:
            found[job_id].append(DayUse(date.fromisoformat(str(day)), int(converged), energy))
        return found

    def reports(self, command: ReadReports) -> list[StoredReport]:
        """Read reports of a trial, by epoch."""
        rows = self._connection.execute(
            select(*(trial_report.c[name] for name in StoredReport.__dataclass_fields__))
            .where(
                trial_report.c.job_id == command.job_id,
                trial_report.c.trial_number == command.trial_number,
                trial_report.c.epoch > command.after,
            )
            .order_by(trial_report.c.epoch)
            .limit(command.limit)
        ).mappings()
        return [StoredReport(**row) for row in rows]


def _record(row: Row[Any]) -> SizeRecord:
    values = row._mapping
    return SizeRecord(
        batch_size=values["batch_size"],
        power_limit=values["power_limit"],
        trials=values["trials"],
        running=values["running"],
        foreign=values["foreign"],
        converged=values["converged"],
        unconverged=values["decided"] - values["converged"],
        failed=values["failed"],
        energy=Use(values["converged"], values["energy_total"], values["energy_squares"], values["energy_lost"]),
        time=Use(values["converged"], values["time_total"], values["time_squares"], values["time_lost"]),
        cost=Use(values["converged"], values["cost_total"], values["cost_squares"]),
        last_converged_at=values["last_converged_at"],
        profiling_energy=values["profiling_energy"],
        profiling_time=values["profiling_time"],
    )
