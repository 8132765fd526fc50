"""What a run would cost: recorded runs, power, drift and accidents of one workload on one GPU."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from zeus_bso.cost import zeus_cost
from zeus_bso.simulator.rows import TraceError
from zeus_bso.simulator.traces import Pace, Pair, RecordedRun

DRIFT_MAX_EPOCHS_FACTOR = 4
"""With drift, ``max_epochs`` is so many times larger: else a small one would make the target impossible."""


@dataclass(frozen=True, slots=True)
class Drift:
    """From a given recurrence on, the target takes another number of epochs.

    Attributes:
        at: First recurrence that has drifted, from 0.
        factor: Epochs are multiplied by it; at the pivot, when tilted.
        tilt: Exponent of ``batch_size / pivot``, by which they are multiplied too: above 0, larger sizes suffer more,
            so that the optimum moves down; below 0 it moves up.
    """

    at: int
    factor: float
    tilt: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated, besides workload, GPU and policy.

    Attributes:
        eta_knob: Weight of energy against time in the cost.
        beta_knob: Cost bound in units of the least cost; None: no bound.
        recurrences: How many; None: 2 x (batch sizes) x (power limits), as in the paper.
        overlap: A recurrence's result is known only so many recurrences later.
        drift: None: nothing drifts.
        crash_rate: Share of tries that die of an error.
        preempt_rate: Share of tries that are preempted once, lose the epoch under way, and go on.
        curve_stop: Whether the surrogate policy may stop a hopeless run by its learning curve.
    """

    eta_knob: float = 0.5
    beta_knob: float | None = 2.0
    recurrences: int | None = None
    overlap: int = 0
    drift: Drift | None = None
    crash_rate: float = 0.0
    preempt_rate: float = 0.0
    curve_stop: bool = True


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


@dataclass(frozen=True)
class World:
    """One workload on one GPU, in one scenario.

    Attributes:
        pair: The recorded traces.
        scenario: What is simulated.
    """

    pair: Pair
    scenario: Scenario = field(default_factory=Scenario)

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

    def cost_per_epoch(self, pace: Pace) -> float:
        """Cost of an epoch [J]."""
        return self.cost(pace.energy_j, pace.time_s)

    @cached_property
    def best_limits_w(self) -> Mapping[int, float]:
        """The power limit at which an epoch costs least, by batch size [W]."""
        return {
            size: min(limits, key=lambda limit: self.cost_per_epoch(limits[limit]))
            for size, limits in self.pair.paces.items()
        }

    @cached_property
    def profiling_paces(self) -> Mapping[int, Pace]:
        """An epoch that is split evenly over all power limits, by batch size."""
        return {size: _split_evenly(list(limits.values())) for size, limits in self.pair.paces.items()}

    def epochs_factor(self, batch_size: int, recurrence: int) -> float:
        """By what the recorded epochs are multiplied."""
        drift = self.scenario.drift
        if drift is None or recurrence < drift.at:
            return 1.0
        return drift.factor * float((batch_size / self._pivot) ** drift.tilt)

    def expected(self, batch_size: int, power_limit_w: float, recurrence: int = 0) -> Optimum | None:
        """What a recurrence costs that trains with this size until the target is reached; None: it never is."""
        factor = self.epochs_factor(batch_size, recurrence)
        needed = [drifted(run.target_epoch, factor) for run in self.pair.runs[batch_size]]
        reached = [epochs for epochs in needed if epochs is not None and epochs <= self.max_epochs]
        if not reached:
            return None
        spent = sum(reached) + self.max_epochs * (len(needed) - len(reached))
        epochs = spent / len(reached)
        pace = self.pair.paces[batch_size][power_limit_w]
        energy_j, time_s = epochs * pace.energy_j, epochs * pace.time_s
        return Optimum(batch_size, power_limit_w, self.cost(energy_j, time_s), energy_j, time_s)

    def oracle(self, recurrence: int = 0) -> Optimum:
        """The size and power limit of least expected cost, at a given recurrence."""
        drift = self.scenario.drift
        return self._oracle_after if drift is not None and recurrence >= drift.at else self._oracle_before

    @cached_property
    def default(self) -> Optimum | None:
        """The default batch size at full power; None: it never reaches the target."""
        size = self.pair.default_batch_size
        return self.expected(size, max(self.pair.paces[size]))

    @cached_property
    def _oracle_before(self) -> Optimum:
        return self._find_oracle(-1)

    @cached_property
    def _oracle_after(self) -> Optimum:
        return self._find_oracle(self.scenario.drift.at if self.scenario.drift else -1)

    @property
    def _pivot(self) -> int:
        return self._oracle_before.batch_size

    def _find_oracle(self, recurrence: int) -> Optimum:
        expected = [
            self.expected(size, limit, recurrence) for size, limits in self.pair.paces.items() for limit in limits
        ]
        found = [optimum for optimum in expected if optimum is not None]
        if not found:
            name = f"{self.pair.workload.name} on {self.pair.gpu}"
            raise TraceError(f"{name}: no recorded run reaches the target within max_epochs.")
        return min(found, key=lambda optimum: optimum.cost_j)


class Draws:
    """Common random numbers: the n-th run of a batch size under a seed is the same, whatever was run before.

    Args:
        world: Where the runs are recorded.
        seed: The seed.
    """

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._streams = {size: np.random.default_rng([seed, 0x7A657573, size]) for size in world.pair.batch_sizes}

    def next_run(self, batch_size: int) -> Draw:
        """The next run of a size: a recorded one, and what befalls it."""
        rng = self._streams[batch_size]
        runs = self._world.pair.runs[batch_size]
        run = runs[int(rng.integers(len(runs)))]
        # Always drawn, so that the recorded runs are the same with accidents and without.
        crash, preemption, moment = rng.random(3)
        scenario = self._world.scenario
        return Draw(
            run,
            crashes=bool(crash < scenario.crash_rate),
            preempted=bool(preemption < scenario.preempt_rate),
            moment=float(moment),
        )


@dataclass(frozen=True, slots=True)
class Draw:
    """What chance has decided about one run.

    Attributes:
        run: The recorded run that it takes.
        crashes: It dies of an error.
        preempted: It is preempted once.
        moment: When, as a share of its epochs to the target.
    """

    run: RecordedRun
    crashes: bool = False
    preempted: bool = False
    moment: float = 0.0


def drifted(epoch: int | None, factor: float) -> int | None:
    """A recorded epoch after drift, rounded up."""
    return None if epoch is None else max(1, math.ceil(epoch * factor - 1e-9))


def _split_evenly(paces: list[Pace]) -> Pace:
    time_s = sum(pace.time_s for pace in paces) / len(paces)
    energy_j = sum(pace.energy_j for pace in paces) / len(paces)
    return Pace(time_s, energy_j / time_s)
