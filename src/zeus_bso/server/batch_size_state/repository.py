"""Trials and batch size states in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update

from zeus_bso.common import INT32_MAX, EnergySource, FailReason, Outcome, TrialStatus, TrialType
from zeus_bso.policy.values import GaussianTsArmState, Place, PlaceState, Retirement, SizeState, SurrogateArmState
from zeus_bso.server.batch_size_state.commands import CreateTrial, ReadTrials, ReadWindow, RecordReport
from zeus_bso.server.batch_size_state.models import SizeTotals, Trial
from zeus_bso.server.database.schema import batch_size_state, trial, trial_report
from zeus_bso.server.database.values import from_document, to_document

_SIZE_COLUMNS = [column.name for column in batch_size_state.columns if column.name not in ("job_id", "batch_size")]
_TRIAL_COLUMNS = [field.name for field in fields(Trial)]
_SAVED_TRIAL_COLUMNS = [
    name
    for name in _TRIAL_COLUMNS
    if name not in ("job_id", "trial_number", "batch_size", "generation", "uncapped", "run_id", "started_at")
]

_OF_JOB = trial.c.job_id == bindparam("job")
_GET_SIZES = (
    select(batch_size_state)
    .where(batch_size_state.c.job_id == bindparam("job"))
    .order_by(batch_size_state.c.batch_size)
)
_SOME_SIZES = select(batch_size_state).where(
    batch_size_state.c.job_id == bindparam("job"), batch_size_state.c.batch_size.in_(bindparam("some", expanding=True))
)
_SAVE_SIZE = (
    update(batch_size_state)
    .where(batch_size_state.c.job_id == bindparam("job"), batch_size_state.c.batch_size == bindparam("size"))
    .values({name: bindparam(name) for name in _SIZE_COLUMNS})
)
_GET_TRIAL = select(trial).where(_OF_JOB, trial.c.trial_number == bindparam("number"))
_LATEST_OF_RUN = (
    select(trial).where(_OF_JOB, trial.c.run_id == bindparam("run")).order_by(trial.c.trial_number.desc()).limit(1)
)
_OPEN = select(trial).where(_OF_JOB, trial.c.status == TrialStatus.DISPATCHED.value).order_by(trial.c.trial_number)
_LATEST_DECIDED = (
    select(trial)
    .where(_OF_JOB, trial.c.status == TrialStatus.SUCCEEDED.value)
    .order_by(trial.c.trial_number.desc())
    .limit(bindparam("limit"))
)
_IN_FLIGHT = (
    select(trial.c.batch_size, func.count().label("running"))
    .where(
        _OF_JOB,
        trial.c.status == TrialStatus.DISPATCHED.value,
        trial.c.generation == bindparam("of_generation"),
    )
    .group_by(trial.c.batch_size)
)
_CURVE = (
    select(trial_report.c.epoch, trial_report.c.metric)
    .where(trial_report.c.job_id == bindparam("job"), trial_report.c.trial_number == bindparam("number"))
    .order_by(trial_report.c.epoch)
)
_PLACES = (
    select(trial)
    .where(
        _OF_JOB,
        trial.c.generation == bindparam("of_generation"),
        trial.c.round == bindparam("of_round"),
        trial.c.type == TrialType.EXPLORATION.value,
        trial.c.status != TrialStatus.FAILED.value,
    )
    .order_by(trial.c.trial_number)
)
_SAVE_TRIAL = (
    update(trial)
    .where(_OF_JOB, trial.c.trial_number == bindparam("number"))
    .values({name: bindparam(name) for name in _SAVED_TRIAL_COLUMNS})
)
_INSERT_REPORT = insert(trial_report)
_REPORTED_TIME = (
    select(trial_report.c.time)
    .where(trial_report.c.job_id == bindparam("job"), trial_report.c.trial_number == bindparam("number"))
    .order_by(trial_report.c.epoch.desc())
    .limit(1)
)
_WINDOW = (
    select(trial.c.reward)
    .where(
        _OF_JOB,
        trial.c.batch_size == bindparam("size"),
        trial.c.generation == bindparam("of_generation"),
        trial.c.decision.is_not(None),
        trial.c.reward.is_not(None),
    )
    .order_by(trial.c.decision.desc())
    .limit(bindparam("window"))
)


class BatchSizeStateRepository:
    """Trials and batch size states in the database; every method is part of the caller's transaction.

    Whoever writes here has locked the job before.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @staticmethod
    def size_of(row: Mapping[str, Any]) -> SizeState:
        """Read a batch size's state from a row that comes from elsewhere."""
        return _size_state(row)

    @staticmethod
    def trial_of(row: Mapping[str, Any]) -> Trial:
        """Read a trial from a row that comes from elsewhere."""
        return _trial(row)

    def sizes(self, job_id: str) -> dict[int, SizeState]:
        """Read the states of all batch sizes of a job, ascending."""
        rows = self._connection.execute(_GET_SIZES, {"job": job_id}).mappings()
        return {row["batch_size"]: _size_state(row) for row in rows}

    def sizes_of(self, job_ids: Sequence[str]) -> dict[str, dict[int, SizeState]]:
        """Read the states of all batch sizes of several jobs, ascending."""
        statement = select(batch_size_state).where(batch_size_state.c.job_id.in_(job_ids))
        found: dict[str, dict[int, SizeState]] = {job_id: {} for job_id in job_ids}
        for row in self._connection.execute(statement.order_by(batch_size_state.c.batch_size)).mappings():
            found[row["job_id"]][row["batch_size"]] = _size_state(row)
        return found

    def some_sizes(self, job_id: str, sizes: Sequence[int]) -> dict[int, SizeState]:
        """Read the states of some batch sizes of a job."""
        rows = self._connection.execute(_SOME_SIZES, {"job": job_id, "some": list(sizes)}).mappings()
        return {row["batch_size"]: _size_state(row) for row in rows}

    def create_sizes(self, job_id: str, sizes: Iterable[int]) -> None:
        """Store fresh states."""
        self._connection.execute(
            insert(batch_size_state),
            [{"job_id": job_id, "batch_size": size} | _size_values(SizeState(size)) for size in sizes],
        )

    def save_sizes(self, job_id: str, states: Sequence[SizeState]) -> None:
        """Replace states."""
        if states:
            self._connection.execute(
                _SAVE_SIZE, [{"job": job_id, "size": state.batch_size} | _size_values(state) for state in states]
            )

    def trial(self, job_id: str, trial_number: int) -> Trial | None:
        """Read one trial."""
        return self._one(_GET_TRIAL, job=job_id, number=trial_number)

    def latest_of_run(self, job_id: str, run_id: str) -> Trial | None:
        """Read the latest trial of a run id."""
        return self._one(_LATEST_OF_RUN, job=job_id, run=run_id)

    def open_trials(self, job_id: str) -> list[Trial]:
        """Read the open trials of a job, by number."""
        return [_trial(row) for row in self._connection.execute(_OPEN, {"job": job_id}).mappings()]

    def latest_decided(self, job_id: str, limit: int) -> list[Trial]:
        """Read the latest trials of a job that were decided, the latest first."""
        rows = self._connection.execute(_LATEST_DECIDED, {"job": job_id, "limit": limit}).mappings()
        return [_trial(row) for row in rows]

    def in_flight(self, job_id: str, generation: int) -> dict[int, int]:
        """Count the open trials of a generation by batch size."""
        rows = self._connection.execute(_IN_FLIGHT, {"job": job_id, "of_generation": generation})
        return {row.batch_size: row.running for row in rows}

    def places(self, job_id: str, generation: int, round_: int) -> dict[int, tuple[Place, Trial]]:
        """Read the places of a round of pruning that are held or filled, each with its Exploration trial."""
        rows = self._connection.execute(
            _PLACES, {"job": job_id, "of_generation": generation, "of_round": round_}
        ).mappings()
        trials = [_trial(row) for row in rows]
        return {found.batch_size: (_place(found), found) for found in trials}

    def window(self, command: ReadWindow) -> GaussianTsArmState:
        """Read the latest rewards of a batch size in a generation, as the state of an arm."""
        rows = self._connection.execute(
            _WINDOW,
            {
                "job": command.job_id,
                "size": command.batch_size,
                "of_generation": command.generation,
                "window": command.window_size,
            },
        ).scalars()
        arm = GaussianTsArmState()
        for reward in reversed(rows.all()):
            arm = arm.observe(reward)
        return arm

    def create_trial(self, command: CreateTrial) -> Trial:
        """Store a new, open trial."""
        created = Trial(
            **command.model_dump(),
            status=TrialStatus.DISPATCHED,
            outcome=None,
            reason=None,
            reported=False,
            start_reported=False,
            current_epoch=0,
            time=0.0,
            energy=0.0,
            last_report_at=command.started_at,
            last_seen_at=command.started_at,
            ended_at=None,
            metric=None,
            non_finite_in_row=0,
            target_reached=False,
            energy_source=None,
            wasted_time=0.0,
            wasted_energy=0.0,
            cost=None,
            reward=None,
            decision=None,
        )
        self._connection.execute(insert(trial), _trial_values(created, _TRIAL_COLUMNS))
        return created

    def save_trial(self, state: Trial) -> None:
        """Replace a trial."""
        keys = {"job": state.job_id, "number": state.trial_number}
        self._connection.execute(_SAVE_TRIAL, keys | _trial_values(state, _SAVED_TRIAL_COLUMNS))

    def record_report(self, command: RecordReport) -> None:
        """Store the first report of an epoch."""
        self._connection.execute(_INSERT_REPORT, command.model_dump())

    def reported_time_s(self, job_id: str, trial_number: int) -> float:
        """Read the training time of a trial's latest report [s]; 0 before the first."""
        reported = self._connection.execute(_REPORTED_TIME, {"job": job_id, "number": trial_number}).scalar()
        return reported or 0.0

    def curve(self, job_id: str, trial_number: int) -> list[tuple[int, float | None]]:
        """Read epoch and metric of a trial's reports, by epoch."""
        rows = self._connection.execute(_CURVE, {"job": job_id, "number": trial_number})
        return [(row.epoch, row.metric) for row in rows]

    def discard_reports(self, job_id: str, trial_number: int, after_epoch: int) -> None:
        """Remove the reports of epochs whose work was discarded."""
        self._connection.execute(
            delete(trial_report).where(
                trial_report.c.job_id == job_id,
                trial_report.c.trial_number == trial_number,
                trial_report.c.epoch > after_epoch,
            )
        )

    def decided_trials(self, job_id: str) -> list[Trial]:
        """Read all decided trials of a job in the order of their decisions."""
        rows = self._connection.execute(
            select(trial).where(trial.c.job_id == job_id, trial.c.decision.is_not(None)).order_by(trial.c.decision)
        ).mappings()
        return [_trial(row) for row in rows]

    def save_costs(self, job_id: str, trials: Sequence[Trial]) -> None:
        """Replace cost and reward of decided trials."""
        if trials:
            self._connection.execute(
                update(trial)
                .where(_OF_JOB, trial.c.trial_number == bindparam("number"))
                .values(cost=bindparam("new_cost"), reward=bindparam("new_reward")),
                [{"job": job_id, "number": t.trial_number, "new_cost": t.cost, "new_reward": t.reward} for t in trials],
            )

    def page(self, command: ReadTrials) -> list[Trial]:
        """Read a page of trials by number."""
        number = trial.c.trial_number
        statement = select(trial).where(trial.c.job_id == command.job_id).limit(command.limit)
        if command.descending:
            statement = statement.where(number < (command.after or INT32_MAX)).order_by(number.desc())
        else:
            statement = statement.where(number > command.after).order_by(number)
        if command.status is not None:
            statement = statement.where(trial.c.status == command.status.value)
        if command.batch_size is not None:
            statement = statement.where(trial.c.batch_size == command.batch_size)
        return [_trial(row) for row in self._connection.execute(statement).mappings()]

    def totals(self, job_id: str) -> dict[int, SizeTotals]:
        """Count the trials of each batch size, over all generations."""
        converged = trial.c.outcome == Outcome.CONVERGED.value
        rows = self._connection.execute(
            select(
                trial.c.batch_size,
                func.count().label("trials"),
                func.count(case((converged, 1))).label("converged"),
                func.count(case((trial.c.status == TrialStatus.SUCCEEDED.value, 1))).label("decided"),
                func.count(case((trial.c.status == TrialStatus.FAILED.value, 1))).label("failed"),
                func.avg(case((converged, trial.c.energy))).label("mean_energy"),
                func.avg(case((converged, trial.c.time))).label("mean_time"),
                func.avg(case((converged, trial.c.cost))).label("mean_cost"),
            )
            .where(trial.c.job_id == job_id)
            .group_by(trial.c.batch_size)
        )
        return {
            row.batch_size: SizeTotals(
                trials=row.trials,
                converged=row.converged,
                unconverged=row.decided - row.converged,
                failed=row.failed,
                mean_energy=row.mean_energy,
                mean_time=row.mean_time,
                mean_cost=row.mean_cost,
            )
            for row in rows
        }

    def _one(self, statement: Any, **parameters: Any) -> Trial | None:
        row = self._connection.execute(statement, parameters).mappings().first()
        return None if row is None else _trial(row)


