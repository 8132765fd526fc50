"""Trials and batch size states in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, delete, func, insert, or_, select, update

from zeus_bso.policy.state import GaussianTsArmState, SizeState
from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.words import INT32_MAX, EnergySource, Outcome, TrialStatus, TrialType
from zeus_bso.server.batch_size_state.commands import (
    CreateTrial,
    ReadTrials,
    ReadWindow,
    RecordReport,
    SavePowerProfile,
)
from zeus_bso.server.batch_size_state.models import FirstReport, SizeTotals, Trial, Used
from zeus_bso.server.batch_size_state.power_rows import point_values, profile_of, profile_values
from zeus_bso.server.batch_size_state.trial_rows import (
    new_trial_values,
    report_values,
    size_of,
    size_values,
    trial_of,
    trial_values,
)
from zeus_bso.server.database.schema import (
    BY_ROUND,
    batch_size_state,
    power_point,
    power_profile,
    trial,
    trial_report,
)
from zeus_bso.server.database.trial_status import CONDITIONS, HAS_ENDED, HAS_FAILED
from zeus_bso.server.database.types import statement_begin
from zeus_bso.server.database.writing import write_rows

_OF_JOB = trial.c.job_id == bindparam("job")
_GET_SIZES = (
    select(batch_size_state)
    .where(batch_size_state.c.job_id == bindparam("job"))
    .order_by(batch_size_state.c.batch_size)
)
_SOME_SIZES = select(batch_size_state).where(
    batch_size_state.c.job_id == bindparam("job"), batch_size_state.c.batch_size.in_(bindparam("some", expanding=True))
)
_SAVE_SIZE = update(batch_size_state).where(
    batch_size_state.c.job_id == bindparam("job"), batch_size_state.c.batch_size == bindparam("size")
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
_CURVE = (
    select(trial_report.c.epoch, trial_report.c.metric)
    .where(trial_report.c.job_id == bindparam("job"), trial_report.c.trial_number == bindparam("number"))
    .order_by(trial_report.c.epoch)
)
_EXPLORATIONS = (
    select(trial)
    .where(
        _OF_JOB,
        trial.c.generation == bindparam("of_generation"),
        trial.c.round == bindparam("of_round"),
        trial.c.type == TrialType.EXPLORATION.value,
        trial.c.status != TrialStatus.FAILED.value,
    )
    .order_by(trial.c.trial_number)
    # Most trials have no round, and MySQL's statistics take that for one that all of them share.
    .with_hint(trial, f"FORCE INDEX ({BY_ROUND.name})", "mysql")
)
_INSERT_TRIAL = insert(trial)
_SAVE_TRIAL = update(trial).where(_OF_JOB, trial.c.trial_number == bindparam("number"))
_INSERT_REPORT = insert(trial_report)
_FIRST_REPORT = (
    select(trial_report.c.epoch, trial_report.c.time, trial_report.c.energy)
    .where(trial_report.c.job_id == bindparam("job"), trial_report.c.trial_number == bindparam("number"))
    .order_by(trial_report.c.epoch)
    .limit(1)
)
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
_POWER_PROFILES = select(
    power_point,
    power_profile.c.unit,
    power_profile.c.lowest,
    power_profile.c.highest,
    power_profile.c.revision,
).select_from(power_point.join(power_profile))
_POWER_PROFILE = _POWER_PROFILES.where(
    power_point.c.job_id == bindparam("job"), power_point.c.batch_size == bindparam("size")
)
_DELETE_POWER_PROFILE = delete(power_profile).where(
    power_profile.c.job_id == bindparam("job"), power_profile.c.batch_size == bindparam("size")
)
_INSERT_POWER_PROFILE = insert(power_profile)
_INSERT_POWER_POINT = insert(power_point)


class BatchSizeStateRepository:
    """Trials and batch size states in the database. Every method is part of the caller's transaction.

    A caller must lock the job before it writes here.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sizes(self, job_id: str) -> dict[int, SizeState]:
        """Read the states of all batch sizes of a job, ascending."""
        rows = self._connection.execute(_GET_SIZES, {"job": job_id}).mappings()
        return {row["batch_size"]: size_of(row) for row in rows}

    def sizes_of(self, job_ids: Sequence[str]) -> dict[str, dict[int, SizeState]]:
        """Read the states of all batch sizes of several jobs, ascending."""
        statement = select(batch_size_state).where(batch_size_state.c.job_id.in_(job_ids))
        found: dict[str, dict[int, SizeState]] = {job_id: {} for job_id in job_ids}
        for row in self._connection.execute(statement.order_by(batch_size_state.c.batch_size)).mappings():
            found[row["job_id"]][row["batch_size"]] = size_of(row)
        return found

    def some_sizes(self, job_id: str, sizes: Sequence[int]) -> dict[int, SizeState]:
        """Read the states of some batch sizes of a job."""
        rows = self._connection.execute(_SOME_SIZES, {"job": job_id, "some": list(sizes)}).mappings()
        return {row["batch_size"]: size_of(row) for row in rows}

    def create_sizes(self, job_id: str, sizes: Iterable[int]) -> None:
        """Store fresh states."""
        self._connection.execute(
            insert(batch_size_state),
            [{"job_id": job_id, "batch_size": size} | size_values(SizeState(size)) for size in sizes],
        )

    def save_sizes(self, states: Sequence[tuple[str, SizeState]]) -> None:
        """Replace states, each of a job."""
        write_rows(
            self._connection,
            _SAVE_SIZE,
            [{"job": job_id, "size": state.batch_size} | size_values(state) for job_id, state in states],
        )

    def trial(self, job_id: str, trial_number: int) -> Trial | None:
        """Read one trial."""
        return self._one(_GET_TRIAL, job=job_id, number=trial_number)

    def latest_of_run(self, job_id: str, run_id: str) -> Trial | None:
        """Read the latest trial of a run id."""
        return self._one(_LATEST_OF_RUN, job=job_id, run=run_id)

    def open_trials(self, job_id: str) -> list[Trial]:
        """Read the open trials of a job, by number."""
        return [trial_of(row) for row in self._connection.execute(_OPEN, {"job": job_id}).mappings()]

    def latest_decided(self, job_id: str, limit: int) -> list[Trial]:
        """Read the latest decided trials of a job, newest first."""
        rows = self._connection.execute(_LATEST_DECIDED, {"job": job_id, "limit": limit}).mappings()
        return [trial_of(row) for row in rows]

    def explorations(self, job_id: str, generation: int, round_: int) -> list[Trial]:
        """Read the Exploration trials of a round of pruning that have not Failed, in the order of their numbers."""
        rows = self._connection.execute(
            _EXPLORATIONS, {"job": job_id, "of_generation": generation, "of_round": round_}
        ).mappings()
        return [trial_of(row) for row in rows]

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

    def power_profile(self, job_id: str, batch_size: int) -> PowerProfile | None:
        """Read what is known about a batch size at each power limit. None if nothing is."""
        rows = self._connection.execute(_POWER_PROFILE, {"job": job_id, "size": batch_size}).mappings()
        return profile_of(rows.all())

    def power_profiles_of(self, job_ids: Sequence[str] | None) -> dict[str, dict[int, PowerProfile]]:
        """Read what is known about the batch sizes of several jobs, or of all, at each power limit, ascending."""
        statement = _POWER_PROFILES.order_by(power_point.c.job_id, power_point.c.batch_size)
        if job_ids is not None:
            statement = statement.where(power_point.c.job_id.in_(job_ids))
        found: dict[str, dict[int, list[Any]]] = {}
        for row in self._connection.execute(statement).mappings():
            found.setdefault(row["job_id"], {}).setdefault(row["batch_size"], []).append(row)
        return {
            job_id: {size: profile for size, rows in sizes.items() if (profile := profile_of(rows)) is not None}
            for job_id, sizes in found.items()
        }

    def save_power_profile(self, command: SavePowerProfile) -> None:
        """Replace what is known about a batch size at each power limit."""
        # The limits are deleted with their profile.
        self._connection.execute(_DELETE_POWER_PROFILE, {"job": command.job_id, "size": command.batch_size})
        self._connection.execute(_INSERT_POWER_PROFILE, profile_values(command))
        self._connection.execute(_INSERT_POWER_POINT, point_values(command))

    def create_trials(self, commands: Sequence[CreateTrial]) -> None:
        """Store new trials."""
        write_rows(self._connection, _INSERT_TRIAL, [new_trial_values(command.trial) for command in commands])

    def save_trials(self, states: Sequence[Trial]) -> None:
        """Replace trials."""
        write_rows(
            self._connection,
            _SAVE_TRIAL,
            [{"job": state.job_id, "number": state.trial_number} | trial_values(state) for state in states],
        )

    def record_reports(self, commands: Sequence[RecordReport]) -> None:
        """Store reports, each the first one of an epoch."""
        write_rows(self._connection, _INSERT_REPORT, [report_values(command) for command in commands])

    def reported_time_s(self, job_id: str, trial_number: int) -> float:
        """Read the training time of a trial's latest report [s]; 0 before the first."""
        reported = self._connection.execute(_REPORTED_TIME, {"job": job_id, "number": trial_number}).scalar()
        return reported or 0.0

    def first_report(self, job_id: str, trial_number: int) -> FirstReport | None:
        """Read a trial's first report; None: there is none."""
        row = self._connection.execute(_FIRST_REPORT, {"job": job_id, "number": trial_number}).first()
        return None if row is None else FirstReport(row.epoch, row.time, row.energy)

    def curve(self, job_id: str, trial_number: int) -> list[tuple[int, float | None]]:
        """Read epoch and metric of a trial's reports, sorted by epoch."""
        rows = self._connection.execute(_CURVE, {"job": job_id, "number": trial_number})
        return [(row.epoch, row.metric) for row in rows]

    def discard_reports(self, job_id: str, trial_number: int, after_epoch: int) -> None:
        """Delete the reports of epochs whose work was discarded."""
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
        return [trial_of(row) for row in rows]

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
        """Read a page of trials by number. A trial whose lease has ended is given up."""
        number = trial.c.trial_number
        statement = (
            select(trial, statement_begin().label("now")).where(trial.c.job_id == command.job_id).limit(command.limit)
        )
        if command.descending:
            statement = statement.where(number < (command.after or INT32_MAX)).order_by(number.desc())
        else:
            statement = statement.where(number > command.after).order_by(number)
        if command.status is not None:
            statement = statement.where(CONDITIONS[command.status])
        if command.batch_size is not None:
            statement = statement.where(trial.c.batch_size == command.batch_size)
        rows = self._connection.execute(statement).mappings()
        return [trial_of(row).given_up_if_overdue(row["now"]) for row in rows]

    def used(self, job_id: str, generation: int) -> dict[int, Used]:
        """Add up what the decided trials of a generation have used, by batch size."""
        rows = self._connection.execute(
            select(trial.c.batch_size, func.sum(trial.c.energy).label("energy"), func.sum(trial.c.time).label("time"))
            .where(
                trial.c.job_id == job_id,
                trial.c.generation == generation,
                trial.c.status == TrialStatus.SUCCEEDED.value,
                trial.c.reward.is_not(None),
            )
            .group_by(trial.c.batch_size)
        )
        return {row.batch_size: Used(row.energy, row.time) for row in rows}

    def totals(self, job_id: str, energy_source: EnergySource | None) -> dict[int, SizeTotals]:
        """Count the trials of each batch size, over all generations.

        Args:
            job_id: The job.
            energy_source: The source of its energy readings. Trials with another source are compared with nothing.
        """
        converged = trial.c.outcome == Outcome.CONVERGED.value
        source = trial.c.energy_source
        others = [other for other in EnergySource if other is not energy_source]
        own = and_(converged, or_(source.is_(None), source.not_in([other.value for other in others])))
        rows = self._connection.execute(
            select(
                trial.c.batch_size,
                func.count().label("trials"),
                func.count(case((converged, 1))).label("converged"),
                func.count(case((trial.c.status == TrialStatus.SUCCEEDED.value, 1))).label("decided"),
                func.count(case((HAS_FAILED, 1))).label("failed"),
                *(func.count(case((and_(source == other.value, HAS_ENDED), 1))).label(other.name) for other in others),
                func.avg(case((own, trial.c.energy))).label("mean_energy"),
                func.avg(case((own, trial.c.time))).label("mean_time"),
                func.avg(case((own, trial.c.cost))).label("mean_cost"),
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
                left_out={other: number for other in others if (number := row._mapping[other.name])},
                mean_energy=row.mean_energy,
                mean_time=row.mean_time,
                mean_cost=row.mean_cost,
            )
            for row in rows
        }

    def _one(self, statement: Any, **parameters: Any) -> Trial | None:
        row = self._connection.execute(statement, parameters).mappings().first()
        return None if row is None else trial_of(row)
