"""The power limit of a simulated run: given, or measured and chosen as the client does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from zeus_bso.power.goal import PowerGoal
from zeus_bso.power.ledger import Difference, ProfilingLedger
from zeus_bso.power.measured import add_window
from zeus_bso.power.search import next_limit
from zeus_bso.power.windows import SETTLE_S, WINDOW_S
from zeus_bso.protocol.power import PowerPoint, PowerProfile
from zeus_bso.simulator.traces import Pace


@dataclass(frozen=True, slots=True)
class Spent:
    """What some training has taken.

    Attributes:
        time_s: Its time [s].
        energy_j: Its energy [J].
        epochs: How many normal epochs it was worth.
    """

    time_s: float = 0.0
    energy_j: float = 0.0
    epochs: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        """Both."""
        return Spent(self.time_s + other.time_s, self.energy_j + other.energy_j, self.epochs + other.epochs)


@dataclass
class SimulatedPower:
    """The power limit of one run.

    Without a given limit, the run measures what the search asks for, in windows that follow each other and may go on
    in the next epoch. It trains at full power before, and at the best limit afterwards. A simulated run has no steps,
    so its windows begin at once, and none is longer for the sake of its steps.

    Attributes:
        paces: What an epoch takes, by power limit [W].
        goal: How limits are judged.
        profile: What is known about them.
        given_limit_w: The limit of the whole run [W]. None: it is measured and chosen.
        ledger: What was done under measurement.
        in_window_s: How long the limit under measurement has been set [s].
    """

    paces: Mapping[float, Pace]
    goal: PowerGoal
    profile: PowerProfile
    given_limit_w: float | None = None
    ledger: ProfilingLedger = field(default_factory=ProfilingLedger)
    in_window_s: float = 0.0

    @property
    def difference(self) -> Difference:
        """What measuring has cost beyond the best limit that is known."""
        return self.ledger.beyond(self.goal.best(self.profile))

    def copy(self) -> SimulatedPower:
        """The same, for training that is lost."""
        return replace(self, ledger=replace(self.ledger))

    def train(self, factor: float, warm_up: float = 0.0) -> Spent:
        """Train for an epoch.

        Args:
            factor: It takes so many times the time.
            warm_up: What it costs extra, in normal epochs. That comes first and is not measured.
        """
        limit_w = self._measured_limit_w()
        if limit_w is None:
            return self._at(self._chosen_limit_w(), factor * (1.0 + warm_up))
        spent, left = self._at(max(self.paces), factor * warm_up), 1.0
        while left > 0 and limit_w is not None:
            share = self._measure(limit_w, factor, left)
            spent += self._at(limit_w, factor * share)
            left -= share
            limit_w = self._measured_limit_w()
        return spent + self._at(self._chosen_limit_w(), factor * left)

    def _measured_limit_w(self) -> float | None:
        """The limit to measure now. None: nothing is left to measure."""
        return next_limit(self.profile, self.goal) if self.given_limit_w is None else None

    def _chosen_limit_w(self) -> float:
        best = self.goal.best(self.profile)
        if self.given_limit_w is not None:
            return self.given_limit_w
        return max(self.paces) if best is None else best.limit

    def _measure(self, limit_w: float, factor: float, left: float) -> float:
        """Measure a limit for the rest of its window, or of the epoch. Returns the share of the epoch."""
        pace = self.paces[limit_w].times(factor)
        share = (SETTLE_S + WINDOW_S - self.in_window_s) / pace.time_s
        if share > left:
            share = left
            self.in_window_s += share * pace.time_s
        else:
            self.in_window_s = 0.0
            window = PowerPoint(limit=limit_w, power=pace.power_w, rate=1.0 / pace.time_s)
            self.profile = add_window(self.profile, window)
        self.ledger.add(share, share * pace.time_s, share * pace.energy_j)
        return share

    def _at(self, limit_w: float, epochs: float) -> Spent:
        pace = self.paces[limit_w].times(epochs)
        return Spent(pace.time_s, pace.energy_j, epochs)
