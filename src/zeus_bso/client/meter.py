"""What a run has used so far."""

from __future__ import annotations

import math

from zeus_bso.common import MAX_TOTAL, EnergySource
from zeus_bso.exceptions import ZeusBSOMonitorError
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

    def __init__(self, monitor: Monitor, window: str) -> None:
        self._monitor = monitor
        self._window = window
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
        measured = self._monitor.end_window(self._window)
        time_s, energy_j = float(measured.time), float(measured.total_energy)
        for figure in (time_s, energy_j):
            if not (math.isfinite(figure) and 0 <= figure <= MAX_TOTAL):
                raise ZeusBSOMonitorError(f"The monitor measured {time_s} s and {energy_j} J, which cannot be.")
        self.time_s += time_s
        self.energy_j += energy_j
        source = getattr(measured, "source", None)
        self.source = source if isinstance(source, EnergySource) else None
