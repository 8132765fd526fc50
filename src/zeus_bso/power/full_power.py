"""What runs at a power limit would have needed at full power, by the profile of their batch size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zeus_bso.cost import zeus_cost
from zeus_bso.protocol.power import PowerProfile

_MOST = 1000.0
"""Bound of each factor, and of its inverse. Whoever tells more is mistaken."""


@dataclass(frozen=True)
class FullPower:
    """How many times as much a run needs at full power as at its limit.

    Attributes:
        energy: Factor of the energy.
        time: Factor of the time.
        cost: Factor of the cost.
    """

    energy: float = 1.0
    time: float = 1.0
    cost: float = 1.0


AS_IT_IS = FullPower()
"""The factors of runs at full power, and of runs about whose limit nothing is known."""


def at_full_power(
    profile: PowerProfile | None, limit_w: float | None, eta_knob: float, max_power_w: float
) -> FullPower:
    """What runs would have needed at full power.

    Args:
        profile: What is known about their batch size at each power limit. None if nothing is.
        limit_w: The power limit at which they trained [W]. None for full power.
        eta_knob: Weight of energy against time in the cost.
        max_power_w: Sum of the devices' maximum power limits [W].
    """
    full = None if profile is None or limit_w is None else profile.at(profile.highest)
    if profile is None or limit_w is None or full is None:
        return AS_IT_IS
    # The profile may have been measured again since then, at other limits.
    at_limit = min(profile.points, key=lambda point: abs(point.limit - limit_w))
    energies_j = [point.power / point.rate for point in (full, at_limit)]
    times_s = [1 / point.rate for point in (full, at_limit)]
    costs_j = [
        zeus_cost(energy_j, time_s, eta_knob, max_power_w) for energy_j, time_s in zip(energies_j, times_s, strict=True)
    ]
    return FullPower(_ratio(*energies_j), _ratio(*times_s), _ratio(*costs_j))


def _ratio(full: float, at_limit: float) -> float:
    ratio = full / at_limit if at_limit > 0 else 1.0
    return min(_MOST, max(1 / _MOST, ratio)) if math.isfinite(ratio) else 1.0
