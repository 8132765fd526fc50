"""A job around the policy, for its tests."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np

from zeus_bso.policy.policy import Policy, policy_of
from zeus_bso.policy.state import (
    Choice,
    ChoiceInput,
    Curve,
    GaussianTsArmState,
    Knobs,
    Lesson,
    Progress,
    Retirement,
    RoundSlot,
    RunState,
    Sizes,
    SizeState,
)
from zeus_bso.protocol.job_spec import JobSpecFromClient, PolicyOptions
from zeus_bso.protocol.messages import AskForTrial, TrainingResult
from zeus_bso.protocol.words import FailReason, Outcome, Stage, TrialStatus, TrialType
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.services import trial_rules
from zeus_bso.server.services.locked_job import LockedJob
from zeus_bso.simulator.job_in_memory import JobInMemory

JOB_ID = "job"
SIZES = (8, 16, 32, 64, 128)
EXPLORATION, CONCURRENT, MAB = TrialType.EXPLORATION, TrialType.CONCURRENT, TrialType.MAB


class Job:
    """A job with recurrences that may overlap, which lives by the server's rules in memory.

    Attributes:
        running: The choices whose runs are open; what is put here runs.
        learnt: What each decided trial came to, and taught.
        asked: All choices.
        rng: What the policy draws from.
        policy: What chooses and judges.
    """

    def __init__(self, knobs: Knobs, *, seed: int = 0, checks_purity: bool = False, policy: str = "zeus") -> None:
        self._watched = WatchedPolicy(policy_of(policy), checks_purity=checks_purity)
        self.policy = cast("Policy", self._watched)
        self.rng = np.random.default_rng(seed)
        self.running: list[Choice] = []
        self.learnt: list[tuple[Choice, Outcome, Lesson]] = []
        self.asked: list[Choice] = []
        self._rows = JobInMemory(spec_of(knobs), self.policy)
        self._numbers: list[tuple[Choice, int]] = []

    @property
    def knobs(self) -> Knobs:
        return self._rows.state.knobs

    @knobs.setter
    def knobs(self, knobs: Knobs) -> None:
        self._rows.state = replace(self._rows.state, spec=spec_of(knobs))

    @property
    def progress(self) -> Progress:
        return self._rows.state.progress

    @progress.setter
    def progress(self, progress: Progress) -> None:
        self._rows.state = replace(self._rows.state, progress=progress)

    @property
    def sizes(self) -> Sizes:
        return self._rows.states

    @sizes.setter
    def sizes(self, sizes: Sizes) -> None:
        self._rows.states = sizes

    def is_current_generation(self, run: Choice) -> bool:
        return run.progress.generation == self.progress.generation

    def places(self) -> Sequence[RoundSlot]:
        return self.choice_input().slots

    def choice_input(self) -> ChoiceInput:
        """What the policy looks at when it chooses."""
        self._match_trials_to_running()
        return self._rows.load().choice_input()

    def ask(self) -> Choice:
        self._match_trials_to_running()
        decision = trial_rules.ask(self._rows.load(), AskForTrial(job_id=JOB_ID), self.rng)
        self._rows.save(decision.job)
        choice = self._watched.choices[-1]
        self.running.append(choice)
        self.asked.append(choice)
        self._numbers.append((choice, decision.trial.trial_number))
        return choice

    def report(self, run: Choice, cost: float, curve: Curve) -> Outcome | None:
        """A run reports; when that decides it, it ends."""
        trial = self._reported(run, curve[:-1], cost)
        epoch, metric = curve[-1]
        # No bounds of the wire: costs beyond all bounds are tried too.
        result = TrainingResult.model_construct(
            job_id=JOB_ID,
            batch_size=trial.batch_size,
            trial_number=trial.trial_number,
            time=0.0,
            energy=cost,
            metric=metric,
            current_epoch=epoch,
        )
        decision = trial_rules.report(self._rows.load(), trial, result)
        self._ended(run, decision.job, decision.trial)
        return decision.trial.outcome

    def end(self, run: Choice, cost: float, outcome: Outcome = Outcome.CONVERGED, curve: Curve = ()) -> None:
        """A run is decided, by default at ``max_epochs``; one of an older generation teaches nothing."""
        epoch = curve[-1][0] if curve else self.knobs.max_epochs
        trial = replace(self._reported(run, curve, cost), energy=cost, current_epoch=epoch)
        ended = RunState(run.batch_size, cost, epoch, uncapped=run.uncapped, curve=curve)
        job, trial = trial_rules.conclude(self._rows.load(), trial, ended, outcome)
        self._ended(run, job.with_trial(trial), trial)

    def miss(self, run: Choice, outcome: Outcome = Outcome.TARGET_MISSED, cost: float = 150.0) -> None:
        """A run is decided, but not as converged."""
        self.end(run, cost, outcome)

    def fail(self, run: Choice, reason: FailReason = FailReason.ERROR) -> None:
        """A run ends without a decision."""
        decision = trial_rules.fail(self._rows.load(), self._trial(run), reason)
        self._ended(run, decision.job, decision.trial)

    def play(self, costs: dict[int, float], recurrences: int) -> list[int]:
        """Run so many recurrences, one after the other; a size without a cost misses."""
        given = []
        for _ in range(recurrences):
            choice = self.ask()
            given.append(choice.batch_size)
            if choice.batch_size in costs:
                self.end(choice, costs[choice.batch_size])
            else:
                self.miss(choice)
        return given

    def retired(self) -> dict[int, Retirement]:
        return {size: state.retired for size, state in self.sizes.items() if state.retired is not None}

    def arms(self) -> list[int]:
        return [size for size, state in self.sizes.items() if state.is_arm]

    def _ended(self, run: Choice, job: LockedJob, trial: Trial) -> None:
        self._rows.save(job)
        if trial.open:
            return
        self.running = [other for other in self.running if other is not run]
        if trial.outcome is not None and trial.reward is not None:
            self.learnt.append((run, trial.outcome, self._watched.lessons[-1]))

    def _reported(self, run: Choice, curve: Curve, cost: float) -> Trial:
        """The trial of a run that has reported a curve; what it had not reported before cost as much as now."""
        trial = self._trial(run)
        known = self._rows.reports.get(trial.trial_number, {})
        told = {epoch: replace(trial, current_epoch=epoch, metric=metric, energy=cost) for epoch, metric in curve}
        self._rows.reports[trial.trial_number] = {epoch: known.get(epoch, report) for epoch, report in told.items()}
        return trial

    def _trial(self, run: Choice) -> Trial:
        """The trial of a choice; one that was not asked for begins now."""
        number = next((number for known, number in self._numbers if known is run), None)
        if number is None:
            number = self._begin(run)
        return self._rows.trials[number]

    def _begin(self, run: Choice) -> int:
        state = self._rows.state
        number = state.last_trial_number + 1
        self._rows.state = replace(state, last_trial_number=number)
        self._rows.put(
            Trial(
                job_id=JOB_ID,
                trial_number=number,
                batch_size=run.batch_size,
                generation=run.progress.generation,
                type=run.trial_type,
                round=run.round,
                uncapped=run.uncapped,
                status=TrialStatus.DISPATCHED,
                message="",
                run_id=None,
                instance=None,
                heartbeat_s=None,
                started_at=state.read_at,
                last_report_at=state.read_at,
                last_seen_at=state.read_at,
                lease_expires_at=state.read_at,
            )
        )
        self._numbers.append((run, number))
        return number

    def _match_trials_to_running(self) -> None:
        open_ones = {self._trial(run).trial_number for run in self.running}
        for trial in self._rows.open_trials(JOB_ID):
            if trial.trial_number not in open_ones:
                self._rows.save(trial_rules.fail(self._rows.load(), trial, FailReason.CANCELLED).job)


class WatchedPolicy:
    """A policy that remembers what it chose and learnt, and may see that it leaves its input alone."""

    def __init__(self, policy: Policy, *, checks_purity: bool) -> None:
        self._policy = policy
        self._checks_purity = checks_purity
        self.choices: list[Choice] = []
        self.lessons: list[Lesson] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    def choose(self, choice_input: ChoiceInput, rng: np.random.Generator) -> Choice:
        with self._left_alone(choice_input):
            self.choices.append(self._policy.choose(choice_input, rng))
        return self.choices[-1]

    def conclude(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome) -> Lesson:
        with self._left_alone(knobs, progress, sizes, run):
            self.lessons.append(self._policy.conclude(knobs, progress, sizes, run, outcome))
        return self.lessons[-1]

    @contextmanager
    def _left_alone(self, *given: object) -> Iterator[None]:
        before = copy.deepcopy(given) if self._checks_purity else given
        yield
        assert given == before


def spec_of(knobs: Knobs) -> JobSpecFromClient:
    """A spec that has these knobs, and whose costs are energies; not validated, since the policy must bear more."""
    return JobSpecFromClient.model_construct(
        job_id=JOB_ID,
        job_id_prefix=JOB_ID,
        batch_sizes=list(knobs.batch_sizes),
        default_batch_size=knobs.default_batch_size,
        eta_knob=1.0,
        beta_knob=knobs.beta_knob,
        target_metric=knobs.target_metric,
        higher_is_better_metric=knobs.higher_is_better_metric,
        max_epochs=knobs.max_epochs,
        num_pruning_rounds=knobs.num_pruning_rounds,
        mab_prior_mean=knobs.mab_prior_mean,
        mab_prior_precision=knobs.mab_prior_precision,
        mab_num_explorations=knobs.mab_num_explorations,
        policy_options=PolicyOptions(curve_stop=knobs.curve_stop),
        max_power=1.0,
        number_of_gpus=1,
        gpu_model="none",
    )


def round_of(progress: Progress) -> tuple[int, int]:
    """Generation and round."""
    return progress.generation, progress.round


def fresh(knobs: Knobs, *, seed: int = 0, checks_purity: bool = False, policy: str = "zeus") -> Job:
    """A job before its first recurrence."""
    return Job(knobs, seed=seed, checks_purity=checks_purity, policy=policy)


def pruning(sizes: Sequence[int] = SIZES, default: int = 32, **settings: object) -> Job:
    """A job before its first recurrence, of these settings."""
    return fresh(replace(Knobs(tuple(sizes), default), **settings))  # type: ignore[arg-type]


def playing(costs: dict[int, float] | None = None, **settings: object) -> Job:
    """A job in stage MAB whose arms have converged twice each, at these costs."""
    costs = costs or {8: 130.0, 16: 120.0, 32: 100.0, 64: 110.0}
    job = pruning(tuple(costs), min(costs), **settings)
    job.sizes = {
        size: SizeState(
            size,
            GaussianTsArmState(2, -cost, 0.0),
            is_arm=True,
            converged=2,
            ever_converged=True,
            best_cost=cost,
        )
        for size, cost in costs.items()
    }
    job.progress = replace(job.progress, stage=Stage.MAB, round=2, min_cost=min(costs.values()))
    return job


def a_run_of(job: Job, size: int) -> Choice:
    """A MAB trial of this size that is open."""
    choice = Choice(size, MAB, job.progress, job.sizes)
    job.running.append(choice)
    return choice


def concurrent(job: Job, size: int) -> Choice:
    """A Concurrent trial of this size that is open."""
    choice = Choice(size, CONCURRENT, job.progress, job.sizes)
    job.running.append(choice)
    return choice
