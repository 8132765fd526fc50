"""What a run would cost: recorded or made-up runs, power, and the scenario, of one workload on one GPU."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from zeus_bso.cost import zeus_cost
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.power.goal import PowerGoal, goal_of
from zeus_bso.power.measured import add_window
from zeus_bso.power.search import limits_w
from zeus_bso.protocol.job_spec import JobSettings
from zeus_bso.protocol.power import PowerPoint, PowerProfile
from zeus_bso.simulator.draws import epochs_factors
from zeus_bso.simulator.scenario import LARGEST_FACTOR, Scenario
from zeus_bso.simulator.trace_rows import TraceError
from zeus_bso.simulator.traces import Pace, Pair, RecordedRun, pace_at, short_of_target

DRIFT_MAX_EPOCHS_FACTOR = 4
"""With drift, ``max_epochs`` is so many times larger: else a small one would make the target impossible."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """A batch size with a power limit, and what it is expected to cost, failed tries included.

    Attributes:
        batch_size: The size.
        power_limit_w: The power limit [W].
        cost_j: Expected cost of a recurrence [J].
        energy_j: Its expected energy [J].
        time_s: Its expected time [s].
    """

    batch_size: int
    power_limit_w: float
    cost_j: float
    energy_j: float
    time_s: float

    def times(self, factor: float) -> Optimum:
        """The same at so many times the cost."""
        return replace(self, cost_j=self.cost_j * factor, energy_j=self.energy_j * factor, time_s=self.time_s * factor)


@dataclass(frozen=True)
class SourceJob:
    """A job that has run before, and hands its results on.

    Attributes:
        world: Its workload, GPU and scenario.
        recurrences: How many it has run.
    """

    world: SimulatedWorkload
    recurrences: int


@dataclass(frozen=True)
class SimulatedWorkload:
    """One workload on one GPU, in one scenario.

    Attributes:
        pair: The recorded traces.
        scenario: What is simulated.
        source: The job with whose results the job begins; None: it begins without.

    Raises:
        ZeusBSOConfigError: The scenario speaks of a batch size that the workload does not have.
    """

    pair: Pair
    scenario: Scenario = field(default_factory=Scenario)
    source: SourceJob | None = None

    def __post_init__(self) -> None:
        sizes = self.pair.batch_sizes
        unknown = [size for size in self.scenario.named_batch_sizes if size not in sizes]
        if unknown:
            raise ZeusBSOConfigError(
                f"{self.name} has no batch size {unknown[0]}, which the scenario speaks of; it has: "
                f"{', '.join(map(str, sizes))}."
            )

    @property
    def name(self) -> str:
        """Workload and GPU, for a message."""
        return f"{self.pair.workload.name} on {self.pair.gpu}"

    @property
    def max_epochs(self) -> int:
        """Epochs that a run may take."""
        return self.pair.workload.max_epochs * (DRIFT_MAX_EPOCHS_FACTOR if self.scenario.drift else 1)

    @property
    def recurrences(self) -> int:
        """How many recurrences the experiment has."""
        return self.scenario.recurrences or self.pair.recurrences

    def cost(self, energy_j: float, time_s: float) -> float:
        """Cost of so much energy and time [J]."""
        return zeus_cost(energy_j, time_s, self.scenario.eta_knob, self.pair.max_power_w)

    @cached_property
    def runs(self) -> Mapping[int, tuple[RecordedRun, ...]]:
        """The runs to draw from, by batch size."""
        never, target = self.scenario.never, self.pair.workload
        return {
            size: tuple(short_of_target(run, target) for run in runs) if size in never else runs
            for size, runs in self.pair.runs.items()
        }

    @cached_property
    def paces(self) -> Mapping[int, Mapping[float, Pace]]:
        """What an epoch takes at the first recurrence, by batch size and power limit [W] that may be used."""
        paces = {}
        for size, limits in self.pair.paces.items():
            highest_w = max(limits)
            lowest_w = min(limits) if self.scenario.power == "optimize" else highest_w
            factor = self.scenario.cliff.factor_at(size) if self.scenario.cliff else 1.0
            used = reversed(limits_w(lowest_w, highest_w))
            paces[size] = {limit: pace_at(limits, limit).times(factor) for limit in used}
        return paces

    @cached_property
    def goal(self) -> PowerGoal:
        """How power limits are judged."""
        scenario = self.scenario
        settings = JobSettings(
            eta_knob=scenario.eta_knob, power_goal=scenario.power_goal, max_slowdown=scenario.max_slowdown
        )
        return goal_of(settings, self.pair.max_power_w)

    def unmeasured(self, batch_size: int) -> PowerProfile:
        """The power profile of a batch size of which nothing is known."""
        limits = self.paces[batch_size]
        return PowerProfile(unit="epoch", lowest=min(limits), highest=max(limits))

    @cached_property
    def best_limits_w(self) -> Mapping[int, float]:
        """The power limit that somebody would choose who knows all, by batch size [W]."""
        return {size: self._best_limit_w(size) for size in self.paces}

    def at_full_power(self, batch_size: int) -> Pace:
        """What an epoch takes at full power, at the first recurrence."""
        limits = self.paces[batch_size]
        return limits[max(limits)]

    def warm_up(self, batch_size: int) -> float:
        """What the first epoch of a run costs extra, in normal epochs."""
        return self.scenario.warm_ups.get(batch_size, self.scenario.warm_up)

    def growth(self, recurrence: int) -> float:
        """How many times more an epoch costs than at the first recurrence."""
        return float((1.0 + self.scenario.growth) ** max(0, recurrence))

    def epochs_factor(self, batch_size: int, recurrence: int) -> float:
        """By what the recorded epochs are multiplied."""
        drift = self.scenario.drift
        return self._epochs_factor(batch_size, drift.share(recurrence) if drift else 0.0)

    def expected(self, batch_size: int, power_limit_w: float, recurrence: int = 0) -> Optimum | None:
        """What a recurrence costs that trains with this size until the target is reached; None: it never is."""
        drift = self.scenario.drift
        expected = self._expected(batch_size, power_limit_w, drift.share(recurrence) if drift else 0.0)
        return None if expected is None else expected.times(self.growth(recurrence))

    def oracle(self, recurrence: int = 0) -> Optimum:
        """The size of least expected cost, each at its best power limit, at a given recurrence.

        Raises:
            TraceError: No size ever reaches the target.
        """
        drift = self.scenario.drift
        return self._oracle(drift.share(recurrence) if drift else 0.0).times(self.growth(recurrence))

    def default(self, recurrence: int = 0) -> Optimum | None:
        """The default batch size at full power; None: it never reaches the target."""
        size = self.pair.default_batch_size
        return self.expected(size, max(self.paces[size]), recurrence)

    def check(self) -> None:
        """See to it that there is an optimum at every recurrence, at a cost that can be reckoned with.

        Raises:
            TraceError: At some recurrence, no size ever reaches the target.
            ZeusBSOConfigError: Costs grow beyond all bounds.
        """
        end = self.recurrences
        if abs(math.log1p(self.scenario.growth)) * end > math.log(LARGEST_FACTOR):
            raise ZeusBSOConfigError(
                f"Growth per recurrence of {self.scenario.growth:g}: after {end} recurrences an epoch would cost more "
                f"than {LARGEST_FACTOR:g} times as much or as little."
            )
        for recurrence in range(end):
            self.oracle(recurrence)

    def _best_limit_w(self, batch_size: int) -> float:
        profile = self.unmeasured(batch_size)
        for limit, pace in self.paces[batch_size].items():
            profile = add_window(profile, PowerPoint(limit=limit, power=pace.power_w, rate=1.0 / pace.time_s))
        best = self.goal.best(profile)
        return profile.highest if best is None else best.limit

    def _epochs_factor(self, batch_size: int, share: float) -> float:
        drift, dip = self.scenario.drift, self.scenario.dip
        factor = dip.factor_at(batch_size) if dip else 1.0
        if drift is None or not share:
            return factor
        pivot = self._oracle(0.0).batch_size
        return factor * float((drift.factor * float((batch_size / pivot) ** drift.tilt)) ** share)

    def _expected(self, batch_size: int, power_limit_w: float, share: float) -> Optimum | None:
        epochs = self._epochs(batch_size, share)
        if epochs is None:
            return None
        pace = self.paces[batch_size][power_limit_w]
        epochs *= math.exp(self.scenario.pace_noise**2 / 2)
        energy_j, time_s = epochs * pace.energy_j, epochs * pace.time_s
        return Optimum(batch_size, power_limit_w, self.cost(energy_j, time_s), energy_j, time_s)

    def _epochs(self, batch_size: int, share: float) -> float | None:
        """Expected epochs of a recurrence, with those that a warm-up is worth and those of failed tries."""
        key = (batch_size, share)
        if key not in self._known_epochs:
            self._known_epochs[key] = self._expect_epochs(batch_size, self._epochs_factor(batch_size, share))
        return self._known_epochs[key]

    def _expect_epochs(self, batch_size: int, factor: float) -> float | None:
        factors, weights = epochs_factors(self.scenario, batch_size)
        runs = self.runs[batch_size]
        spent, reached = self.warm_up(batch_size) * len(runs), 0.0
        for run in runs:
            if run.target_epoch is None:
                spent += self.max_epochs
                continue
            needed = np.maximum(1, np.ceil(run.target_epoch * (factor * factors) - 1e-9))
            spent += float(weights @ np.minimum(needed, self.max_epochs))
            reached += float(weights @ (needed <= self.max_epochs))
        return spent / reached if reached > 0 else None

    @cached_property
    def _known_epochs(self) -> dict[tuple[int, float], float | None]:
        return {}

    @cached_property
    def _known_oracles(self) -> dict[float, Optimum]:
        return {}

    def _oracle(self, share: float) -> Optimum:
        if share not in self._known_oracles:
            self._known_oracles[share] = self._find_oracle(share)
        return self._known_oracles[share]

    def _find_oracle(self, share: float) -> Optimum:
        expected = [self._expected(size, limit, share) for size, limit in self.best_limits_w.items()]
        found = [optimum for optimum in expected if optimum is not None]
        if not found:
            raise TraceError(f"{self.name}: no run reaches the target within max_epochs.")
        return min(found, key=lambda optimum: optimum.cost_j)


def drifted(epoch: float | None, factor: float) -> int | None:
    """An epoch times a factor, rounded up."""
    return None if epoch is None else max(1, math.ceil(epoch * factor - 1e-9))
