"""A job on the pure policy: the server's own rules around it, with the trials in memory."""

from __future__ import annotations

from typing import Literal

import numpy as np

from zeus_bso.policy.state import Knobs, Progress, Sizes
from zeus_bso.protocol.job_spec import JobSpecFromClient, PolicyOptions
from zeus_bso.protocol.messages import AskForTrial, TrainingResult
from zeus_bso.protocol.words import FailReason
from zeus_bso.server.batch_size_state import models
from zeus_bso.server.job.inheritance import Inheritance
from zeus_bso.server.observations.models import KnownRuns
from zeus_bso.server.services import past_run_rules, trial_rules
from zeus_bso.server.services.ancestors import inherit
from zeus_bso.simulator.job_in_memory import JobInMemory
from zeus_bso.simulator.past_draws import past_runs_of
from zeus_bso.simulator.runner import EpochReport, GivenTrial, ReportAnswer
from zeus_bso.simulator.world import SimulatedWorkload

PolicyName = Literal["zeus", "surrogate"]

_JOB_ID = "simulated"
_ASK = AskForTrial(job_id=_JOB_ID)


class PolicyJob:
    """A job that a policy of :mod:`zeus_bso.policy` decides; give the server the same seed, and it decides the same.

    Args:
        world: Workload, GPU and scenario; they give the job its knobs.
        policy: ``zeus`` or ``surrogate``.
        seed: The job's ``mab_seed``.
        inheritance: What the job has taken over from another one; None: nothing.

    Attributes:
        power_limit_w: None: the scenario says at which limit runs train.
    """

    power_limit_w: float | None = None

    def __init__(
        self, world: SimulatedWorkload, policy: PolicyName, seed: int, inheritance: Inheritance | None = None
    ) -> None:
        self._rows = JobInMemory(spec_of(world, policy), inheritance=inheritance)
        self._rng = np.random.default_rng(seed)
        told = past_runs_of(world, _JOB_ID, seed)
        if told is not None:
            self._rows.save(past_run_rules.take(self._rows.load(), told, KnownRuns()).job)

    @property
    def progress(self) -> Progress:
        """How far the job is."""
        return self._rows.state.progress

    @property
    def sizes(self) -> Sizes:
        """What is known about each size."""
        return self._rows.states

    @property
    def trials(self) -> list[models.Trial]:
        """What was given so far, in order."""
        return list(self._rows.trials.values())

    def hand_on(self, world: SimulatedWorkload) -> Inheritance | None:
        """What the job of another world takes over from this one; None: this one has learnt nothing."""
        return inherit(self._rows.state, self._rows.states, self._rows.used(), spec_of(world, "surrogate"))

    def ask(self) -> GivenTrial:
        """Ask the policy what the next try runs."""
        decision = trial_rules.ask(self._rows.load(), _ASK, self._rng)
        self._rows.save(decision.job)
        return GivenTrial(decision.trial.trial_number, decision.trial.batch_size)

    def report(self, trial: GivenTrial, report: EpochReport) -> ReportAnswer:
        """Judge a report, and learn from it when it ends the trial."""
        result = TrainingResult(
            job_id=_JOB_ID,
            batch_size=trial.batch_size,
            trial_number=trial.number,
            time=report.time_s,
            energy=report.energy_j,
            metric=report.metric,
            current_epoch=report.epoch,
        )
        job = self._rows.load()
        decision = trial_rules.report(job, self._rows.trials[trial.number], result)
        self._rows.save(decision.job)
        return ReportAnswer(decision.trial.outcome, decision.trial.target_reached)

    def fail(self, trial: GivenTrial, reason: FailReason) -> None:
        """End a trial without a decision; its place in the walk is free again."""
        job = self._rows.load()
        self._rows.save(trial_rules.fail(job, self._rows.trials[trial.number], reason).job)


def spec_of(world: SimulatedWorkload, policy: PolicyName) -> JobSpecFromClient:
    """The spec of the job that a world's workload is; what is not named has its default.

    Args:
        world: Workload, GPU and scenario.
        policy: ``zeus`` or ``surrogate``.
    """
    workload = world.pair.workload
    # Traces are checked when they are read.
    return JobSpecFromClient.model_construct(
        job_id=_JOB_ID,
        job_id_prefix=workload.name,
        batch_sizes=list(world.pair.batch_sizes),
        default_batch_size=world.pair.default_batch_size,
        eta_knob=world.scenario.eta_knob,
        beta_knob=world.scenario.beta_knob,
        target_metric=workload.target_metric,
        higher_is_better_metric=workload.higher_is_better,
        max_epochs=world.max_epochs,
        policy=policy,
        policy_options=PolicyOptions(curve_stop=world.scenario.curve_stop),
        power_limit=world.scenario.power,
        power_goal=world.scenario.power_goal,
        max_slowdown=world.scenario.max_slowdown,
        max_power=world.pair.max_power_w,
        number_of_gpus=1,
        gpu_model=world.pair.gpu,
    )


def knobs_of(world: SimulatedWorkload) -> Knobs:
    """What a policy needs to know of the job that a world's workload is."""
    return JobInMemory(spec_of(world, "zeus")).state.knobs
