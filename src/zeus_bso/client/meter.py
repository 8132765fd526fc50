"""What a run has used so far."""

from __future__ import annotations

from collections.abc import Callable

from zeus_bso.common import EnergySource
from zeus_bso.monitor.adapt import adapt
from zeus_bso.monitor.codecarbon import TaskTracker
from zeus_bso.monitor.once import WindowReading, WindowTotal, count_once, reading_of
from zeus_bso.monitor.protocol import Monitor


def count_alone(reading: WindowReading) -> WindowTotal:
    """What a window took in a training of one process."""
    return count_once([reading])


class Meter:
    """Adds up the windows of training and evaluation; set-up and the server's round trip lie between them.

    Args:
        monitor: Measures a window.
        window: Its name; no other user of the monitor may use the same.
        count: Makes a window's total of what this process saw; a training of several processes gathers what each saw.

    Attributes:
        time_s: Training time so far [s].
        energy_j: Energy used so far [J].
        source: What the energy rests on; None: the monitor does not say.
    """

    def __init__(
        self, monitor: Monitor | TaskTracker, window: str, count: Callable[[WindowReading], WindowTotal] = count_alone
    ) -> None:
        self._monitor = adapt(monitor)
        self._window = window
        self._count = count
        self.time_s = 0.0
        self.energy_j = 0.0
        self.source: EnergySource | None = None

    def open(self) -> None:
        """Open a window."""
        self._monitor.begin_window(self._window)

    def close(self) -> None:
        """Close the window and add what it took.

        Raises:
            ZeusBSOMonitorError: The monitor's figures cannot be true.
        """
        total = self._count(reading_of(self._monitor.end_window(self._window)))
        self.time_s += total.time_s
        self.energy_j += total.energy_j
        self.source = total.source
