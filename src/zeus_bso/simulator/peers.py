"""What the policies are compared with: habit, perfect knowledge, and common ways to search.

None of the peers bounds a run's cost; a run ends at its target or after ``max_epochs``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.policy import stop
from zeus_bso.protocol.words import FailReason, Outcome
from zeus_bso.simulator.job import PolicyJob, knobs_of
from zeus_bso.simulator.runner import Decider, EpochReport, GivenTrial, ReportAnswer
from zeus_bso.simulator.source_job import inherited
from zeus_bso.simulator.world import SimulatedWorkload

if TYPE_CHECKING:
    import optuna


class _Peer(ABC):
    """A decider without bounds; a subclass chooses."""

    power_limit_w: float | None = None

    def __init__(self, world: SimulatedWorkload, seed: int) -> None:
        self._world = world
        self._seed = seed
        self._knobs = knobs_of(world)
        self._trials = 0

    def ask(self) -> GivenTrial:
        """Give the next try its batch size."""
        self._trials += 1
        return GivenTrial(self._trials, self._choose(self._trials))

    def report(self, trial: GivenTrial, report: EpochReport) -> ReportAnswer:
        """End the run at its target, or after ``max_epochs``."""
        cost = self._world.cost(report.energy_j, report.time_s)
        verdict = stop.judge(
            self._knobs.target, cost=cost, metric=report.metric, epoch=report.epoch, bound=None, non_finite_before=0
        )
        if verdict.outcome is not None:
            self._take_result(trial, cost, converged=verdict.outcome is Outcome.CONVERGED)
        return ReportAnswer(verdict.outcome, verdict.target_reached)

    def fail(self, trial: GivenTrial, reason: FailReason) -> None:  # noqa: B027 - nothing is what most peers do
        """Learn nothing from accidents."""

    @abstractmethod
    def _choose(self, trial_number: int) -> int:
        """Choose the batch size of a try."""

    def _take_result(self, trial: GivenTrial, cost: float, *, converged: bool) -> None:  # noqa: B027 - some learn nothing
        """Take in what a run came to."""


class Default(_Peer):
    """The default batch size at full power: what is done without any of this."""

    def __init__(self, world: SimulatedWorkload, seed: int) -> None:
        super().__init__(world, seed)
        self.power_limit_w = max(world.paces[world.pair.default_batch_size])

    def _choose(self, trial_number: int) -> int:
        return self._knobs.default_batch_size


class Oracle(_Peer):
    """The size of least expected cost, at the best power limit that may be used, from the first recurrence on."""

    def __init__(self, world: SimulatedWorkload, seed: int) -> None:
        super().__init__(world, seed)
        self._reached = 0
        self.power_limit_w = world.oracle().power_limit_w

    def _choose(self, trial_number: int) -> int:
        optimum = self._world.oracle(self._reached)
        self.power_limit_w = optimum.power_limit_w
        return optimum.batch_size

    def _take_result(self, trial: GivenTrial, cost: float, *, converged: bool) -> None:
        self._reached += converged


class Grid(_Peer):
    """Every size once, ascending; then the cheapest that converged, for ever."""

    def __init__(self, world: SimulatedWorkload, seed: int) -> None:
        super().__init__(world, seed)
        self._costs: dict[int, float] = {}

    def _choose(self, trial_number: int) -> int:
        sizes = self._knobs.batch_sizes
        if trial_number <= len(sizes):
            return sizes[trial_number - 1]
        if not self._costs:
            return self._knobs.default_batch_size
        return min(self._costs, key=lambda size: self._costs[size])

    def _take_result(self, trial: GivenTrial, cost: float, *, converged: bool) -> None:
        if converged and trial.number <= len(self._knobs.batch_sizes):
            self._costs[trial.batch_size] = cost


class Random(_Peer):
    """A size at random, each time."""

    def __init__(self, world: SimulatedWorkload, seed: int) -> None:
        super().__init__(world, seed)
        self._rng = np.random.default_rng(seed)

    def _choose(self, trial_number: int) -> int:
        return int(self._rng.choice(self._knobs.batch_sizes))


class Optuna(_Peer):
    """A study of Optuna over the sizes in order, begun at the default.

    A failed try is told as twice what it paid: it had to be paid, and then a run again.

    Args:
        world: Workload, GPU and scenario.
        seed: Seed of the sampler.
        sampler: Makes the sampler of a seed.
    """

    def __init__(
        self, world: SimulatedWorkload, seed: int, sampler: Callable[[int], optuna.samplers.BaseSampler]
    ) -> None:
        import optuna

        super().__init__(world, seed)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(sampler=sampler(seed))
        self._study.enqueue_trial({"index": self._knobs.batch_sizes.index(self._knobs.default_batch_size)})
        self._open: dict[int, optuna.trial.Trial] = {}

    def _choose(self, trial_number: int) -> int:
        trial = self._study.ask()
        self._open[trial_number] = trial
        return self._knobs.batch_sizes[trial.suggest_int("index", 0, len(self._knobs.batch_sizes) - 1)]

    def _take_result(self, trial: GivenTrial, cost: float, *, converged: bool) -> None:
        self._study.tell(self._open.pop(trial.number), cost if converged else 2.0 * cost)


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    return optuna.samplers.TPESampler(seed=seed)


def _gp(seed: int) -> optuna.samplers.BaseSampler:
    import optuna
    import torch  # noqa: F401  # asked for here: the sampler would ask only in the midst of a study

    return optuna.samplers.GPSampler(seed=seed)


POLICIES: dict[str, Callable[[SimulatedWorkload, int], Decider]] = {
    "zeus": lambda world, seed: PolicyJob(world, "zeus", seed),
    "surrogate": lambda world, seed: PolicyJob(world, "surrogate", seed, inherited(world, seed)),
    "default": Default,
    "oracle": Oracle,
    "grid": Grid,
    "random": Random,
    "optuna-tpe": lambda world, seed: Optuna(world, seed, _tpe),
    "optuna-gp": lambda world, seed: Optuna(world, seed, _gp),
}
"""Everything that can decide, by the name that the command line knows."""


def decider_of(policy: str, world: SimulatedWorkload, seed: int) -> Decider:
    """Make what decides in one simulation.

    Raises:
        ZeusBSOConfigError: There is no policy of this name.
    """
    if policy not in POLICIES:
        raise ZeusBSOConfigError(f"There is no policy {policy!r}; there are: {', '.join(POLICIES)}.")
    return POLICIES[policy](world, seed)
