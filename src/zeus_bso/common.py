"""The wire protocol: URLs and models that the client and the server share.

Paths, field names and status codes of the first five calls are fixed, so that scripts written for the Zeus client work
against this server as they are. What is ours alone stands under ``/api/v1/``. Unknown fields are ignored on the way
in; only :class:`JobSpec`, which a person writes, rejects them, so that a typo is seen.

Units: time in seconds, energy in joules, power in watts.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from zeus_bso.vocabulary import INT32_MAX as INT32_MAX
from zeus_bso.vocabulary import MAX_TOTAL as MAX_TOTAL
from zeus_bso.vocabulary import Count as Count
from zeus_bso.vocabulary import EnergySource as EnergySource
from zeus_bso.vocabulary import FailReason as FailReason
from zeus_bso.vocabulary import FiniteFloat as FiniteFloat
from zeus_bso.vocabulary import Metric as Metric
from zeus_bso.vocabulary import Outcome as Outcome
from zeus_bso.vocabulary import PositiveCount as PositiveCount
from zeus_bso.vocabulary import Stage as Stage
from zeus_bso.vocabulary import Text as Text
from zeus_bso.vocabulary import Total as Total
from zeus_bso.vocabulary import TrialStatus as TrialStatus
from zeus_bso.vocabulary import TrialType as TrialType

REGISTER_JOB_URL = "/jobs"
DELETE_JOB_URL = "/jobs"
GET_NEXT_BATCH_SIZE_URL = "/jobs/batch_size"
REPORT_RESULT_URL = "/report"
REPORT_END_URL = "/trials"

API_PREFIX = "/api/v1"
ASK_URL = f"{API_PREFIX}/trials"
TRIALS_URL = f"{API_PREFIX}/trials"
REPORTS_URL = f"{API_PREFIX}/trials/reports"
HEARTBEAT_URL = f"{API_PREFIX}/trials/heartbeat"
JOBS_URL = f"{API_PREFIX}/jobs"
JOB_URL = f"{API_PREFIX}/job"
RESET_URL = f"{API_PREFIX}/jobs/reset"
EXPORT_URL = f"{API_PREFIX}/jobs/export"
IMPORT_URL = f"{API_PREFIX}/jobs/import"
SAVINGS_URL = f"{API_PREFIX}/savings"
SAVINGS_HISTORY_URL = f"{API_PREFIX}/savings/history"
FLEET_SAVINGS_URL = f"{API_PREFIX}/savings/fleet"

MAX_BODY_BYTES = 2**20
"""Larger request bodies are answered 413."""


class PolicyOptions(BaseModel):
    """Options of the ``surrogate`` policy; the others have none.

    Attributes:
        curve_stop: A run is also stopped when its learning curve says that finishing it would cost more than a fresh
            run with the best known batch size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    curve_stop: bool = True


def _known_options(options: object) -> object:
    """Options without those of another release, as unknown fields are ignored on the way in."""
    if not isinstance(options, dict):
        return options
    return {name: value for name, value in options.items() if name in PolicyOptions.model_fields}


class JobSettings(BaseModel):
    """The part of a job's spec that may change in its life.

    Attributes:
        eta_knob: Weight of energy against time in the cost, in [0, 1].
        beta_knob: A run is stopped when its cost passes ``beta_knob`` times the least cost so far; null: never.
        max_epochs: A run that has not converged by then has missed its target.
        num_pruning_rounds: Rounds of exploration before the bandit takes over.
        window_size: How many of its latest rewards an arm looks at; 0: all.
        mab_prior_mean: Mean of the belief about an arm's reward before its first run.
        mab_prior_precision: Precision of that belief.
        mab_num_explorations: How often an arm is run before beliefs decide.
        mab_seed: Makes the sequence of decisions reproducible; null: fresh entropy.
        policy_options: Options of the policy.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    eta_knob: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    beta_knob: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 2.0
    max_epochs: PositiveCount = 100
    num_pruning_rounds: Count = 2
    window_size: Count = 0
    mab_prior_mean: Annotated[float, Field(ge=-1e30, le=1e30, allow_inf_nan=False)] = 0.0
    mab_prior_precision: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    mab_num_explorations: Count = 2
    mab_seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    policy_options: PolicyOptions = PolicyOptions()


class SettingsChange(JobSettings):
    """A change of a job's settings: those that are given."""

    @model_validator(mode="before")
    @classmethod
    def _keeps_the_policy(cls, given: object) -> object:
        if isinstance(given, dict) and "policy" in given:
            raise ValueError("policy applies when a job is created and cannot be changed later; register another job")
        return given


