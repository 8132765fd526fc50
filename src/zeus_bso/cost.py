"""The cost of a training run, in one place."""

from __future__ import annotations


def zeus_cost(energy: float, time: float, eta_knob: float, max_power: float) -> float:
    """Weigh energy against time.

    Both run until the target metric is reached (energy-to-accuracy, time-to-accuracy), so that a size that trains
    fast but needs more epochs is judged by what it costs in the end.

    Args:
        energy: Energy used [J].
        time: Time taken [s].
        eta_knob: Weight of energy, in [0, 1]: 1 looks at energy alone, 0 at time alone.
        max_power: Summed power limit of the devices [W]; turns time into the energy it could have cost.

    Returns:
        The cost [J].

    Source:
        Zeus (NSDI'23), equation 2.
    """
    return eta_knob * energy + (1.0 - eta_knob) * max_power * time
