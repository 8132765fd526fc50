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
    retired: str | None
    is_arm: bool


class JobSummary(BaseModel):
    """A job in the list of jobs.

    Attributes:
        chosen_batch_size: The best size known so far; null before any has converged.
        min_cost: Least cost of a converged trial in this generation [J].
        no_size_converges: In the last generation no size reached the target within ``max_epochs``.
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


class JobView(JobSummary):
    """A job with its spec and what is known about each batch size."""

    spec: JobSpecFromClient
    batch_sizes: list[BatchSizeView]
