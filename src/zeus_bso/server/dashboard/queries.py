"""Queries of the dashboard that the repositories lack: few columns of many rows, each through an index of trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, bindparam, case, false, func, select, true

from zeus_bso.protocol.words import INT32_MAX, EnergySource, FailReason, Outcome, TrialStatus, TrialType
from zeus_bso.server.database.schema import IS_WHOLE, job, observation, trial, trial_report
from zeus_bso.server.database.trial_status import ENDED_AT, HAS_FAILED, IS_OVERDUE, IS_RUNNING, REASON, STATUS
from zeus_bso.server.security.job_access import JobAccess

TrialFilter = Literal["running", "converged", "stopped", "failed"]

CURVES_OF_A_SIZE = 3
CURVES_SHOWN = 40
EVALUATIONS_SHOWN = 120
"""Largest number of points of a learning curve, beside the latest."""

_CONDITIONS: dict[TrialFilter, ColumnElement[bool]] = {
    "running": IS_RUNNING,
    "converged": trial.c.outcome == Outcome.CONVERGED.value,
    "stopped": (trial.c.status == TrialStatus.SUCCEEDED.value) & (trial.c.outcome != Outcome.CONVERGED.value),
    "failed": HAS_FAILED,
}
_OF_JOB = trial.c.job_id == bindparam("job")
_JUDGED: dict[str, ColumnElement[Any]] = {
    "status": STATUS,
    "reason": REASON,
    "ended_at": ENDED_AT,
    "given_up": case((IS_OVERDUE, true()), else_=false()),
}


@dataclass(frozen=True, slots=True)
class TrialPoint:
    """The columns of a trial that charts need.

    Attributes:
        type: Purpose of the trial.
        time: Training time so far [s].
        energy: Energy used so far [J].
        energy_source: Source of the energy readings.
        cost: Cost [J], or None before the trial is decided.
        power_limit: Power limit of each device [W], or None at full power.
    """

    trial_number: int
    batch_size: int
    generation: int
    type: TrialType
    status: TrialStatus
    outcome: Outcome | None
    reason: FailReason | None
    time: float
    energy: float
    energy_source: EnergySource | None
    cost: float | None
    power_limit: float | None
    target_reached: bool
    started_at: datetime

    @property
    def converged(self) -> bool:
        """Whether the trial reached the target within its bounds."""
        return self.outcome is Outcome.CONVERGED


@dataclass(frozen=True, slots=True)
class SizeCosts:
    """What the converged runs of a batch size have cost.

    Attributes:
        runs: Number of these runs.
        total: Sum of their costs [J].
    """

    runs: int = 0
    total: float = 0.0

    def __add__(self, cost_j: float) -> SizeCosts:
        return SizeCosts(self.runs + 1, self.total + cost_j)

    def __or__(self, other: SizeCosts) -> SizeCosts:
        """Both together."""
        return SizeCosts(self.runs + other.runs, self.total + other.total)

    @property
    def mean(self) -> float:
        """Mean cost of a run [J]."""
        return self.total / self.runs


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The metric of a trial after an epoch, or None if it was not finite."""

    trial_number: int
    epoch: int
    metric: float | None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The numbers of the trials before and after one, or None at the ends."""

    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class CurveSelection:
    """A selection of the latest trials of each batch size, or of one.

    Attributes:
        of_each: Largest number of trials of a batch size.
    """

    job_id: str
    of_each: int
    batch_size: int | None = None
    state: TrialFilter | None = None

    @classmethod
    def of(cls, job_id: str, sizes: int, batch_size: int | None, state: TrialFilter | None) -> CurveSelection:
        """A few trials of each of so many sizes; more of a single one."""
        of_each = CURVES_SHOWN // 2 if batch_size is not None else max(1, min(CURVES_OF_A_SIZE, CURVES_SHOWN // sizes))
        return cls(job_id, of_each, batch_size, state)


@dataclass(frozen=True, slots=True)
class TrainedTrial:
    """A trial with a learning curve.

    Attributes:
        epochs: Number of trained epochs.
    """

    batch_size: int
    epochs: int


@dataclass(frozen=True, slots=True)
class TrialPage:
    """A selection of trials, newest first, optionally of one batch size or state.

    Attributes:
        before: Only trials with numbers below this one.
        limit: Largest number of trials.
    """

    job_id: str
    before: int = INT32_MAX
    batch_size: int | None = None
    state: TrialFilter | None = None
    limit: int = 25


@dataclass(frozen=True, slots=True)
class TrialRow(TrialPoint):
    """The columns of a trial for the table of trials.

    Attributes:
        wasted_energy: Energy of work that was discarded at a restart [J].
        profiling_energy: Extra energy to measure power limits [J].
        last_seen_at: Time of the last message from its client.
        given_up: Whether its lease has ended, and no ask has noted that yet.
    """

    uncapped: bool
    current_epoch: int
    metric: float | None
    wasted_energy: float
    profiling_energy: float
    run_id: str | None
    last_seen_at: datetime
    given_up: bool
    ended_at: datetime | None
    message: str


def _columns(kind: type[TrialPoint]) -> list[ColumnElement[Any]]:
    """The columns of a trial as the next ask would write them."""
    names = (field.name for field in fields(kind))
    return [_JUDGED[name].label(name) if name in _JUDGED else trial.c[name] for name in names]


_POINTS = (
    select(*_columns(TrialPoint))
    .where(
        _OF_JOB,
        trial.c.trial_number > bindparam("after"),
        (trial.c.trial_number % bindparam("stride") == 0) | (trial.c.trial_number > bindparam("recent")),
    )
    .order_by(trial.c.trial_number)
)
_COSTS_BEFORE = (
    select(trial.c.batch_size, func.count(trial.c.cost).label("runs"), func.sum(trial.c.cost).label("total"))
    .where(
        _OF_JOB,
        trial.c.trial_number < bindparam("before"),
        trial.c.generation == bindparam("generation"),
        trial.c.outcome == Outcome.CONVERGED.value,
        trial.c.cost.is_not(None),
    )
    .group_by(trial.c.batch_size)
)
_PAST_COSTS = (
    select(observation.c.batch_size, func.count().label("runs"), func.sum(observation.c.cost).label("total"))
    .where(
        observation.c.job_id == bindparam("job"),
        observation.c.generation == bindparam("generation"),
        observation.c.outcome == Outcome.CONVERGED.value,
        observation.c.decision.is_not(None),
        observation.c.cost.is_not(None),
        observation.c.recorded_at <= bindparam("until"),
    )
    .group_by(observation.c.batch_size)
)
_NUMBERED = trial.c.trial_number > 0  # true of all: a range of the primary key, which every database then reads
_COUNT = select(func.count()).select_from(trial).where(_OF_JOB, _NUMBERED)
_NUMBERS = select(trial.c.trial_number).where(_OF_JOB, _NUMBERED).order_by(trial.c.trial_number.desc())
_ROW_COLUMNS = _columns(TrialRow)
_CURVES = (
    select(trial_report.c.trial_number, trial_report.c.epoch, trial_report.c.metric)
    .where(
        trial_report.c.job_id == bindparam("job"),
        trial_report.c.trial_number >= bindparam("least"),  # a range, which every database reads by the key
        trial_report.c.trial_number.in_(bindparam("numbers", expanding=True)),
        (trial_report.c.epoch % bindparam("stride") == 0) | trial_report.c.epoch.in_(bindparam("ends", expanding=True)),
    )
    .order_by(trial_report.c.trial_number, trial_report.c.epoch)
)
_NEIGHBOURS = select(
    select(func.max(trial.c.trial_number))
    .where(_OF_JOB, trial.c.trial_number < bindparam("number"))
    .scalar_subquery()
    .label("before"),
    select(func.min(trial.c.trial_number))
    .where(_OF_JOB, trial.c.trial_number > bindparam("number"))
    .scalar_subquery()
    .label("after"),
)
_JOB_VERSION = select(job.c.updated_at, job.c.last_trial_number, job.c.last_decision).where(
    job.c.job_id == bindparam("job"), IS_WHOLE
)
_RUNNING_TRIALS = (
    select(trial.c.trial_number, trial.c.last_seen_at).where(_OF_JOB, IS_RUNNING).order_by(trial.c.trial_number)
)


def state_filter(word: str) -> TrialFilter | None:
    """The filter with this name, or None for an unknown one."""
    return next((known for known in get_args(TrialFilter) if known == word), None)


class DashboardQueries:
    """Queries within the caller's transaction.

    Args:
        connection: The transaction.
        reach: The jobs that the caller can reach.
    """

    def __init__(self, connection: Connection, reach: JobAccess) -> None:
        self._connection = connection
        self._reach = reach

    def count_trials(self, job_id: str) -> int:
        """Count the trials of a job. Their numbers may have gaps, so the last number says less."""
        return int(self._connection.execute(_COUNT, {"job": job_id}).scalar_one())

    def number_before_latest(self, job_id: str, most: int) -> int:
        """The number after which the latest trials of a job begin, at most so many; 0 if it has no more."""
        numbers = _NUMBERS.offset(most).limit(1)
        return int(self._connection.execute(numbers, {"job": job_id}).scalar() or 0)

    def points(self, job_id: str, *, after: int, stride: int, recent: int) -> list[TrialPoint]:
        """Read every ``stride``-th trial after ``after``, and all trials after ``recent``, by number."""
        rows = self._connection.execute(
            _POINTS, {"job": job_id, "after": after, "stride": stride, "recent": recent}
        ).mappings()
        return [TrialPoint(**_typed(row)) for row in rows]

    def costs_before(self, job_id: str, generation: int, number: int) -> dict[int, SizeCosts]:
        """Sum up what the converged runs of each batch size cost, of the trials of a generation before a number."""
        rows = self._connection.execute(_COSTS_BEFORE, {"job": job_id, "generation": generation, "before": number})
        return {row.batch_size: SizeCosts(row.runs, row.total) for row in rows}

    def past_costs(self, job_id: str, generation: int, until: datetime) -> dict[int, SizeCosts]:
        """Sum up what the past runs of each batch size cost that the policy had learnt at a point in time."""
        rows = self._connection.execute(_PAST_COSTS, {"job": job_id, "generation": generation, "until": until})
        return {row.batch_size: SizeCosts(row.runs, row.total) for row in rows}

    def latest_of_each_size(self, selection: CurveSelection) -> dict[int, TrainedTrial]:
        """Find the latest trials of each batch size that have a report, by number."""
        conditions = [trial.c.job_id == selection.job_id, trial.c.current_epoch > 0]
        if selection.batch_size is not None:
            conditions.append(trial.c.batch_size == selection.batch_size)
        if selection.state is not None:
            conditions.append(_CONDITIONS[selection.state])
        place = func.row_number().over(partition_by=trial.c.batch_size, order_by=trial.c.trial_number.desc())
        ranked = (
            select(trial.c.trial_number, trial.c.batch_size, trial.c.current_epoch, place.label("place"))
            .where(*conditions)
            .subquery("ranked")
        )
        rows = self._connection.execute(
            select(ranked.c.trial_number, ranked.c.batch_size, ranked.c.current_epoch)
            .where(ranked.c.place <= selection.of_each)
            .order_by(ranked.c.place, ranked.c.trial_number.desc())
            .limit(CURVES_SHOWN)
        )
        return {row.trial_number: TrainedTrial(row.batch_size, row.current_epoch) for row in rows}

    def curves(self, job_id: str, trials: Mapping[int, TrainedTrial]) -> list[CurvePoint]:
        """Read the reported metrics of some trials, by trial and epoch: evenly spaced epochs, and the latest."""
        if not trials:
            return []
        ends = {each.epochs for each in trials.values()}
        stride = -(-max(ends) // EVALUATIONS_SHOWN)
        numbers = {"numbers": list(trials), "least": min(trials)}
        rows = self._connection.execute(_CURVES, {"job": job_id, "stride": stride, "ends": list(ends)} | numbers)
        return [CurvePoint(*row) for row in rows]

    def trials(self, page: TrialPage) -> list[TrialRow]:
        """Read the trials of a page, and one more if there is a next page."""
        conditions = [trial.c.job_id == page.job_id, trial.c.trial_number < page.before]
        if page.batch_size is not None:
            conditions.append(trial.c.batch_size == page.batch_size)
        if page.state is not None:
            conditions.append(_CONDITIONS[page.state])
        rows = self._connection.execute(
            select(*_ROW_COLUMNS).where(*conditions).order_by(trial.c.trial_number.desc()).limit(page.limit + 1)
        ).mappings()
        return [TrialRow(**_typed(row)) for row in rows]

    def neighbours(self, job_id: str, number: int) -> Neighbours:
        """Find the trials before and after one."""
        row = self._connection.execute(_NEIGHBOURS, {"job": job_id, "number": number}).one()
        return Neighbours(row.before, row.after)

    def job_version(self, job_id: str) -> str:
        """A text that changes whenever the content of a job's page changes."""
        if not self._reach.covers(job_id):
            return "None[]"  # the version of a job that does not exist
        state = self._connection.execute(_JOB_VERSION, {"job": job_id}).first()
        running = self._connection.execute(_RUNNING_TRIALS, {"job": job_id}).all()
        return f"{state}{running}"


_KINDS: dict[str, Callable[[str], Enum]] = {
    "status": TrialStatus,
    "outcome": Outcome,
    "reason": FailReason,
    "type": TrialType,
    "energy_source": EnergySource,
}


def _typed(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: value if value is None or name not in _KINDS else _KINDS[name](value) for name, value in row.items()}
