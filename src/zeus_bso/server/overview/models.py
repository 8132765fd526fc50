"""Values that the overview reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.savings_views import RunCounts
from zeus_bso.protocol.views import JobSummary
from zeus_bso.protocol.words import EnergySource
from zeus_bso.savings import Saving, Use
from zeus_bso.server.observations.models import PastTotals


@dataclass(frozen=True, slots=True)
class JobKey:
    """The sort keys of a job that its own row contains."""

    job_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class JobVersion:
    """The version of a job. Every change of one of its trials changes one of these values, and so does a lease's end.

    Attributes:
        job_id: The job.
        stage: Stage of the job.
        updated_at: Time of the last change to its row.
        last_trial_number: Number of its latest trial.
        last_decision: Number of its latest decided trial, in the order of the decisions.
        open_trials: Number of its running trials.
        running_numbers: Sum of their numbers.
    """

    job_id: str
    stage: str
    updated_at: datetime
    last_trial_number: int
    last_decision: int
    open_trials: int
    running_numbers: int


@dataclass(frozen=True, slots=True)
class JobTotals:
    """What a job adds to the totals of all jobs.

    Attributes:
        energy: Saved energy [J], or None if there is not enough data.
        time: Saved time [s], or None if there is not enough data.
        spent_energy: Energy that its ended trials used [J].
        spent_time: Training time of its ended trials [s].
        runs: Number of its ended trials by result.
        energy_source: Source of its energy readings.
        estimated: Whether some of its energy was estimated instead of measured.
        alarmed: Whether none of its latest runs converged.
    """

    energy: Saving | None
    time: Saving | None
    spent_energy: float
    spent_time: float
    runs: RunCounts
    energy_source: EnergySource | None
    estimated: bool
    alarmed: bool


@dataclass(frozen=True, slots=True)
class JobFigures:
    """The figures of a job for the metrics.

    Attributes:
        trials: Number of its trials by status and reason.
        totals: What it adds to the totals.
        power_limit: The power limit of each GPU at its chosen batch size [W], or None if there is none.
    """

    trials: Mapping[tuple[str, str], int]
    totals: JobTotals
    power_limit: float | None


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job for the pages about all jobs.

    Attributes:
        summary: The job in the list of jobs, with its savings.
        totals: What it adds to the totals.
    """

    summary: JobSummary
    totals: JobTotals


@dataclass(frozen=True, slots=True)
class DayUse:
    """What the trials of a job that ended on one day have used.

    Attributes:
        day: The day, in UTC.
        converged: Number of trials that converged.
        energy: Energy of all of them, with what was wasted or went into measuring power limits [J].
    """

    day: date
    converged: int
    energy: float


@dataclass(frozen=True, slots=True)
class StoredReport:
    """The first report of an epoch. Its figures are cumulative since the run began.

    Attributes:
        epoch: Number of trained epochs.
        time: Training time [s].
        energy: Energy used [J].
        metric: The metric, or None if it was not finite.
        reported_at: Time of the report.
    """

    epoch: int
    time: float
    energy: float
    metric: float | None
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class SizeRecord:
    """Results and use of the trials of one batch size at one power limit, over all generations.

    All values except ``trials``, ``running`` and ``foreign`` cover ended trials with the energy source of the job.

    Attributes:
        batch_size: The batch size.
        power_limit: The power limit of each device [W], or None for full power.
        trials: Number of all trials.
        running: Number of running trials.
        foreign: Number of ended trials whose energy source differs from the job's. They are compared with nothing.
        converged: Number of trials that converged.
        unconverged: Number of trials that were decided without converging.
        failed: Number of trials that ended without a decision.
        energy: Energy of the trials [J].
        time: Time of the trials [s].
        cost: Cost of the converged trials [J], without what is ``lost``.
        last_converged_at: Time when the latest of them converged.
        profiling_energy: Extra energy to measure power limits [J].
        profiling_time: Extra time to measure power limits [s].
    """

    batch_size: int
    power_limit: float | None
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
    profiling_energy: float
    profiling_time: float


@dataclass(frozen=True, slots=True)
class JobRuns:
    """The trials of a job, summed up.

    Attributes:
        records: Results and use by batch size and power limit.
        power_profiles: What is known about batch sizes at each power limit. It is read only if a limit was set.
        ended_since_converged: Number of ended trials since the latest converged trial.
        ends: Number of these trials by outcome or reason. They are read only if there is an alarm.
        past: The past runs of the job.
    """

    records: Sequence[SizeRecord]
    power_profiles: Mapping[int, PowerProfile]
    ended_since_converged: int
    ends: Mapping[str, int] = field(default_factory=dict)
    past: PastTotals = field(default_factory=PastTotals)

    @property
    def trials(self) -> int:
        """Number of all trials."""
        return sum(record.trials for record in self.records)

    @property
    def running(self) -> int:
        """Number of running trials."""
        return sum(record.running for record in self.records)


@dataclass(frozen=True, slots=True)
class EndedTrial:
    """An ended trial with the energy source of the job.

    Attributes:
        trial_number: Number of the trial.
        batch_size: Batch size of the trial.
        converged: Whether it converged.
        ended_at: Time when it ended.
        energy: Energy used [J].
        time: Training time [s].
        wasted_energy: Energy of work that was discarded at a restart [J].
        wasted_time: Time of work that was discarded at a restart [s].
        power_limit: Power limit of each device [W], or None at full power.
        profiling_energy: Extra energy to measure power limits [J].
        profiling_time: Extra time to measure power limits [s].
    """

    trial_number: int
    batch_size: int
    converged: bool
    ended_at: datetime
    energy: float
    time: float
    wasted_energy: float
    wasted_time: float
    power_limit: float | None
    profiling_energy: float
    profiling_time: float
