"""The state of trials, as it was read. What is known about a batch size is the policy's :class:`SizeState`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from zeus_bso.common import EnergySource, FailReason, Outcome, Totals, TrialStatus, TrialType
from zeus_bso.policy.values import GaussianTsArmState, SizeState

__all__ = ["GaussianTsArmState", "SizeState", "SizeTotals", "Trial"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One recurrence's use of one batch size.

    Attributes:
        job_id: Its job.
        trial_number: Its number in the job, from 1.
        batch_size: Its batch size.
        generation: The job's generation in which it was begun.
        type: What it is for.
        round: Round of pruning in which it was begun as an Exploration; kept when it becomes Concurrent.
        uncapped: It is not stopped by its cost.
        status: How far it is.
        outcome: What was decided, once it Succeeded.
        reason: Why it Failed.
        message: The answer that its last report got, or why it ended.
        run_id: Names the recurrence.
        instance: Names the process that runs it.
        heartbeat_s: Its client beats every so many seconds; None: it does not.
        reported: It has a report that counts.
        start_reported: The process that runs it, or ran it last, has reported.
        started_at: When it was begun.
        last_report_at: When it last asked or reported.
        last_seen_at: When it was last heard of.
        lease_expires_at: When it is given up, unless it is heard of.
        ended_at: When it ended.
        current_epoch: Latest epoch reported.
        time: Training time so far [s].
        energy: Energy used so far [J].
        metric: Latest metric; None when it was not finite.
        non_finite_in_row: Latest metrics in a row that were not finite.
        target_reached: The target was reached, whatever was decided.
        energy_source: What its energy reading rests on.
        wasted_time: Time of work that was discarded at a restart [s].
        wasted_energy: Energy of work that was discarded at a restart [J].
        cost: Its cost, once it is decided [J].
        reward: Its observation, once it is decided and taught something [-J].
        decision: Its number in the order of the job's decisions.
    """

    job_id: str
    trial_number: int
    batch_size: int
    generation: int
    type: TrialType
    round: int | None
    uncapped: bool
    status: TrialStatus
    outcome: Outcome | None
    reason: FailReason | None
    message: str
    run_id: str | None
    instance: str | None
    heartbeat_s: float | None
    reported: bool
    start_reported: bool
    started_at: datetime
    last_report_at: datetime
    last_seen_at: datetime
    lease_expires_at: datetime
    ended_at: datetime | None
    current_epoch: int
    time: float
    energy: float
    metric: float | None
    non_finite_in_row: int
    target_reached: bool
    energy_source: EnergySource | None
    wasted_time: float
    wasted_energy: float
    cost: float | None
    reward: float | None
    decision: int | None

    @property
    def open(self) -> bool:
        """Whether it runs."""
        return self.status is TrialStatus.DISPATCHED

    def heard_of(self, now: datetime, lease_expires_at: datetime) -> Trial:
        """The trial after its client asked or reported."""
        return replace(self, last_report_at=now, last_seen_at=now, lease_expires_at=lease_expires_at)

    def restarted(self, start: Totals) -> Trial:
        """The trial after a process took it up from a checkpoint: work beyond is discarded, and counted as wasted."""
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
            wasted_time=self.wasted_time + max(0.0, self.time - start.time),
            wasted_energy=self.wasted_energy + max(0.0, self.energy - start.energy),
        )

    def decided(self, outcome: Outcome, cost: float, *, decision: int, now: datetime) -> Trial:
        """The trial after the server's decision."""
        return replace(self, status=TrialStatus.SUCCEEDED, outcome=outcome, cost=cost, decision=decision, ended_at=now)

    def failed(self, reason: FailReason, now: datetime) -> Trial:
        """The trial after it ended without a decision."""
        message = f"The trial has ended without a result ({reason.value})."
        return replace(self, status=TrialStatus.FAILED, reason=reason, message=message, ended_at=now)

    def reopened(self, trial_type: TrialType) -> Trial:
        """The trial after it was heard of although it had Failed."""
        return replace(self, status=TrialStatus.DISPATCHED, type=trial_type, reason=None, message="", ended_at=None)


@dataclass(frozen=True, slots=True)
class SizeTotals:
    """Trials of one batch size, counted over all generations.

    Attributes:
        trials: All.
        converged: Those that converged.
        unconverged: Those that were decided without converging.
        failed: Those that ended without a decision.
        mean_energy: Of the converged [J].
        mean_time: Of the converged [s].
        mean_cost: Of the converged [J].
    """

    trials: int
    converged: int
    unconverged: int
    failed: int
    mean_energy: float | None
    mean_time: float | None
    mean_cost: float | None
