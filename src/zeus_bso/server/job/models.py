"""The state of a job, as it was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zeus_bso.common import EnergySource, JobSpecFromClient
from zeus_bso.cost import zeus_cost
from zeus_bso.policy.policies import Policy, policy_of
from zeus_bso.policy.values import Knobs, Progress


@dataclass(frozen=True, slots=True)
class JobState:
    """A job.

    Attributes:
        spec: The spec as registered, ``job_id`` filled in.
        derived_id: The job id was derived from the spec.
        progress: How far the job is.
        min_cost_since: Number of the first decision that ``progress.min_cost`` takes into account. Nothing reads it any
            more; it stays since the schema demands it, and servers of the release before may run on it too.
        rng_state: State of the job's random number generator, between requests; None without a seed.
        last_trial_number: Number of its latest trial.
        last_decision: Number of its latest decided trial, counted in the order of the decisions.
        longest_epoch_s: Longest epoch that any of its trials has reported [s].
        energy_source: What its energy readings rest on; None before the first that says so.
        foreign_source_in_row: Decided trials in a row whose energy rests on something else.
        created_at: When it was registered.
        updated_at: When it last changed.
        read_at: The database's clock at the time of reading.
    """

    spec: JobSpecFromClient
    derived_id: bool
    progress: Progress
    min_cost_since: int
    rng_state: dict[str, Any] | None
    last_trial_number: int
    last_decision: int
    longest_epoch_s: float
    energy_source: EnergySource | None
    foreign_source_in_row: int
    created_at: datetime
    updated_at: datetime
    read_at: datetime

    @property
    def job_id(self) -> str:
        """The job's id."""
        assert self.spec.job_id is not None
        return self.spec.job_id

    @property
    def knobs(self) -> Knobs:
        """What the policy needs to know of the spec."""
        spec = self.spec
        return Knobs(
            batch_sizes=tuple(sorted(spec.batch_sizes)),
            default_batch_size=spec.default_batch_size,
            target_metric=spec.target_metric,
            higher_is_better_metric=spec.higher_is_better_metric,
            max_epochs=spec.max_epochs,
            beta_knob=spec.beta_knob,
            num_pruning_rounds=spec.num_pruning_rounds,
            mab_prior_mean=spec.mab_prior_mean,
            mab_prior_precision=spec.mab_prior_precision,
            mab_num_explorations=spec.mab_num_explorations,
            curve_stop=spec.policy_options.curve_stop,
        )

    @property
    def policy(self) -> Policy:
        """What chooses and judges."""
        return policy_of(self.spec.policy)

    def cost(self, energy: float, time: float) -> float:
        """Cost of a run under this job's settings [J]."""
        return zeus_cost(energy, time, self.spec.eta_knob, self.spec.max_power)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What a deleted job left behind.

    Attributes:
        last_trial_number: Its latest trial's number.
        generation: Its latest generation.
    """

    last_trial_number: int
    generation: int
