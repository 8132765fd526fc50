"""The description of a job.

Only :class:`JobSpec`, which a person writes, rejects unknown fields, so that a typo is noticed.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from zeus_bso.exceptions import InvalidJobSpecError
from zeus_bso.protocol.power import Watts
from zeus_bso.protocol.words import Count, Integer, Number, PositiveCount, Text

MAX_BETA = 1e12
"""Upper bound of ``beta_knob``. A run that costs so much more than another one is not known."""

MAX_FIGURE = 1e30
"""Bound of all other numbers with a fraction, and of their negatives, so that no product or square overflows."""

Figure = Annotated[Number, Field(ge=-MAX_FIGURE, le=MAX_FIGURE, allow_inf_nan=False)]


class PolicyOptions(BaseModel):
    """Options of the policy ``surrogate``. Other policies have none.

    Attributes:
        curve_stop: Whether a run also stops when its learning curve shows that finishing it would cost more than a new
            run with the best known batch size.
        transfer: Whether the job begins with what another job has learnt, if there is a suitable one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    curve_stop: bool = True
    transfer: bool = True


def _known_options(options: object) -> object:
    """The options without unknown ones, because the server ignores unknown fields in requests."""
    if not isinstance(options, dict):
        return options
    return {name: value for name, value in options.items() if name in PolicyOptions.model_fields}


def _in_one_sentence(value: object, read: ValidatorFunctionWrapHandler) -> object:
    """The power limit. What is neither of the words nor a number would else be refused once for each of them."""
    try:
        return read(value)
    except ValidationError:
        raise ValueError('must be "off", "optimize" or a number of watts up to 1e6') from None


PowerLimit = Annotated[Literal["off", "optimize"] | Watts, WrapValidator(_in_one_sentence)]


class JobSettings(BaseModel):
    """The settings of a job, which may change during its life.

    Attributes:
        eta_knob: Weight of energy against time in the cost, in [0, 1].
        beta_knob: A run stops when its cost exceeds ``beta_knob`` times the least cost so far. At most 1e12. Null: it
            never stops for its cost.
        max_epochs: A run that has not converged after this many epochs has failed.
        num_pruning_rounds: Rounds of exploration before the bandit takes over.
        window_size: Number of its latest rewards by which an arm is judged. 0 means all rewards.
        mab_prior_mean: Mean of the belief about an arm's reward before its first run.
        mab_prior_precision: Precision of that belief.
        mab_num_explorations: How often each arm runs before beliefs decide.
        mab_seed: Seed that makes the sequence of decisions reproducible. Null: fresh entropy.
        policy_options: Options of the policy.
        power_limit: The power limit of each GPU. ``off`` leaves it alone. ``optimize`` measures each batch size
            once and trains at the best limit. A number of watts trains at this limit.
        power_goal: How ``optimize`` judges a limit: by ``cost`` or by ``energy``. Null: by cost.
        max_slowdown: How many times longer than at full power an epoch may take at most, for example 1.05. Null: there
            is no bound.

    Examples:
        They are fields of a :class:`JobSpec`:

        >>> from zeus_bso import JobSpec
        >>> job = JobSpec(job_id_prefix="nightly", batch_sizes=[32, 64], default_batch_size=64, eta_knob=1.0)
        >>> job.eta_knob, job.max_epochs, job.power_limit
        (1.0, 100, 'off')
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    eta_knob: Annotated[Number, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    beta_knob: Annotated[Number, Field(gt=0, le=MAX_BETA, allow_inf_nan=False)] | None = 2.0
    max_epochs: PositiveCount = 100
    num_pruning_rounds: Count = 2
    window_size: Count = 0
    mab_prior_mean: Figure = 0.0
    mab_prior_precision: Annotated[Figure, Field(ge=0)] = 0.0
    mab_num_explorations: Count = 2
    mab_seed: Annotated[Integer, Field(ge=0, lt=2**63)] | None = None
    policy_options: PolicyOptions = PolicyOptions()
    power_limit: PowerLimit = "off"
    power_goal: Literal["cost", "energy"] | None = None
    max_slowdown: Annotated[Number, Field(ge=1, le=100, allow_inf_nan=False)] | None = None


class SettingsChange(JobSettings):
    """A change of a job's settings. Omitted settings stay as they are."""

    @model_validator(mode="before")
    @classmethod
    def _keeps_the_policy(cls, given: object) -> object:
        if isinstance(given, dict) and "policy" in given:
            raise ValueError(
                "the policy is fixed when a job is created and cannot be changed later; register another job"
            )
        return given


def _in_sentences(name: str, error: ValidationError) -> str:
    """The errors of a spec, each with the name of its field."""
    found = []
    for each in error.errors(include_url=False, include_input=False):
        field, message = ".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, ")
        found.append(f"{field}: {message}" if field else message)
    return f"{name}: {'; '.join(found)}."