class JobSpec(JobSettings):
    """What a person says about a recurring training job; its settings are those of :class:`JobSettings`.

    Attributes:
        job_id: Names the job. Left out, the server derives one from the prefix and the fields of identity, so that a
            script that is simply launched again continues its job.
        job_id_prefix: Start of a derived job id.
        batch_sizes: The global batch sizes to choose from: 1 to 1,000 distinct positive integers.
        default_batch_size: The size that the job uses today; exploration starts here.
        target_metric: The metric value at which a run has converged.
        higher_is_better_metric: Whether the metric rises as the model improves.
        policy: Which algorithm chooses: ``surrogate``, ours, which needs fewer runs, or ``zeus``, the reference
            algorithm. It applies when the job is created, and is neither compared nor changed later.
    """

    job_id: Text | None = None
    job_id_prefix: Text
    batch_sizes: Annotated[list[PositiveCount], Field(min_length=1, max_length=1000)]
    default_batch_size: PositiveCount
    target_metric: FiniteFloat = 0.5
    higher_is_better_metric: bool = True
    policy: Literal["zeus", "surrogate"] = "surrogate"

    @model_validator(mode="after")
    def _sizes_are_consistent(self) -> JobSpec:
        if len(set(self.batch_sizes)) != len(self.batch_sizes):
            raise ValueError("batch_sizes must be distinct")
        if self.default_batch_size not in self.batch_sizes:
            raise ValueError("default_batch_size must be one of batch_sizes")
        return self


JobParams = JobSpec
"""The name that scripts written for the Zeus client use."""


class JobSpecFromClient(JobSpec):
    """A :class:`JobSpec` as it is sent, with what the client found out about the machine.

    Our client always names the policy; a reference client knows of none and means the one that it was written for.

    Attributes:
        policy: Which algorithm chooses; ``zeus`` unless it is sent.
        policy_options: Options of the policy; unknown ones are ignored.
        max_power: Summed maximum power limit of the devices [W].
        number_of_gpus: Devices that the job trains on; 0: on the CPU.
        gpu_model: Model name of the devices.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    policy: Literal["zeus", "surrogate"] = "zeus"
    policy_options: Annotated[PolicyOptions, BeforeValidator(_known_options)] = PolicyOptions()
    max_power: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
    number_of_gpus: Count
    gpu_model: Text


IDENTITY_FIELDS = (
    "job_id_prefix",
    "batch_sizes",
    "default_batch_size",
    "target_metric",
    "higher_is_better_metric",
    "gpu_model",
    "number_of_gpus",
)
"""The fields that make two specs the same job."""

SETTINGS_FIELDS = tuple(JobSettings.model_fields)
"""The fields that may change in a job's life."""


def identity(spec: JobSpecFromClient) -> dict[str, Any]:
    """The fields of identity, with the batch sizes in ascending order."""
    fields: dict[str, Any] = {name: getattr(spec, name) for name in IDENTITY_FIELDS}
    fields["batch_sizes"] = sorted(spec.batch_sizes)
    return fields


def settings(spec: JobSpecFromClient) -> dict[str, Any]:
    """The fields that may change in a job's life."""
    return spec.model_dump(include=set(SETTINGS_FIELDS))


