"""What the dashboard reads beside the repositories: few columns of many rows, each by an index of the trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from zeus_bso.common import INT32_MAX, EnergySource, FailReason, Outcome, TrialStatus, TrialType
from zeus_bso.server.database.schema import job, trial, trial_report
from zeus_bso.server.security.reach import Reach

TrialFilter = Literal["running", "converged", "stopped", "failed"]

_CONDITIONS: dict[TrialFilter, ColumnElement[bool]] = {
    "running": trial.c.status == TrialStatus.DISPATCHED.value,
    "converged": trial.c.outcome == Outcome.CONVERGED.value,
    "stopped": (trial.c.status == TrialStatus.SUCCEEDED.value) & (trial.c.outcome != Outcome.CONVERGED.value),
    "failed": trial.c.status == TrialStatus.FAILED.value,
}
_OF_JOB = trial.c.job_id == bindparam("job")
_OPEN = trial.c.status == TrialStatus.DISPATCHED.value


@dataclass(frozen=True, slots=True)
class TrialPoint:
    """A trial as a chart needs it.

    Attributes:
        time: Training time so far [s].
        energy: Energy so far [J].
        cost: Its cost [J]; None before it is decided.
    """

    trial_number: int
    batch_size: int
    generation: int
    status: TrialStatus
    outcome: Outcome | None
    reason: FailReason | None
    time: float
    energy: float
    cost: float | None
    target_reached: bool
    started_at: datetime

    @property
    def converged(self) -> bool:
        """Whether it reached the target within its bounds."""
        return self.outcome is Outcome.CONVERGED


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The metric of a trial after an epoch; None when it was not finite."""

    trial_number: int
    epoch: int
    metric: float | None


@dataclass(frozen=True, slots=True)
class TrialPage:
    """Which trials to list: the newest first, those before a number, of some batch size or state.

    Attributes:
        before: Numbers below this one.
        limit: How many at most.
    """

    job_id: str
    before: int = INT32_MAX
    batch_size: int | None = None
    state: TrialFilter | None = None
    limit: int = 25


@dataclass(frozen=True, slots=True)
class TrialRow(TrialPoint):
    """A trial as the table of trials shows it.

    Attributes:
        wasted_energy: Energy of work that was discarded at a restart [J].
    """

    type: TrialType
    uncapped: bool
    current_epoch: int
    metric: float | None
    wasted_energy: float
    energy_source: EnergySource | None
    run_id: str | None
    ended_at: datetime | None
    message: str


_POINT_COLUMNS = [trial.c[field.name] for field in fields(TrialPoint)]
_ROW_COLUMNS = [trial.c[field.name] for field in fields(TrialRow)]
_POINTS = (
    select(*_POINT_COLUMNS)
    .where(
        _OF_JOB,
        trial.c.trial_number > bindparam("after"),
        (trial.c.trial_number % bindparam("stride") == 0) | (trial.c.trial_number > bindparam("recent")),
    )
    .order_by(trial.c.trial_number)
)
_CURVES = (
    select(trial_report.c.trial_number, trial_report.c.epoch, trial_report.c.metric)
    .where(trial_report.c.job_id == bindparam("job"), trial_report.c.trial_number > bindparam("after"))
    .order_by(trial_report.c.trial_number, trial_report.c.epoch)
)
_JOB_VERSION = select(job.c.updated_at, job.c.last_trial_number, job.c.last_decision).where(
    job.c.job_id == bindparam("job")
)
_OPEN_TRIALS = select(trial.c.trial_number, trial.c.last_seen_at).where(_OF_JOB, _OPEN).order_by(trial.c.trial_number)
_FLEET_VERSION = (
    select(
        job.c.job_id,
        job.c.updated_at,
        job.c.last_trial_number,
        job.c.last_decision,
        func.count(trial.c.trial_number),
        func.max(trial.c.last_seen_at),
    )
    .select_from(job.outerjoin(trial, (trial.c.job_id == job.c.job_id) & _OPEN))
    .group_by(job.c.job_id, job.c.updated_at, job.c.last_trial_number, job.c.last_decision)
)


class DashboardQueries:
    """Reads within the caller's transaction.

    Args:
        connection: The transaction.
        reach: What is said of all jobs leaves out those beyond.
    """

    def __init__(self, connection: Connection, reach: Reach) -> None:
        self._connection = connection
        self._reach = reach

    def points(self, job_id: str, *, after: int, stride: int, recent: int) -> list[TrialPoint]:
        """Read trials by number: those after ``after``, every ``stride``-th, and all after ``recent``."""
        rows = self._connection.execute(
            _POINTS, {"job": job_id, "after": after, "stride": stride, "recent": recent}
        ).mappings()
        return [TrialPoint(**_typed(row)) for row in rows]

    def curves(self, job_id: str, *, after: int) -> list[CurvePoint]:
        """Read the reported metrics of the trials after a number, by trial and epoch."""
        rows = self._connection.execute(_CURVES, {"job": job_id, "after": after})
        return [CurvePoint(*row) for row in rows]

    def trials(self, page: TrialPage) -> list[TrialRow]:
        """Read the trials of a page, and one more if there are more."""
        conditions = [trial.c.job_id == page.job_id, trial.c.trial_number < page.before]
        if page.batch_size is not None:
            conditions.append(trial.c.batch_size == page.batch_size)
        if page.state is not None:
            conditions.append(_CONDITIONS[page.state])
        rows = self._connection.execute(
            select(*_ROW_COLUMNS).where(*conditions).order_by(trial.c.trial_number.desc()).limit(page.limit + 1)
        ).mappings()
        return [TrialRow(**_typed(row)) for row in rows]

    def job_version(self, job_id: str) -> str:
        """Say in a text that differs whenever something that a job's page shows has changed."""
        if not self._reach.covers(job_id):
            return "None[]"  # as of a job that does not exist
        state = self._connection.execute(_JOB_VERSION, {"job": job_id}).first()
        running = self._connection.execute(_OPEN_TRIALS, {"job": job_id}).all()
        return f"{state}{running}"

    def fleet_version(self) -> str:
        """Say in a text that differs whenever something that the list of jobs shows has changed."""
        rows = self._connection.execute(_FLEET_VERSION)
        return str(sorted(tuple(map(str, row)) for row in rows if self._reach.covers(row.job_id)))


_KINDS: dict[str, Callable[[str], Enum]] = {
    "status": TrialStatus,
    "outcome": Outcome,
    "reason": FailReason,
    "type": TrialType,
    "energy_source": EnergySource,
}


def _typed(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: value if value is None or name not in _KINDS else _KINDS[name](value) for name, value in row.items()}
