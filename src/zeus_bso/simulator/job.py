"""A job on the pure policy: what the server does around it, with the trials in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from zeus_bso.common import FailReason, Outcome, Stage, TrialType
from zeus_bso.policy.early_stop import judge_alone
from zeus_bso.policy.policies import policy_of
from zeus_bso.policy.retirement import after_failure
from zeus_bso.policy.values import Choice, Knobs, Place, PlaceState, Progress, Run, Situation, SizeState
from zeus_bso.simulator.runner import Answer, Report, Trial
from zeus_bso.simulator.world import World


@dataclass(slots=True)
class _OpenTrial:
    """A trial that runs: why it was given, and what it has reported."""

    choice: Choice
    curve: list[tuple[int, float]] = field(default_factory=list)
    non_finite_in_row: int = 0


class PolicyJob:
    """A job that a policy of :mod:`zeus_bso.policy` decides; give the server the same seed, and it decides the same.

    Args:
        world: Workload, GPU and scenario; they give the job its knobs.
        policy: ``zeus`` or ``surrogate``.
        seed: The job's ``mab_seed``.

    Attributes:
        power_limit_w: None: each new size is profiled.
        choices: What was chosen so far, in order; the n-th is of trial n, from 1.
        progress: How far the job is.
        sizes: What is known about each size.
    """

    power_limit_w: float | None = None

    def __init__(self, world: World, policy: str, seed: int) -> None:
        self._world = world
        self._policy = policy_of(policy)
        self._knobs = knobs_of(world)
        self._rng = np.random.default_rng(seed)
        self._open: dict[int, _OpenTrial] = {}
        self._places: dict[tuple[int, int], dict[int, Place]] = {}
        self.choices: list[Choice] = []
        self.progress = Progress.begin(self._knobs.batch_sizes, self._knobs.default_batch_size)
        self.sizes = {size: SizeState(size) for size in self._knobs.batch_sizes}

    def ask(self) -> Trial:
        """Ask the policy what the next try runs."""
        ours = [trial.choice for trial in self._open.values() if self._steers(trial.choice)]
        choice = self._policy.choose(
            Situation(
                knobs=self._knobs,
                progress=self.progress,
                sizes=self.sizes,
                places=tuple(self._round(self.progress).values()) if self.progress.stage is Stage.PRUNING else (),
                in_flight=Counter(choice.batch_size for choice in ours),
                uncapped_open=any(choice.uncapped for choice in ours),
            ),
            self._rng,
        )
        self.progress, self.sizes = choice.progress, dict(choice.sizes)
        if choice.trial_type is TrialType.EXPLORATION:
            self._round(choice.progress)[choice.batch_size] = Place(choice.batch_size, PlaceState.OPEN)
        self.choices.append(choice)
        number = len(self.choices)
        self._open[number] = _OpenTrial(choice)
        return Trial(number, choice.batch_size)

    def report(self, trial: Trial, report: Report) -> Answer:
        """Judge a report, and learn from it when it ends the trial."""
        state = self._open[trial.number]
        choice = state.choice
        epoch_before = state.curve[-1][0] if state.curve else 0
        state.curve.append((report.epoch, report.metric))
        run = Run(
            batch_size=trial.batch_size,
            cost=self._world.cost(report.energy_j, report.time_s),
            epoch=report.epoch,
            epoch_before=epoch_before,
            metric=report.metric,
            non_finite_before=state.non_finite_in_row,
            uncapped=choice.uncapped,
            curve=state.curve if self._policy.reads_curves else (),
        )
        if self._steers(choice):
            verdict = self._policy.judge(self._knobs, self.progress, self.sizes, run)
        else:
            verdict = judge_alone(self._knobs, run)
        state.non_finite_in_row = verdict.non_finite_in_row
        if verdict.outcome is not None:
            self._conclude(trial, run, verdict.outcome)
        return Answer(verdict.outcome, verdict.target_reached)

    def fail(self, trial: Trial, reason: FailReason) -> None:
        """End a trial without a decision; its place in the walk is free again."""
        choice = self._open.pop(trial.number).choice
        if choice.round is not None:
            self._round(choice.progress).pop(choice.batch_size, None)
        if self._steers(choice):
            self.sizes = dict(after_failure(self.sizes, trial.batch_size, reason))

    def _conclude(self, trial: Trial, run: Run, outcome: Outcome) -> None:
        choice = self._open.pop(trial.number).choice
        if choice.round is not None:
            state = PlaceState.CONVERGED if outcome is Outcome.CONVERGED else PlaceState.UNCONVERGED
            self._round(choice.progress)[choice.batch_size] = Place(choice.batch_size, state, run.cost)
        if self._steers(choice):
            conclusion = self._policy.conclude(self._knobs, self.progress, self.sizes, run, outcome)
            self.progress, self.sizes = conclusion.progress, dict(conclusion.sizes)

    def _steers(self, choice: Choice) -> bool:
        return choice.progress.generation == self.progress.generation

    def _round(self, progress: Progress) -> dict[int, Place]:
        return self._places.setdefault((progress.generation, progress.round), {})


def knobs_of(world: World) -> Knobs:
    """The knobs of the job that a world's workload is; those not named have their defaults."""
    workload = world.pair.workload
    return Knobs(
        batch_sizes=world.pair.batch_sizes,
        default_batch_size=world.pair.default_batch_size,
        target_metric=workload.target_metric,
        higher_is_better_metric=workload.higher_is_better,
        max_epochs=world.max_epochs,
        beta_knob=world.scenario.beta_knob,
        curve_stop=world.scenario.curve_stop,
    )
