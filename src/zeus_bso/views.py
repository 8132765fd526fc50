"""What the API shows of jobs and trials: read models, shared by the server, the command line and the dashboard.

They stand apart from :mod:`zeus_bso.common`, because a training script never needs them and pays for its imports.
Units: time in seconds, energy in joules, power in watts; timestamps are ISO 8601 in UTC.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from zeus_bso.common import (
    EnergySource,
    FailReason,
    JobSpecFromClient,
    Outcome,
    Stage,
    TrialId,
    TrialStatus,
    TrialType,
)


class TrialView(TrialId):
    """A trial as the API shows it; times are seconds, energies joules, timestamps ISO 8601 in UTC."""

    generation: int
    type: TrialType
    status: TrialStatus
    outcome: Outcome | None
    reason: FailReason | None
    round: int | None
    uncapped: bool
    run_id: str | None
    time: float
    energy: float
    metric: float | None
    current_epoch: int
    cost: float | None
    target_reached: bool
    wasted_time: float
    wasted_energy: float
    energy_source: EnergySource | None
    started_at: str
    ended_at: str | None
    message: str


class ReportView(BaseModel):
    """A point of a trial's learning curve; figures are cumulative since the run began.

    Attributes:
        epoch: Epochs trained.
        time: Training time [s].
        energy: Energy used [J].
        metric: The metric; null when it was not finite.
        reported_at: When it was reported.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    epoch: int
    time: float
    energy: float
    metric: float | None
    reported_at: str


class BatchSizeView(BaseModel):
    """What is known about one batch size of a job.

    Attributes:
        trials: Trials of this size, over all generations, of whatever status.
        converged: Those that converged.
        unconverged: Those that were decided without converging.
        failed: Those that ended without a decision.
        mean_energy: Mean energy of the converged trials [J]; likewise ``mean_time`` [s] and ``mean_cost`` [J].
        observations: Observations of this generation.
        belief_mean: Posterior mean of the reward [-J]; null before the first observation.
        belief_std: Posterior standard deviation of the reward [J].
        believed_cost: What a run of this size is believed to cost [J], by the job's policy; null: nothing is known.
        believed_cost_low: Lower end of its 95 % interval [J]: normal for ``zeus``, lognormal for ``surrogate``.
        believed_cost_high: Upper end of that interval [J].
        retired: Why it is not given any more; null: it is.
        is_arm: It is an arm of the bandit.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    batch_size: int
    trials: int
    converged: int
    unconverged: int
    failed: int
    mean_energy: float | None
    mean_time: float | None
    mean_cost: float | None
    observations: int
    belief_mean: float | None
    belief_std: float | None
    believed_cost: float | None = None
    believed_cost_low: float | None = None
    believed_cost_high: float | None = None
    retired: str | None
    is_arm: bool


class SavedView(BaseModel):
    """What was saved of one quantity against the default batch size; see :mod:`zeus_bso.savings` for the formula.

    Attributes:
        saved: So much; negative: it was a loss so far.
        low: Lower end of the 95 % interval.
        high: Upper end.
        spent: Everything that was used.
        lost: The part of it that delivered nothing: stopped and failed runs, and discarded work.
        per_default_run: Mean of the default size's converged runs.
        fraction: ``saved`` as a fraction of what the default size would have used.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    saved: float
    low: float
    high: float
    spent: float
    lost: float
    per_default_run: float
    fraction: float


class SavedAmount(BaseModel):
    """Saved energy in another unit: so much, and the ends of its 95 % interval."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    saved: float
    low: float
    high: float


class RunCounts(BaseModel):
    """Ended runs behind a saving.

    Attributes:
        converged: They delivered a model.
        unconverged: They were decided without converging; pure cost.
        failed: They ended without a decision; pure cost.
        left_out: Their energy rests on another source than the job's; compared with nothing.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    converged: int
    unconverged: int
    failed: int
    left_out: int


class Savings(BaseModel):
    """What was saved; every figure is null while there is not enough data.

    Attributes:
        energy: Saved energy [J].
        time: Saved time [s].
        energy_kwh: Saved energy [kWh].
        money: What it would have cost, in ``currency``; null also where no price is set.
        co2e_kg: What it would have emitted [kg CO2e]; null also where no carbon intensity is set.
        currency: Of ``money``.
        runs: The runs behind the figures.
        estimated: Some of the energy was not measured but estimated.
        message: The figure and what it rests on, or why there is none, in a sentence.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    energy: SavedView | None
    time: SavedView | None
    energy_kwh: SavedAmount | None
    money: SavedAmount | None
    co2e_kg: SavedAmount | None
    currency: str
    runs: RunCounts
    estimated: bool
    message: str


class JobSavings(Savings):
    """What a job has saved.

    Attributes:
        cost: Saved cost [J].
        baseline_batch_size: The default batch size, with which all runs are compared.
        baseline_runs: Its converged runs.
        baseline_last_at: When the latest of them ended; null before the first.
        alarm: None of the latest runs converged, in a sentence; null: all is well.
    """

    job_id: str
    cost: SavedView | None
    baseline_batch_size: int
    baseline_runs: int
    baseline_last_at: str | None
    energy_source: EnergySource | None
    alarm: str | None


class FleetSavings(Savings):
    """What all jobs have saved together.

    Attributes:
        jobs: All jobs.
        compared_jobs: Those with a figure; the totals are about them.
        estimated_jobs: Those whose energy is an estimate.
        alarmed_jobs: Those of whose latest runs none converged.
        spent_energy: Energy that the runs of all jobs used, compared or not [J].
        spent_time: Time that they took [s].
    """

    jobs: int
    compared_jobs: int
    estimated_jobs: int
    alarmed_jobs: int
    spent_energy: float
    spent_time: float


class SavingsPoint(BaseModel):
    """What had been saved when a run ended, in the light of today's baseline.

    Attributes:
        trial_number: The run.
        batch_size: Its batch size.
        ended_at: When it ended.
        energy_kwh: Saved energy up to then [kWh].
        time: Saved time up to then [s].
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    trial_number: int
    batch_size: int
    ended_at: str
    energy_kwh: SavedAmount
    time: SavedAmount


class JobSummary(BaseModel):
    """A job in the list of jobs.

    Attributes:
        chosen_batch_size: The best size known so far; null before any has converged.
        min_cost: Least cost of a converged trial in this generation [J].
        no_size_converges: In the last generation no size reached the target within ``max_epochs``.
        savings: What it has saved.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: str
    stage: Stage
    policy: str
    gpu_model: str
    number_of_gpus: int
    generation: int
    trials: int
    open_trials: int
    chosen_batch_size: int | None
    default_batch_size: int
    min_cost: float | None
    energy_source: EnergySource | None
    no_size_converges: bool
    created_at: str
    updated_at: str
    savings: JobSavings | None = None


class JobView(JobSummary):
    """A job with its spec and what is known about each batch size.

    Attributes:
        next_batch_size: What the next ask would be given, if no run ends before; null: chance decides.
        next_run: That, or the chances, and why, in a sentence.
    """

    next_batch_size: int | None = None
    next_run: str = ""
    spec: JobSpecFromClient
    batch_sizes: list[BatchSizeView]


class ImportedJob(BaseModel):
    """Answer to an import.

    Attributes:
        job_id: The job's id on this server.
        trials: Its trials.
        replaced: It took the place of another job.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: str
    trials: int
    replaced: bool
