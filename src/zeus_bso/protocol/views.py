"""Read models of jobs and trials, which the server, the command line and the dashboard share.

They are not in :mod:`zeus_bso.protocol`, because a training script never needs them and should not import them.
Units: time in seconds, energy in joules, power in watts; timestamps are ISO 8601 in UTC.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.messages import TrialId
from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.savings_views import JobSavings
from zeus_bso.protocol.words import EnergySource, FailReason, Outcome, Stage, TrialStatus, TrialType


class TrialView(TrialId):
    """A trial in the API. Times are in seconds, energies in joules, timestamps in ISO 8601 and UTC.

    A trial whose lease has ended is Failed with the reason expired, even if no ask has noted that yet.

    Attributes:
        generation: Generation of the job in which it began, from 1: each fresh start of the job begins another.
        type: The purpose of the trial.
        status: Whether it runs or has ended.
        outcome: The decision. Null without one.
        reason: Why it Failed. Null if it did not.
        round: Round of pruning in which it began. Null if it began in none.
        uncapped: Whether it has no cost bound.
        run_id: Name of the launch that asked. Null if it named none.
        time: Training time [s].
        energy: Energy used [J].
        metric: The latest validation metric. Null before the first, and if it was not finite.
        current_epoch: Number of trained epochs.
        cost: Cost [J]. Null unless it was decided.
        target_reached: Whether the target was reached, whatever was decided.
        wasted_time: Time of work that was discarded at a restart [s].
        wasted_energy: Energy of that work [J].
        power_limit: Power limit of each device at which it trains [W]. Null at full power.
        profiling_time: Time beyond ``time`` to measure power limits [s].
        profiling_energy: Energy beyond ``energy`` to measure power limits [J].
        energy_source: Source of the energy readings. Null before the first.
        started_at: Time when it began.
        ended_at: Time when it ended. Null while it runs.
        message: The answer to the last report, or the reason why it ended.
    """

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
    power_limit: float | None = None
    profiling_time: float = 0.0
    profiling_energy: float = 0.0
    energy_source: EnergySource | None
    started_at: str
    ended_at: str | None
    message: str


class ReportView(BaseModel):
    """A point of a trial's learning curve. Its figures are cumulative since the run began.

    Attributes:
        epoch: Number of trained epochs.
        time: Training time [s].
        energy: Energy used [J].
        metric: The metric, or null if it was not finite.
        reported_at: Time of the report.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    epoch: int
    time: float
    energy: float
    metric: float | None
    reported_at: str


class BatchSizeView(BaseModel):
    """Results and beliefs for one batch size of a job.

    Attributes:
        batch_size: The batch size.
        trials: Number of trials of this size, over all generations and with any status.
        converged: Number of trials that converged.
        unconverged: Number of trials that were decided without converging.
        failed: Number of trials that ended without a decision.
        left_out: Number of ended trials that are not learnt from, because their energy has another source than the
            job's. They are also counted above.
        mean_energy: Mean energy of the converged trials, without those that are left out [J].
        mean_time: Mean time of these trials [s].
        mean_cost: Mean cost of these trials [J].
        observations: Number of observations in this generation.
        belief_mean: Posterior mean of the reward [-J]. Null before the first observation.
        belief_std: Posterior standard deviation of the reward [J].
        believed_cost: Cost of a run of this size as the job's policy believes [J]. Null if nothing is known.
        believed_cost_low: Lower end of the 95 % interval of that cost [J]: normal for ``zeus``, lognormal for
            ``surrogate``.
        believed_cost_high: Upper end of that interval [J].
        retired: The reason why this size is not chosen any more. Null if it may be chosen.
        is_arm: Whether the size is an arm of the bandit.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    batch_size: int
    trials: int
    converged: int
    unconverged: int
    failed: int
    left_out: int = 0
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


class PowerProfileView(PowerProfile):
    """What is known about a batch size of a job at each power limit.

    Attributes:
        batch_size: The batch size.
        best_limit: The best of the measured limits, as the job judges them [W].
        finished: Whether the search for it has ended.
    """

    batch_size: int
    best_limit: float
    finished: bool


class JobSummary(BaseModel):
    """A job in the list of jobs.

    Attributes:
        job_id: Id of the job.
        stage: Whether the policy still prunes batch sizes, or its bandit chooses among those that are left.
        policy: The algorithm that chooses batch sizes.
        gpu_model: Model name of the devices.
        number_of_gpus: Number of GPUs that the job trains on. 0 means that it trains on the CPU.
        generation: Counts the fresh starts of the job, from 1.
        trials: Number of trials, over all generations and with any status.
        default_batch_size: The size that the job uses without the optimizer.
        energy_source: Source of the job's energy readings. Null before the first.
        created_at: Time when the job was registered.
        updated_at: Time of its latest change.
        exploring: Whether the job has not settled on a batch size yet. The policy ``surrogate`` goes on exploring in
            stage MAB.
        open_trials: Number of running trials: those whose lease has not ended.
        chosen_batch_size: The best size known so far. Null before any size has converged.
        chosen_power_limit: The power limit of each GPU at that size [W]. Null while it is not known, and if the job
            leaves the limits alone.
        min_cost: Least cost of a converged trial in this generation [J].
        no_size_converges: Whether no size reached the target within ``max_epochs`` in the last generation.
        savings: The savings of the job.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: str
    stage: Stage
    exploring: bool = False
    policy: str
    gpu_model: str
    number_of_gpus: int
    generation: int
    trials: int
    open_trials: int
    chosen_batch_size: int | None
    chosen_power_limit: float | None = None
    default_batch_size: int
    min_cost: float | None
    energy_source: EnergySource | None
    no_size_converges: bool
    created_at: str
    updated_at: str
    savings: JobSavings | None = None


class AncestorView(BaseModel):
    """The job with whose results another one began.

    Attributes:
        job_id: Its id. It may have been deleted since. Null if the caller cannot reach such a job.
        kind: ``identical`` if its task is the same, so that it needs the same epochs to the target. Otherwise
            ``similar``.
        runs: Number of its runs that its results rest on, of each batch size the latest 20 at most.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: str | None
    kind: Literal["identical", "similar"]
    runs: int


class JobView(JobSummary):
    """A job with its spec and the results for each batch size.

    Attributes:
        next_batch_size: The batch size that the next ask would get if no run ends before. Null if chance decides.
        next_run: This size, or the chances, and the reason, in sentences.
        spec: The spec as stored, with the settings as they are now.
        batch_sizes: Results and beliefs for each batch size.
        left_out: One sentence on the runs that are not learnt from, with the reasons. Null if there are none.
        ancestor: The job with whose results this one began. Null if there is none.
        began_with: One sentence about it. Null if there is none.
        power_profiles: What is known about the batch sizes whose power limits were measured.
        past_runs: Number of past runs that the job was told of, by their source. They are no trials.
    """

    next_batch_size: int | None = None
    next_run: str = ""
    left_out: str | None = None
    ancestor: AncestorView | None = None
    began_with: str | None = None
    spec: JobSpecFromClient
    batch_sizes: list[BatchSizeView]
    power_profiles: list[PowerProfileView] = []
    past_runs: dict[str, int] = {}