def _size_state(row: Mapping[Any, Any]) -> SizeState:
    return SizeState(
        batch_size=row["batch_size"],
        arm=GaussianTsArmState(row["num_observations"], row["reward_mean"], row["reward_m2"]),
        surrogate=from_document(SurrogateArmState, row["surrogate"]),
        is_arm=row["is_arm"],
        converged=row["converged"],
        ever_converged=row["ever_converged"],
        best_cost=row["best_cost"],
        missed_in_row=row["missed_in_row"],
        barren_in_row=row["barren_in_row"],
        oom_in_row=row["oom_in_row"],
        retired=Retirement(row["retired"]) if row["retired"] else None,
    )


def _size_values(state: SizeState) -> dict[str, Any]:
    values = {name: getattr(state, name) for name in _SIZE_COLUMNS if hasattr(state, name)}
    values |= {name: getattr(state.arm, name) for name in _SIZE_COLUMNS if hasattr(state.arm, name)}
    retired = state.retired.value if state.retired else None
    return values | {"retired": retired, "surrogate": to_document(state.surrogate)}


def _place(state: Trial) -> Place:
    if state.open:
        return Place(state.batch_size, PlaceState.OPEN)
    converged = state.outcome is Outcome.CONVERGED
    return Place(state.batch_size, PlaceState.CONVERGED if converged else PlaceState.UNCONVERGED, state.cost)


def _trial(row: Mapping[Any, Any]) -> Trial:
    values: dict[str, Any] = {name: row[name] for name in _TRIAL_COLUMNS}
    values["type"] = TrialType(values["type"])
    values["status"] = TrialStatus(values["status"])
    for name, kind in (("outcome", Outcome), ("reason", FailReason), ("energy_source", EnergySource)):
        if values[name] is not None:
            values[name] = kind(values[name])
    return Trial(**values)


def _trial_values(state: Trial, names: Iterable[str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(state, name) for name in names}
    for name in ("type", "status", "outcome", "reason", "energy_source"):
        if name in values and values[name] is not None:
            values[name] = values[name].value
    return values
