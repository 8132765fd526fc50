"""The cost of a training run."""

from __future__ import annotations


def zeus_cost(energy: float, time: float, eta_knob: float, max_power: float) -> float:
    """Weigh energy against time.

    Energy and time count until the run reaches the target metric (energy-to-accuracy, time-to-accuracy). So a batch
    size that trains fast but needs more epochs is judged by its total cost.

    Args:
        energy: Energy used [J].
        time: Time taken [s].
        eta_knob: Weight of energy, in [0, 1]: 1 counts energy alone, 0 time alone.
        max_power: Sum of the devices' power limits [W]. It converts time to the energy that could have been used.

    Returns:
        The cost [J].

    Source:
        Zeus (NSDI'23), equation 2.
    """
    return eta_knob * energy + (1.0 - eta_knob) * max_power * time
