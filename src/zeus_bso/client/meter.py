"""What a run has used so far."""

from __future__ import annotations

from typing import SupportsFloat

from zeus_bso.client.guard import Guard
from zeus_bso.common import EnergySource, Totals
from zeus_bso.exceptions import ZeusBSODistributedError, ZeusBSOMonitorError
from zeus_bso.monitor.adapt import adapt
from zeus_bso.monitor.codecarbon import TaskTracker
from zeus_bso.monitor.once import count_once, reading_of
from zeus_bso.monitor.protocol import Monitor


class Meter:
    """Adds up the windows of training and evaluation; set-up and the server's round trip lie between them.

    Args:
        monitor: Measures a window.
        window: Its name; no other user of the monitor may use the same.

    Attributes:
        time_s: Training time so far [s].
        energy_j: Energy used so far [J].
        source: What the energy rests on; None: the monitor does not say.
    """

    def __init__(self, monitor: Monitor | TaskTracker, window: str) -> None:
        self._monitor = adapt(monitor)
        self._window = window
        self.time_s = 0.0
        self.energy_j = 0.0
        self.source: EnergySource | None = None

    def start_from(self, start: Totals) -> None:
        """Count from what a run had used when it was interrupted."""
        self.time_s, self.energy_j = start.time, start.energy

    def open(self, guard: Guard) -> None:
        """Open a window; what speaks against it is said."""
        with guard("measure"):
            self._monitor.begin_window(self._window)

    def close(self) -> None:
        """Close the window and add what it took.

        Raises:
            ZeusBSOMonitorError: The monitor fails, or its figures cannot be true.
            ZeusBSODistributedError: It measures several processes, and they have lost each other.
        """
        try:
            total = count_once([reading_of(self._monitor.end_window(self._window))])
        except (ZeusBSOMonitorError, ZeusBSODistributedError):
            raise
        except Exception as error:  # Whatever a foreign monitor raises.
            raise ZeusBSOMonitorError(f"{type(error).__name__}: {error}") from error
        self.time_s += total.time_s
        self.energy_j += total.energy_j
        self.source = total.source


def number(metric: SupportsFloat, guard: Guard) -> float | None:
    """A metric as a number; None: it is none, which is said once."""
    try:
        return float(metric)
    # PyTorch raises a RuntimeError where a device has failed.
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        guard.say_once(f"The metric is not a number ({error}): this evaluation is not reported.")
        return None
