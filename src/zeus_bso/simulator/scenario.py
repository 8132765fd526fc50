"""What a simulation makes harder than recorded runs are: drift, accidents, noise, and costs that are not smooth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.power.goal import Objective

LARGEST_FACTOR = 1000.0
LARGEST_TILT = 10.0
LARGEST_NOISE = 3.0
LARGEST_GROWTH = 1.0
LARGEST_WARM_UP = 1000.0
LARGEST_SLOWDOWN = 100.0

Power = Literal["off", "optimize"]


@dataclass(frozen=True, slots=True)
class Drift:
    """From a given recurrence on, the target takes another number of epochs.

    Attributes:
        at: First recurrence that has drifted, from 0.
        factor: Epochs are multiplied by it; at the pivot, when tilted.
        tilt: Exponent of ``batch_size / pivot``, by which they are multiplied too: above 0, larger sizes suffer more,
            so that the optimum moves down; below 0 it moves up. The pivot is the optimum before.
        over: Recurrences over which the drift comes, little by little; 0: it comes at once.
    """

    at: int
    factor: float = 1.0
    tilt: float = 0.0
    over: int = 0

    def in_another_length(self, share: float) -> Drift:
        """The same drift in an experiment of so many times the recurrences."""
        return replace(self, at=round(self.at * share), over=round(self.over * share))

    def share(self, recurrence: int) -> float:
        """How much of the drift has come by a recurrence, from 0 to 1."""
        if recurrence < self.at:
            return 0.0
        return min(1.0, (recurrence - self.at + 1) / self.over) if self.over else 1.0


@dataclass(frozen=True, slots=True)
class Tail:
    """Some runs need far more epochs than the others.

    Attributes:
        share: Share of the runs.
        factor: They need so many times more epochs at least.
        index: The chance that one needs x times as many as that falls like ``x ** -index``; infinite: all need
            exactly ``factor`` times more.
        batch_sizes: The sizes that have the tail; empty: all.
    """

    share: float
    factor: float = 3.0
    index: float = math.inf
    batch_sizes: tuple[int, ...] = ()

    def factor_at(self, batch_size: int, rank: float) -> float:
        """By what the epochs of a run are multiplied; ``rank`` is uniform between 0 and 1."""
        if rank >= self.share or (self.batch_sizes and batch_size not in self.batch_sizes):
            return 1.0
        return self.factor * float((1.0 - rank / self.share) ** (-1.0 / self.index))


@dataclass(frozen=True, slots=True)
class Cliff:
    """An epoch is dearer at a batch size that does not suit the hardware.

    Attributes:
        factor: Time and energy of an epoch are multiplied by it,
        multiple: unless the size is a multiple of this one.
    """

    factor: float
    multiple: float = 32

    def factor_at(self, batch_size: int) -> float:
        """By what the cost of an epoch is multiplied."""
        return 1.0 if batch_size % self.multiple == 0 else self.factor


@dataclass(frozen=True, slots=True)
class Dip:
    """Fewer epochs are needed around one batch size: a minimum of its own, wherever the other is.

    Attributes:
        centre: The size.
        factor: Epochs are multiplied by it there.
        octaves: Standard deviation of the bell by which that fades, in doublings of the batch size.
    """

    centre: float
    factor: float
    octaves: float = 1.0

    def factor_at(self, batch_size: int) -> float:
        """By what the epochs are multiplied."""
        distance = math.log2(batch_size / self.centre) / self.octaves
        return float(self.factor ** math.exp(-(distance**2) / 2))


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated, besides workload, GPU and policy.

    Attributes:
        name: Its name, where it has one.
        eta_knob: Weight of energy against time in the cost.
        beta_knob: Cost bound in units of the least cost; None: no bound.
        recurrences: How many; None: 2 x (batch sizes) x (power limits), as in the paper.
        overlap: A recurrence's result is known only so many recurrences later.
        drift: None: nothing drifts.
        crash_rate: Share of tries that die of an error.
        preempt_rate: Share of tries that are preempted once, lose the epoch under way, and go on.
        curve_stop: Whether the surrogate policy may stop a hopeless run by its learning curve.
        power: ``off``: every run trains at full power, and the oracle knows no other limit. ``optimize``: each batch
            size is measured at several limits once, and runs train at the best one.
        power_goal: How ``optimize`` judges a limit: by ``cost`` or by ``energy``. None: by cost.
        max_slowdown: How many times longer than at full power an epoch may take at most. None: there is no bound.
        warm_up: What the first epoch of a run costs extra, in normal epochs of its batch size.
        warm_ups: The same for single batch sizes, where they differ from the others.
        cliff: None: every size suits the hardware.
        dip: None: no second minimum.
        noise: Standard deviation of the logarithm of a run's epochs, on top of what the workload has.
        pace_noise: Standard deviation of the logarithm of a run's cost per epoch.
        tail: None: no run needs far more epochs than the others.
        growth: Share by which the cost of an epoch grows from one recurrence to the next.
        never: Batch sizes whose runs stay short of the target.
        past_runs: How many past runs of each batch size the job knows of before its first recurrence.
    """

    name: str = ""
    eta_knob: float = 0.5
    beta_knob: float | None = 2.0
    recurrences: int | None = None
    overlap: int = 0
    drift: Drift | None = None
    crash_rate: float = 0.0
    preempt_rate: float = 0.0
    curve_stop: bool = True
    power: Power = "off"
    power_goal: Objective | None = None
    max_slowdown: float | None = None
    warm_up: float = 0.0
    warm_ups: Mapping[int, float] = field(default_factory=dict)
    cliff: Cliff | None = None
    dip: Dip | None = None
    noise: float = 0.0
    pace_noise: float = 0.0
    tail: Tail | None = None
    growth: float = 0.0
    never: tuple[int, ...] = ()
    past_runs: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value, least, most in self._numbers():
            if not least <= value <= most:
                raise ZeusBSOConfigError(f"{name} must be between {least:,.10g} and {most:,.10g}, not {value:,.10g}.")

    @property
    def named_batch_sizes(self) -> tuple[int, ...]:
        """The batch sizes that the scenario speaks of."""
        return (*self.warm_ups, *self.never, *self.past_runs, *(self.tail.batch_sizes if self.tail else ()))

    def on_another_workload(self) -> Scenario | None:
        """What of it can be laid over another workload; None: nothing, it lives by its workload alone."""
        return None if self == Scenario(name=self.name, recurrences=self.recurrences) else self

    def of_length(self, recurrences: int) -> Scenario:
        """The same with so many recurrences, what happens on the way at the same share of them."""
        drift = self.drift
        if drift is not None and self.recurrences is not None:
            drift = drift.in_another_length(recurrences / self.recurrences)
        return replace(self, recurrences=recurrences, drift=drift)

    def _numbers(self) -> list[tuple[str, float, float, float]]:
        """Every number with its name and its bounds."""
        found = [
            ("Noise", self.noise, 0.0, LARGEST_NOISE),
            ("Noise of the pace", self.pace_noise, 0.0, LARGEST_NOISE),
            ("Growth per recurrence", self.growth, -0.5, LARGEST_GROWTH),
            ("Overlap", self.overlap, 0, 1000),
            ("eta_knob", self.eta_knob, 0.0, 1.0),
            ("The share of crashes", self.crash_rate, 0.0, 1.0),
            ("The share of preemptions", self.preempt_rate, 0.0, 1.0),
        ]
        found += [("Warm-up", warm_up, 0.0, LARGEST_WARM_UP) for warm_up in (self.warm_up, *self.warm_ups.values())]
        if self.max_slowdown is not None:
            found.append(("The largest slowdown", self.max_slowdown, 1.0, LARGEST_SLOWDOWN))
        if self.drift is not None:
            found.append(("The factor of drift", self.drift.factor, 1 / LARGEST_FACTOR, LARGEST_FACTOR))
            found.append(("Tilt", self.drift.tilt, -LARGEST_TILT, LARGEST_TILT))
            found.append(("The recurrences over which drift comes", self.drift.over, 0, 2**31 - 1))
        if self.tail is not None:
            found.append(("The share of a tail", self.tail.share, 0.0, 1.0))
            found.append(("The factor of a tail", self.tail.factor, 1 / LARGEST_FACTOR, LARGEST_FACTOR))
            found.append(("The index of a tail", self.tail.index, 0.1, math.inf))
        if self.cliff is not None:
            found.append(("The factor of a cliff", self.cliff.factor, 1 / LARGEST_FACTOR, LARGEST_FACTOR))
            found.append(("The multiple of a cliff", self.cliff.multiple, 1, 2**31 - 1))
        if self.dip is not None:
            found.append(("The centre of a dip", self.dip.centre, 1, 2**31 - 1))
            found.append(("The factor of a dip", self.dip.factor, 1 / LARGEST_FACTOR, LARGEST_FACTOR))
            found.append(("The octaves of a dip", self.dip.octaves, 0.01, 100.0))
        return found