class JobSpec(JobSettings):
    """A user's description of a recurring training job, with the settings of :class:`JobSettings`.

    Attributes:
        job_id: Id of the job. By default the server derives it from the prefix and the fields of identity, so that a
            script that is launched again continues its job.
        job_id_prefix: Beginning of a derived job id.
        batch_sizes: The global batch sizes to choose from: 1 to 1,000 distinct positive integers.
        default_batch_size: The size that the job uses today. Exploration starts here.
        target_metric: The validation metric at which a run has converged.
        higher_is_better_metric: Whether the metric rises as the model improves.
        policy: The algorithm that chooses batch sizes: ``surrogate``, our own, which needs fewer runs, or ``zeus``, the
            reference algorithm. It is fixed when the job is created, and is neither compared nor changed later.
        similar_to: Id of another job from whose results this one begins when it is created, for example of the same
            model on other data. It is doubted more than a job of the same prefix, which is found without it.

    Examples:
        >>> from zeus_bso import JobSpec
        >>> job = JobSpec(
        ...     job_id_prefix="nightly",
        ...     batch_sizes=[32, 64, 128, 256],
        ...     default_batch_size=128,
        ...     target_metric=0.9,
        ...     max_epochs=50,
        ... )
        >>> job.eta_knob, job.beta_knob, job.policy
        (0.5, 2.0, 'surrogate')
    """

    job_id: Text | None = None
    job_id_prefix: Text
    batch_sizes: Annotated[list[PositiveCount], Field(min_length=1, max_length=1000)]
    default_batch_size: PositiveCount
    target_metric: Figure = 0.5
    higher_is_better_metric: bool = True
    policy: Literal["zeus", "surrogate"] = "surrogate"
    similar_to: Text | None = None

    if not TYPE_CHECKING:  # Type checkers know the fields as arguments.

        def __init__(self, **fields: Any) -> None:
            """Check the fields.

            Raises:
                InvalidJobSpecError: A field is missing or wrong.
            """
            try:
                super().__init__(**fields)
            except ValidationError as error:
                raise InvalidJobSpecError(_in_sentences(type(self).__name__, error)) from None

        # Validation of a request does not come through here, and answers with the errors of pydantic.
        __init__.__pydantic_base_init__ = True

    @model_validator(mode="after")
    def _sizes_are_consistent(self) -> JobSpec:
        if len(set(self.batch_sizes)) != len(self.batch_sizes):
            raise ValueError("batch_sizes must be distinct")
        if self.default_batch_size not in self.batch_sizes:
            raise ValueError("default_batch_size must be one of batch_sizes")
        return self


JobParams = JobSpec
"""The name of :class:`JobSpec` in scripts written for the Zeus client.

Examples:
    >>> from zeus_bso import JobParams, JobSpec
    >>> JobParams is JobSpec
    True
"""


class JobSpecFromClient(JobSpec):
    """A :class:`JobSpec` as the client sends it, with facts about the machine.

    Our client always names the policy. A reference client knows no policies and expects ``zeus``.

    Attributes:
        policy: The algorithm that chooses batch sizes. Default: ``zeus``.
        policy_options: Options of the policy. Unknown options are ignored.
        max_power: Sum of the devices' maximum power limits [W].
        number_of_gpus: Number of GPUs that the job trains on. 0 means that it trains on the CPU.
        gpu_model: Model name of the devices.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    policy: Literal["zeus", "surrogate"] = "zeus"
    policy_options: Annotated[PolicyOptions, BeforeValidator(_known_options)] = PolicyOptions()
    max_power: Annotated[Number, Field(ge=0, le=1e9, allow_inf_nan=False)]
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
"""The fields of identity: specs that agree in them describe the same job."""

SETTINGS_FIELDS = tuple(JobSettings.model_fields)
"""The settings: fields that may change during a job's life."""

SETTINGS_OF_POLICIES = {
    "surrogate": ("policy_options",),
    "zeus": (
        "num_pruning_rounds",
        "window_size",
        "mab_prior_mean",
        "mab_prior_precision",
        "mab_num_explorations",
        "mab_seed",
    ),
}
"""The settings that only one policy reads."""


def identity(spec: JobSpecFromClient) -> dict[str, Any]:
    """The fields of identity, with the batch sizes in ascending order."""
    fields: dict[str, Any] = {name: getattr(spec, name) for name in IDENTITY_FIELDS}
    fields["batch_sizes"] = sorted(spec.batch_sizes)
    return fields


def settings(spec: JobSpecFromClient) -> dict[str, Any]:
    """The settings of a spec, which may change during a job's life."""
    return spec.model_dump(include=set(SETTINGS_FIELDS))


def derive_job_id(spec: JobSpecFromClient, hex_digits: int = 8) -> str:
    """Derive a job id from the fields of identity: ``{prefix}-{hex_digits of SHA-256 over sorted JSON}``.

    So the same script on the same kind of machine gets the same id at every launch. A long prefix is cut, so that the
    id has at most 255 characters. The digest covers the whole prefix.
    """
    canonical = json.dumps(identity(spec), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:hex_digits]
    return f"{spec.job_id_prefix[: 254 - hex_digits]}-{digest}"


class RegisteredJob(JobSpecFromClient):
    """Answer to a registration: the spec as stored, including ``job_id``.

    Attributes:
        message: A message of the server, for example about updated settings.
    """

    message: str | None = None