def derive_job_id(spec: JobSpecFromClient, hex_digits: int = 8) -> str:
    """Derive a job id from the fields of identity: ``{prefix}-{hex_digits of SHA-256 over sorted JSON}``.

    The same script on the same kind of machine thus gets the same id at every launch. A long prefix is cut, so that
    the id fits into 255 characters; the digest covers all of it.
    """
    canonical = json.dumps(identity(spec), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:hex_digits]
    return f"{spec.job_id_prefix[: 254 - hex_digits]}-{digest}"


class RegisteredJob(JobSpecFromClient):
    """Answer to a registration: the spec as stored, ``job_id`` filled in.

    Attributes:
        message: What the server has to say about it, for example which settings it updated.
    """

    message: str | None = None


class TrialId(BaseModel):
    """Names one trial of a job."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: Text
    batch_size: PositiveCount
    trial_number: PositiveCount


class Totals(BaseModel):
    """What a run has used since it began; cumulative."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    time: Total = 0.0
    energy: Total = 0.0
    current_epoch: Count = 0


class TrainingResult(TrialId):
    """The report after an evaluation; all figures are cumulative since the run began.

    Attributes:
        time: Training time [s].
        energy: Energy used [J].
        metric: The validation metric; null, NaN or infinite when the run diverged.
        current_epoch: Epochs trained.
        instance: Names the process that reports; null from a reference client.
        final: The run has ended by itself: without the target it has missed it.
        energy_source: What the energy reading rests on.
        decided: The client ended the run so, by the same rules, while no answer came; a run that converged then counts
            as converged whatever the bound has become since.
        within_epoch: A further evaluation of an epoch that was reported before, by the process that asked: it is judged
            like any other, while further reports of an epoch are otherwise those of other ranks.
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
        stop_train: The run is over: the script should stop training.
        converged: The target was reached within the cost bound.
        message: Why, in a sentence.
        outcome: What was decided; null while the run goes on, or when it ended without a decision.
        target_reached: Whether the target was reached, whatever was decided.
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
        run_id: Names the recurrence: with the run id of an open trial the same trial comes back.
        heartbeat_s: The client beats every so many seconds; null: it does not beat.
        instance: Names the asking process.
        checkpoint: Where the run (re)starts from; null: from zero.
        explore: Whether the run may try what is not known yet; else it gets the best known size.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: Text
    run_id: Text | None = None
    heartbeat_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] | None = None
    instance: Text | None = None
    checkpoint: Totals | None = None
    explore: bool = True


class TrialOffer(TrialId):
    """Answer to :class:`AskForTrial`.

    Attributes:
        lease_s: A trial that is not heard of for so long is given up [s].
        resumed: The trial was begun before, under the same run id.
        finished: The run id's trial has converged already; there is nothing left to train.
        time: Training time that the trial has used so far [s].
        energy: Energy that the trial has used so far [J].
        current_epoch: Epochs that the trial has trained so far.
        cost_bound: Cost at which the run will be stopped [J]; null: none.
        message: What the server has to say about the choice.
    """

    lease_s: float
    resumed: bool = False
    finished: bool = False
    time: float = 0.0
    energy: float = 0.0
    current_epoch: int = 0
    cost_bound: float | None = None
    message: str | None = None


class TrialEnd(TrialId):
    """A run ended without a result.

    Attributes:
        reason: Why. Reference clients give none, which counts as an error.
        instance: Names the process whose run ended.
    """

    reason: Literal[FailReason.PREEMPTED, FailReason.CANCELLED, FailReason.ERROR, FailReason.OOM] = FailReason.ERROR
    instance: Text | None = None


class Heartbeat(TrialId, Totals):
    """The run is alive; its totals so far.

    Attributes:
        instance: Names the beating process.
    """

    instance: Text | None = None


class Message(BaseModel):
    """The body of every error, and of answers that have nothing else to say."""

    message: str
