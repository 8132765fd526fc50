"""A job around the policy, for its tests."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from zeus_bso.common import FailReason, Outcome, Stage, TrialType
from zeus_bso.policy.early_stop import judge_alone
from zeus_bso.policy.policies import Policy, policy_of
from zeus_bso.policy.retirement import after_failure
from zeus_bso.policy.values import (
    Choice,
    Conclusion,
    Curve,
    GaussianTsArmState,
    Knobs,
    Place,
    PlaceState,
    Progress,
    Retirement,
    Run,
    Situation,
    Sizes,
    SizeState,
)

SIZES = (8, 16, 32, 64, 128)
EXPLORATION, CONCURRENT, MAB = TrialType.EXPLORATION, TrialType.CONCURRENT, TrialType.MAB


@dataclass
class Job:
    """A job with recurrences that may overlap: what the server does around the policy, with the trials in memory.

    Attributes:
        running: The open runs.
        explored: The places of all rounds, each with the progress at its choice.
        learnt: What each decided trial came to, and taught.
        asked: All choices.
        checks_purity: Look whether a call into the policy leaves its input alone.
    """

    knobs: Knobs
    progress: Progress
    sizes: Sizes
    rng: np.random.Generator
    checks_purity: bool = False
    policy: Policy = field(default_factory=lambda: policy_of("zeus"))
    running: list[Choice] = field(default_factory=list)
    explored: list[tuple[Progress, Place]] = field(default_factory=list)
    learnt: list[tuple[Choice, Outcome, Conclusion]] = field(default_factory=list)
    asked: list[Choice] = field(default_factory=list)

    def steers(self, run: Choice) -> bool:
        return run.progress.generation == self.progress.generation

    def places(self) -> list[Place]:
        if self.progress.stage is Stage.MAB:
            return []
        return [place for progress, place in self.explored if round_of(progress) == round_of(self.progress)]

    def ask(self) -> Choice:
        situation = self.situation()
        with self._left_alone(situation):
            choice = self.policy.choose(situation, self.rng)
        self.progress, self.sizes = choice.progress, choice.sizes
        if choice.trial_type is TrialType.EXPLORATION:
            self.explored.append((choice.progress, Place(choice.batch_size, PlaceState.OPEN)))
        self.running.append(choice)
        self.asked.append(choice)
        return choice

    def situation(self) -> Situation:
        """What the policy looks at when it chooses."""
        return Situation(
            self.knobs,
            self.progress,
            self.sizes,
            places=self.places(),
            in_flight=Counter(run.batch_size for run in self.running if self.steers(run)),
            uncapped_open=any(run.uncapped and self.steers(run) for run in self.running),
        )

    def report(self, run: Choice, cost: float, curve: Curve) -> Outcome | None:
        """A run reports; when that decides it, it ends."""
        epoch, metric = curve[-1]
        seen = Run(run.batch_size, cost, epoch, metric=metric, uncapped=run.uncapped, curve=curve)
        if not self.steers(run):
            outcome = judge_alone(self.knobs, seen).outcome
        else:
            outcome = self.policy.judge(self.knobs, self.progress, self.sizes, seen).outcome
        if outcome is not None:
            self.end(run, cost, outcome, curve)
        return outcome

    def end(self, run: Choice, cost: float, outcome: Outcome = Outcome.CONVERGED, curve: Curve = ()) -> None:
        """A run is decided, by default at ``max_epochs``; one of an older generation teaches nothing."""
        self.running.remove(run)
        converged = outcome is Outcome.CONVERGED
        state = PlaceState.CONVERGED if converged else PlaceState.UNCONVERGED
        self._fill(run, Place(run.batch_size, state, cost))
        if not self.steers(run):
            return
        with self._left_alone():
            epoch = curve[-1][0] if curve else self.knobs.max_epochs
            ended = Run(run.batch_size, cost, epoch, uncapped=run.uncapped, curve=curve)
            conclusion = self.policy.conclude(self.knobs, self.progress, self.sizes, ended, outcome)
        self.progress, self.sizes = conclusion.progress, conclusion.sizes
        self.learnt.append((run, outcome, conclusion))

    def miss(self, run: Choice, outcome: Outcome = Outcome.TARGET_MISSED, cost: float = 150.0) -> None:
        """A run is decided, but not as converged."""
        self.end(run, cost, outcome)

    def fail(self, run: Choice, reason: FailReason = FailReason.ERROR) -> None:
        """A run ends without a decision."""
        self.running.remove(run)
        self._fill(run, None)
        if self.steers(run) or reason is FailReason.OOM:
            with self._left_alone():
                after = after_failure(self.sizes, run.batch_size, reason)
            self.sizes = after

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

    def _fill(self, run: Choice, place: Place | None) -> None:
        if run.round is None:
            return
        held = (run.progress, Place(run.batch_size, PlaceState.OPEN))
        at = self.explored.index(held)
        self.explored[at : at + 1] = [] if place is None else [(run.progress, place)]

    @contextmanager
    def _left_alone(self, situation: Situation | None = None) -> Iterator[None]:
        given = (self.knobs, self.progress, self.sizes, situation)
        before = copy.deepcopy(given) if self.checks_purity else given
        yield
        assert given == before


def round_of(progress: Progress) -> tuple[int, int]:
    """Generation and round."""
    return progress.generation, progress.round


def fresh(knobs: Knobs, *, seed: int = 0, checks_purity: bool = False, policy: str = "zeus") -> Job:
    """A job before its first recurrence."""
    progress = Progress.begin(knobs.batch_sizes, knobs.default_batch_size)
    sizes = {size: SizeState(size) for size in knobs.batch_sizes}
    return Job(knobs, progress, sizes, np.random.default_rng(seed), checks_purity, policy_of(policy))


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
