"""The state of trials as it was read. The state of a batch size is the policy's :class:`SizeState`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from zeus_bso import units
from zeus_bso.policy.state import GaussianTsArmState, SizeState
from zeus_bso.protocol.messages import Checkpoint
from zeus_bso.protocol.words import EnergySource, FailReason, Outcome, TrialStatus, TrialType

__all__ = ["NOTHING_USED", "FirstReport", "GaussianTsArmState", "SizeState", "SizeTotals", "Trial", "Used"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One recurrence's use of one batch size.

    Attributes:
        job_id: Id of the job.
        trial_number: Number of the trial in the job, from 1.
        batch_size: Batch size of the trial.
        generation: Generation of the job in which the trial began.
        type: Purpose of the trial.
        round: Round of pruning in which the trial began as an Exploration. It stays when the trial becomes Concurrent.
        uncapped: Whether the trial has no cost bound.
        status: Status of the trial.
        outcome: The decision about a trial that Succeeded.
        reason: The reason why a trial Failed.
        message: The answer to the last report, or the reason why the trial ended.
        run_id: Name of the recurrence.
        instance: Name of the process that runs the trial.
        heartbeat_s: Seconds between two heartbeats of the client, or None if it sends none.
        reported: Whether the trial has a report that counts.
        start_reported: Whether the process that runs the trial, or ran it last, has reported.
        started_at: Time when the trial began.
        last_report_at: Time of the last ask or report.
        last_seen_at: Time of the last message from the client.
        lease_expires_at: Time when the trial is given up, unless the client sends a message before.
        ended_at: Time when the trial ended.
        current_epoch: Latest reported epoch.
        time: Training time so far [s].
        energy: Energy used so far [J].
        metric: Latest metric, or None if it was not finite.
        non_finite_in_row: Number of latest metrics in a row that were not finite.
        target_reached: Whether the target was reached, whatever was decided.
        energy_source: Source of the energy readings.
        wasted_time: Time of work that was discarded at a restart [s].
        wasted_energy: Energy of work that was discarded at a restart [J].
        cost: Cost [J], once the trial is decided.
        reward: Reward [-J], once the trial is decided and the policy has learned from it.
        decision: Number of the trial in the order of the job's decisions.
        power_limit: Power limit of each device at which the trial trains [W], or None at full power.
        profiling_time: Time beyond ``time`` that the trial has spent to measure power limits [s]. It may be negative.
        profiling_energy: Energy beyond ``energy`` that it has used for that [J]. It may be negative.
        epoch_bound: Epoch at which the trial is stopped unless it has reached the target, or None.
    """

    job_id: str
    trial_number: int
    batch_size: int
    generation: int
    type: TrialType
    round: int | None
    uncapped: bool
    status: TrialStatus
    outcome: Outcome | None = None
    reason: FailReason | None = None
    message: str
    run_id: str | None
    instance: str | None
    heartbeat_s: float | None
    reported: bool = False
    start_reported: bool = False
    started_at: datetime
    last_report_at: datetime
    last_seen_at: datetime
    lease_expires_at: datetime
    ended_at: datetime | None = None
    current_epoch: int = 0
    time: float = 0.0
    energy: float = 0.0
    metric: float | None = None
    non_finite_in_row: int = 0
    target_reached: bool = False
    energy_source: EnergySource | None = None
    wasted_time: float = 0.0
    wasted_energy: float = 0.0
    cost: float | None = None
    reward: float | None = None
    decision: int | None = None
    power_limit: float | None = None
    profiling_time: float = 0.0
    profiling_energy: float = 0.0
    epoch_bound: int | None = None

    @property
    def open(self) -> bool:
        """Whether the trial is running."""
        return self.status is TrialStatus.DISPATCHED

    def given_up_if_overdue(self, now: datetime) -> Trial:
        """The trial for people: if its lease has ended, as the next ask will write it."""
        if not self.open or self.lease_expires_at >= now:
            return self
        silent_s = (now - self.last_seen_at).total_seconds()
        silence = units.duration(silent_s - silent_s % 60 if silent_s >= 60 else silent_s)
        return replace(
            self,
            status=TrialStatus.FAILED,
            reason=FailReason.EXPIRED,
            message=units.plain(f"Silent for {silence}, given up."),
            ended_at=self.lease_expires_at,
        )

    def restarted(self, start: Checkpoint) -> Trial:
        """The trial after a process has resumed it from a checkpoint. All other work is discarded and wasted.

        The checkpoint may be of work that an earlier restart had discarded. That work is no longer wasted. What was
        spent to measure power limits during discarded work is wasted too.
        """
        time = self.time + self.profiling_time - start.time - start.profiling_time
        energy = self.energy + self.profiling_energy - start.energy - start.profiling_energy
        return replace(
            self,
            start_reported=False,
            reported=start.current_epoch > 0,
            current_epoch=start.current_epoch,
            time=start.time,
            energy=start.energy,
            metric=None,
            non_finite_in_row=0,
            target_reached=False,
            wasted_time=max(0.0, self.wasted_time + time),
            wasted_energy=max(0.0, self.wasted_energy + energy),
            profiling_time=start.profiling_time,
            profiling_energy=start.profiling_energy,
        )


@dataclass(frozen=True, slots=True)
class FirstReport:
    """What a trial had used at its first report.

    Attributes:
        epoch: Epochs trained.
        time: Training time [s].
        energy: Energy [J].
    """

    epoch: int
    time: float
    energy: float


@dataclass(frozen=True, slots=True)
class Used:
    """What the runs of a batch size have used that the job has learnt from in its generation.

    Attributes:
        energy: Energy [J].
        time: Time [s].
    """

    energy: float
    time: float

    def __add__(self, other: Used) -> Used:
        return Used(self.energy + other.energy, self.time + other.time)


NOTHING_USED = Used(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class SizeTotals:
    """Trials of one batch size, counted over all generations.

    Attributes:
        trials: Number of all trials.
        converged: Number of trials that converged.
        unconverged: Number of trials that were decided without converging.
        failed: Number of trials that ended without a decision.
        left_out: Number of ended trials whose energy has another source than the job's, by their source.
        mean_energy: Mean energy of the converged trials, without those that are left out [J].
        mean_time: Mean time of these trials [s].
        mean_cost: Mean cost of these trials [J].
    """

    trials: int
    converged: int
    unconverged: int
    failed: int
    left_out: Mapping[EnergySource, int]
    mean_energy: float | None
    mean_time: float | None
    mean_cost: float | None
