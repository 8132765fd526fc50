"""The work that a run has done while it measured power limits, and what that has cost beyond the chosen limit."""

from __future__ import annotations

from dataclasses import dataclass

from zeus_bso.protocol.power import PowerPoint


@dataclass(frozen=True)
class Difference:
    """What measuring has cost beyond the same work at the chosen limit. Each may be negative.

    Attributes:
        time_s: Time [s].
        energy_j: Energy [J].
    """

    time_s: float = 0.0
    energy_j: float = 0.0

    def plus(self, other: Difference) -> Difference:
        """The sum of two differences."""
        return Difference(self.time_s + other.time_s, self.energy_j + other.energy_j)


NO_DIFFERENCE = Difference()


@dataclass
class ProfilingLedger:
    """Sums of work.

    Attributes:
        units: Units of work.
        time_s: Their time [s].
        energy_j: Their energy [J].
    """

    units: float = 0.0
    time_s: float = 0.0
    energy_j: float = 0.0

    def add(self, units: float, time_s: float, energy_j: float) -> None:
        """Count some work."""
        self.units += units
        self.time_s += time_s
        self.energy_j += energy_j

    def beyond(self, chosen: PowerPoint | None) -> Difference:
        """What the work has cost beyond the chosen limit. Nothing while no limit is known."""
        if chosen is None:
            return NO_DIFFERENCE
        time_s = self.units / chosen.rate
        return Difference(self.time_s - time_s, self.energy_j - time_s * chosen.power)
