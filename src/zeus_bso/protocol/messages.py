"""The messages of a run, and their answers. The server ignores unknown fields in them.

Units: time in seconds, energy in joules.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from zeus_bso.protocol.power import PowerProfile, PowerUse, SignedTotal
from zeus_bso.protocol.words import (
    Count,
    EnergySource,
    FailReason,
    Metric,
    Number,
    Outcome,
    PositiveCount,
    Text,
    Total,
)


class TrialId(BaseModel):
    """Identifies one trial of a job.

    Attributes:
        job_id: The job.
        batch_size: Batch size of the trial.
        trial_number: Number of the trial among the job's.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: Text
    batch_size: PositiveCount
    trial_number: PositiveCount


class RunTotals(BaseModel):
    """Cumulative use of a run since it began.

    Attributes:
        time: Training time [s].
        energy: Energy used [J].
        current_epoch: Number of trained epochs.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    time: Total = 0.0
    energy: Total = 0.0
    current_epoch: Count = 0


class Checkpoint(RunTotals):
    """Where a run goes on.

    Attributes:
        trial_number: The trial that it is of; null: the latest of the run.
        profiling_time: Extra time of measuring power limits up to there [s]. The run's next report counts on from it.
        profiling_energy: Extra energy of that [J].
    """

    trial_number: PositiveCount | None = None
    profiling_time: SignedTotal = 0.0
    profiling_energy: SignedTotal = 0.0


class TrainingResult(TrialId, PowerUse):
    """The report after an evaluation. All figures are cumulative since the run began.

    Attributes:
        time: Training time [s].
        energy: Energy used [J].
        metric: The validation metric. It is null, NaN or infinite if the run diverged.
        current_epoch: Number of trained epochs.
        instance: Name of the reporting process. A reference client sends null.
        final: Whether the run has ended by itself. If it has not reached the target by then, it has missed it.
        energy_source: Source of the energy reading.
        decided: The outcome with which the client ended the run, by the same rules, while the server did not answer. A
            run that converged this way counts as converged, even if the cost bound has changed since.
        within_epoch: Whether this is a further evaluation within a reported epoch, by the process that asked. The
            server judges it like any other. Without this mark, it takes a further report of an epoch for one of another
            rank.
    """

    time: Total
    energy: Total
    metric: Metric
    current_epoch: Count
    instance: Text | None = None
    final: bool = False
    energy_source: EnergySource | None = None
    decided: Outcome | None = None
    within_epoch: bool = False


class ReportResponse(BaseModel):
    """Answer to a report.

    Attributes:
        stop_train: Whether the run is over, so that the script should stop training.
        converged: Whether the run reached the target within the cost bound.
        message: One sentence with the reason.
        outcome: The decision. Null while the run continues, or if it ended without a decision.
        target_reached: Whether the run reached the target, whatever was decided.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    stop_train: bool
    converged: bool
    message: str
    outcome: Outcome | None = None
    target_reached: bool = False


class AskForTrial(BaseModel):
    """Ask for a trial.

    Attributes:
        job_id: The job.
        run_id: Name of the recurrence. The run id of an open trial gives the same trial again.
        heartbeat_s: Seconds between two heartbeats of the client. Null if it sends none.
        instance: Name of the asking process.
        checkpoint: Use of the run up to the checkpoint from which it continues. Null if it starts from zero.
        explore: Whether the run may explore. Otherwise it gets the best known size.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: Text
    run_id: Text | None = None
    heartbeat_s: Annotated[Number, Field(gt=0, le=86_400, allow_inf_nan=False)] | None = None
    instance: Text | None = None
    checkpoint: Checkpoint | None = None
    explore: bool = True


class TrialOffer(TrialId):
    """Answer to :class:`AskForTrial`.

    Attributes:
        lease_s: How long the client may stay silent before the trial is given up [s].
        resumed: Whether the trial began earlier, with the same run id.
        finished: Whether the trial of this run id has already converged, so that there is nothing left to train.
        time: Training time that the trial has used so far [s].
        energy: Energy that the trial has used so far [J].
        current_epoch: Number of epochs that the trial has trained so far.
        cost_bound: Cost at which the run will be stopped [J]. Null if there is no bound.
        epoch_bound: Epoch at which the run will be stopped unless it has reached its target. Null if there is no bound.
        message: A message of the server about the choice.
        power_profile: What is known about this batch size at each power limit. Null if nothing is.
    """

    lease_s: float
    resumed: bool = False
    finished: bool = False
    time: float = 0.0
    energy: float = 0.0
    current_epoch: int = 0
    cost_bound: float | None = None
    epoch_bound: int | None = None
    message: str | None = None
    power_profile: PowerProfile | None = None


class TrialEnd(TrialId):
    """A run ended without a result.

    Attributes:
        reason: The reason. Reference clients give none, which counts as an error.
        instance: Name of the process whose run ended.
    """

    reason: Literal[FailReason.PREEMPTED, FailReason.CANCELLED, FailReason.ERROR, FailReason.OOM] = FailReason.ERROR
    instance: Text | None = None


class Heartbeat(TrialId, RunTotals):
    """The message that a run is alive, with its totals so far.

    Attributes:
        instance: Name of the sending process.
        power_profile: The whole profile of the batch size, as far as this run knows it. Null if it has measured none.
    """

    instance: Text | None = None
    power_profile: PowerProfile | None = None


class Message(BaseModel):
    """The body of every error, and of answers without other content.

    Attributes:
        message: What happened, in words.
    """

    message: str
