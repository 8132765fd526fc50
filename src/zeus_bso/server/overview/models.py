"""What the overview reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from zeus_bso.savings import Use


@dataclass(frozen=True, slots=True)
class JobKey:
    """What a list of jobs is sorted by, as far as the job's own row tells."""

    job_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class JobMark:
    """Tells whether a job's trials have changed: whatever a trial does moves one of these.

    Attributes:
        job_id: The job.
        stage: Its stage.
        updated_at: When its row last changed.
        last_trial_number: Its latest trial.
        last_decision: Its latest decided trial, in the order of the decisions.
        open_trials: Its trials that run.
    """

    job_id: str
    stage: str
    updated_at: datetime
    last_trial_number: int
    last_decision: int
    open_trials: int


@dataclass(frozen=True, slots=True)
class Report:
    """The first report of an epoch; figures are cumulative since the run began.

    Attributes:
        epoch: Epochs trained.
        time: Training time [s].
        energy: Energy used [J].
        metric: The metric; None when it was not finite.
        reported_at: When it was reported.
    """

    epoch: int
    time: float
    energy: float
    metric: float | None
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class SizeRecord:
    """What the trials of one batch size did and used, over all generations.

    All but ``trials``, ``running`` and ``foreign`` is about ended trials whose energy was measured as the job's is.

    Attributes:
        batch_size: The size.
        trials: All trials.
        running: Those that are open.
        foreign: Ended ones whose energy rests on another source than the job's; they are not compared with the others.
        converged: Those that converged.
        unconverged: Those that were decided without converging.
        failed: Those that ended without a decision.
        energy: Their energy [J].
        time: Their time [s].
        cost: Cost of the converged ones [J]; what was ``lost`` is not counted here.
        last_converged_at: When the latest of them converged.
    """

    batch_size: int
    trials: int
    running: int
    foreign: int
    converged: int
    unconverged: int
    failed: int
    energy: Use
    time: Use
    cost: Use
    last_converged_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndedTrial:
    """An ended trial whose energy was measured as the job's is.

    Attributes:
        trial_number: Its number.
        batch_size: Its batch size.
        converged: It converged.
        ended_at: When it ended.
        energy: What it used [J].
        time: How long it took [s].
        wasted_energy: Energy of work that was discarded at a restart [J].
        wasted_time: Time of work that was discarded at a restart [s].
    """

    trial_number: int
    batch_size: int
    converged: bool
    ended_at: datetime
    energy: float
    time: float
    wasted_energy: float
    wasted_time: float
