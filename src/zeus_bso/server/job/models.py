"""The state of a job as it was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zeus_bso.cost import zeus_cost
from zeus_bso.policy.ancestor import Ancestor
from zeus_bso.policy.policy import Policy, policy_of
from zeus_bso.policy.state import Knobs, Progress
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.words import EnergySource
from zeus_bso.server.job.inheritance import Inheritance


@dataclass(frozen=True, slots=True)
class JobState:
    """A job.

    Attributes:
        spec: The spec as registered, including ``job_id``.
        derived_id: Whether the server derived the job id from the spec.
        progress: The progress of the job's policy.
        rng_state: State of the job's random number generator between requests, or None without a seed.
        last_trial_number: Number of the job's latest trial.
        last_decision: Number of the job's latest decided trial, in the order of the decisions.
        longest_epoch_s: Duration of the longest epoch that any trial of the job has reported [s].
        energy_source: Source of the job's energy readings, or None until a report names one.
        foreign_source_in_row: Number of decided trials in a row with another energy source.
        created_at: Time of the registration.
        updated_at: Time of the last change.
        read_at: Time on the database's clock when the job was read.
        inheritance: What the job has taken over from another one, or None.
    """

    spec: JobSpecFromClient
    derived_id: bool
    progress: Progress
    rng_state: dict[str, Any] | None
    last_trial_number: int
    last_decision: int
    longest_epoch_s: float
    energy_source: EnergySource | None
    foreign_source_in_row: int
    created_at: datetime
    updated_at: datetime
    read_at: datetime
    inheritance: Inheritance | None = None

    @property
    def job_id(self) -> str:
        """The job's id."""
        assert self.spec.job_id is not None
        return self.spec.job_id

    @property
    def knobs(self) -> Knobs:
        """The part of the spec that the policy needs."""
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
            ancestor=self.ancestor,
        )

    @property
    def ancestor(self) -> Ancestor | None:
        """The job whose beliefs this one begins with. None if there is none, or its settings switch that off."""
        if self.inheritance is None or not self.spec.policy_options.transfer:
            return None
        advises = self.last_decision == 0 and self.progress.generation == self.inheritance.generation
        return self.inheritance.priced(self.spec.eta_knob, self.spec.max_power, advises=advises)

    @property
    def policy(self) -> Policy:
        """The policy that chooses batch sizes and decides trials."""
        return policy_of(self.spec.policy)

    def cost(self, energy: float, time: float) -> float:
        """Cost of a run under this job's settings [J]."""
        return zeus_cost(energy, time, self.spec.eta_knob, self.spec.max_power)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The trace of a deleted job.

    Attributes:
        last_trial_number: Number of its latest trial.
        generation: Its latest generation.
    """

    last_trial_number: int
    generation: int
