"""Conversion of trials and batch size states between values and rows of their tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zeus_bso.policy.state import GaussianTsArmState, Retirement, SizeState, SurrogateArmState
from zeus_bso.protocol.words import EnergySource, FailReason, Outcome, TrialStatus, TrialType
from zeus_bso.server.batch_size_state.commands import RecordReport
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.database.documents import from_document, to_document

Row = Mapping[Any, Any]


def size_of(row: Row) -> SizeState:
    """Convert a row to the state of a batch size."""
    return SizeState(
        batch_size=row["batch_size"],
        arm=GaussianTsArmState(row["num_observations"], row["reward_mean"], row["reward_m2"]),
        surrogate=from_document(SurrogateArmState, row["surrogate"]),
        is_arm=row["is_arm"],
        converged=row["converged"],
        ever_converged=row["ever_converged"],
        best_cost=row["best_cost"],
        missed_in_row=row["missed_in_row"],
        no_result_in_row=row["no_result_in_row"],
        oom_in_row=row["oom_in_row"],
        retired=Retirement(row["retired"]) if row["retired"] else None,
    )


def size_values(state: SizeState) -> dict[str, Any]:
    """The columns of a batch size, without its key."""
    return {
        "num_observations": state.arm.num_observations,
        "reward_mean": state.arm.reward_mean,
        "reward_m2": state.arm.reward_m2,
        "surrogate": to_document(state.surrogate),
        "is_arm": state.is_arm,
        "converged": state.converged,
        "ever_converged": state.ever_converged,
        "best_cost": state.best_cost,
        "missed_in_row": state.missed_in_row,
        "no_result_in_row": state.no_result_in_row,
        "oom_in_row": state.oom_in_row,
        "retired": state.retired.value if state.retired else None,
    }


def trial_of(row: Row) -> Trial:
    """Convert a row to a trial."""
    return Trial(
        job_id=row["job_id"],
        trial_number=row["trial_number"],
        batch_size=row["batch_size"],
        generation=row["generation"],
        type=TrialType(row["type"]),
        round=row["round"],
        uncapped=row["uncapped"],
        status=TrialStatus(row["status"]),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        reason=FailReason(row["reason"]) if row["reason"] else None,
        message=row["message"],
        run_id=row["run_id"],
        instance=row["instance"],
        heartbeat_s=row["heartbeat_s"],
        reported=row["reported"],
        start_reported=row["start_reported"],
        started_at=row["started_at"],
        last_report_at=row["last_report_at"],
        last_seen_at=row["last_seen_at"],
        lease_expires_at=row["lease_expires_at"],
        ended_at=row["ended_at"],
        current_epoch=row["current_epoch"],
        time=row["time"],
        energy=row["energy"],
        metric=row["metric"],
        non_finite_in_row=row["non_finite_in_row"],
        target_reached=row["target_reached"],
        energy_source=EnergySource(row["energy_source"]) if row["energy_source"] else None,
        wasted_time=row["wasted_time"],
        wasted_energy=row["wasted_energy"],
        cost=row["cost"],
        reward=row["reward"],
        decision=row["decision"],
        power_limit=row["power_limit"],
        profiling_time=row["profiling_time"],
        profiling_energy=row["profiling_energy"],
        epoch_bound=row["epoch_bound"],
    )


def new_trial_values(trial: Trial) -> dict[str, Any]:
    """All columns of a trial."""
    fixed = {
        "job_id": trial.job_id,
        "trial_number": trial.trial_number,
        "batch_size": trial.batch_size,
        "generation": trial.generation,
        "round": trial.round,
        "uncapped": trial.uncapped,
        "run_id": trial.run_id,
        "started_at": trial.started_at,
        "epoch_bound": trial.epoch_bound,
    }
    return fixed | trial_values(trial)


def trial_values(trial: Trial) -> dict[str, Any]:
    """The columns that change during a trial."""
    return {
        "type": trial.type.value,
        "status": trial.status.value,
        "outcome": trial.outcome.value if trial.outcome else None,
        "reason": trial.reason.value if trial.reason else None,
        "message": trial.message,
        "instance": trial.instance,
        "heartbeat_s": trial.heartbeat_s,
        "reported": trial.reported,
        "start_reported": trial.start_reported,
        "last_report_at": trial.last_report_at,
        "last_seen_at": trial.last_seen_at,
        "lease_expires_at": trial.lease_expires_at,
        "ended_at": trial.ended_at,
        "current_epoch": trial.current_epoch,
        "time": trial.time,
        "energy": trial.energy,
        "metric": trial.metric,
        "non_finite_in_row": trial.non_finite_in_row,
        "target_reached": trial.target_reached,
        "energy_source": trial.energy_source.value if trial.energy_source else None,
        "wasted_time": trial.wasted_time,
        "wasted_energy": trial.wasted_energy,
        "cost": trial.cost,
        "reward": trial.reward,
        "decision": trial.decision,
        "power_limit": trial.power_limit,
        "profiling_time": trial.profiling_time,
        "profiling_energy": trial.profiling_energy,
    }


def report_values(command: RecordReport) -> dict[str, Any]:
    """The row of a report."""
    return {
        "job_id": command.job_id,
        "trial_number": command.trial_number,
        "epoch": command.epoch,
        "time": command.time,
        "energy": command.energy,
        "metric": command.metric,
        "reported_at": command.reported_at,
    }
