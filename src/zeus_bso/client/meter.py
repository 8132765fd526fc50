"""The time and energy that a run has used so far."""

from __future__ import annotations

import time
from typing import SupportsFloat, cast

from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.exceptions import ZeusBSODistributedError, ZeusBSOMonitorError
from zeus_bso.monitor.adapters.adapt import adapt
from zeus_bso.monitor.adapters.codecarbon import TaskTracker
from zeus_bso.monitor.counting import count_once, reading_of
from zeus_bso.monitor.interface import Monitor
from zeus_bso.power.ledger import NO_DIFFERENCE, Difference
from zeus_bso.protocol.messages import RunTotals
from zeus_bso.protocol.words import EnergySource
from zeus_bso.units import percent, plain

MOST_MISSING = 0.25
"""The largest part of a run's time without a measurement. Beyond it, the run says nothing about its batch size.

The run's mean power fills the gap. The mean power of one window differs from it by about a fifth. If at most a quarter
of the time is filled in, the total is wrong by about a twentieth.
"""


class Meter:
    """Adds up the windows of training and evaluation. Set-up and the calls to the server lie outside the windows.

    If a window could not be measured, the run's mean power stands in for its energy.

    Args:
        monitor: The monitor, which measures the windows.
        window: Name of the windows. No other user of the monitor may use it.

    Attributes:
        time_s: Training time so far [s], as it would be at the chosen power limit throughout.
        missing_s: The part of that time without an energy measurement [s].
        energy_j: Energy used so far [J], likewise.
        profiling: What measuring other power limits has cost beyond them. They are not in the totals.
        window: The time and energy of the latest window. None if it could not be measured.
    """

    def __init__(self, monitor: Monitor | TaskTracker, window: str) -> None:
        self._monitor = adapt(monitor)
        self._window = window
        self._failures = 0
        self._trouble: str | None = None
        self._opened_s = 0.0
        self._source: EnergySource | None = None
        self._measured_s = self._measured_j = self._unfilled_s = 0.0
        self._floor = self._set_aside = self.profiling = NO_DIFFERENCE
        self.window: Difference | None = None
        self.time_s = self.missing_s = 0.0
        self.energy_j = 0.0

    @property
    def source(self) -> EnergySource | None:
        """Source of the energy readings. None if the monitor does not state it."""
        too_much = self.missing_s > MOST_MISSING * (self._measured_s + self.missing_s)
        return EnergySource.PARTIAL if too_much else self._source

    def start_from(self, start: RunTotals, missing_s: float = 0.0, profiling: Difference = NO_DIFFERENCE) -> None:
        """Start from the totals of a run that was interrupted.

        Args:
            start: The totals.
            missing_s: The part of that time without an energy measurement [s].
            profiling: What measuring power limits had cost beyond them.
        """
        self.time_s, self.energy_j = start.time, start.energy
        self.profiling = profiling
        self.missing_s = min(missing_s, start.time)
        self._measured_s = start.time - self.missing_s
        # The mean power has filled the gaps, unless there was no mean power yet.
        self._measured_j = start.energy * self._measured_s / start.time if start.time > 0 else 0.0
        self._unfilled_s = self.missing_s if self._measured_s == 0 else 0.0

    def open(self, guard: TrainingGuard) -> None:
        """Open a window. :meth:`close` reports an error of this."""
        self._opened_s = time.monotonic()
        self._trouble = None
        try:
            self._monitor.begin_window(self._name)
        except Exception as error:  # noqa: BLE001 - a foreign monitor may raise anything
            self._trouble = _sentence(error)

    def close(self, guard: TrainingGuard) -> None:
        """Close the window and add its time and energy. If it could not be measured, fill it in and log that.

        Raises:
            ZeusBSODistributedError: The monitor measures several processes, and they have lost each other.
        """
        passed_s = time.monotonic() - self._opened_s
        self._floor = Difference(self.time_s, self.energy_j)
        self.window = None
        try:
            total = count_once([reading_of(self._monitor.end_window(self._name))])
        except ZeusBSODistributedError:
            raise
        except Exception as error:  # noqa: BLE001 - a foreign monitor may raise anything
            self._miss(passed_s, self._trouble or _sentence(error), guard)
            return
        self.window = Difference(total.time_s, total.energy_j)
        self.time_s += total.time_s
        self.energy_j += total.energy_j
        self._measured_s += total.time_s
        self._measured_j += total.energy_j
        self._source = total.source
        self._fill()

    def set_aside(self, profiling: Difference) -> None:
        """Take what measuring power limits has cost since the start out of the totals. The totals never fall.

        Args:
            profiling: All of it.
        """
        time_s = max(self.time_s - profiling.time_s + self._set_aside.time_s, self._floor.time_s)
        energy_j = max(self.energy_j - profiling.energy_j + self._set_aside.energy_j, self._floor.energy_j)
        taken = Difference(self.time_s - time_s, self.energy_j - energy_j)
        self.time_s, self.energy_j = time_s, energy_j
        self._set_aside, self.profiling = self._set_aside.plus(taken), self.profiling.plus(taken)

    @property
    def _name(self) -> str:
        """The name of the window. It changes after each failure, because a window that failed may still be open."""
        return self._window if not self._failures else f"{self._window}-{self._failures}"

    def _miss(self, passed_s: float, why: str, guard: TrainingGuard) -> None:
        self._failures += 1
        self.time_s += passed_s
        self.missing_s += passed_s
        self._unfilled_s += passed_s
        self._fill()
        if self._failures == 1:
            guard.log_once(f"Energy could not be measured ({why}). The run's mean power fills such gaps.")
        if self.source is EnergySource.PARTIAL:
            guard.log_once(
                f"The energy of more than {plain(percent(MOST_MISSING))} of this run could not be measured so far. "
                "If that stays so, nothing is learnt from it."
            )

    def _fill(self) -> None:
        """Fill in the missing energy once a mean power is known."""
        if self._measured_s > 0:
            self.energy_j += self._unfilled_s * self._measured_j / self._measured_s
            self._unfilled_s = 0.0


def _sentence(error: Exception) -> str:
    if isinstance(error, ZeusBSOMonitorError):
        return str(error).rstrip(".")
    return f"{type(error).__name__}: {error}"


def number(metric: SupportsFloat, guard: TrainingGuard) -> float | None:
    """Read a metric as a number. Returns None if it is not a number, and logs that once.

    Args:
        metric: A number, or an array or tensor with one element, of any shape and on any device.
        guard: Logs the error.
    """
    try:
        return float(_element(metric))
    # PyTorch raises a RuntimeError if a device has failed. Array libraries raise various errors.
    except (TypeError, ValueError, ArithmeticError, RuntimeError, AttributeError) as error:
        guard.log_once(f"The metric is not a number ({error}): this evaluation is not reported.")
        return None


def _element(metric: SupportsFloat) -> SupportsFloat:
    """The only element of an array or tensor. Anything else is returned unchanged."""
    # A TensorFlow tensor has no item().
    to_numpy = getattr(metric, "numpy", None) if not hasattr(metric, "item") else None
    array: object = to_numpy() if callable(to_numpy) else metric
    item = getattr(array, "item", None)
    return cast("SupportsFloat", item() if callable(item) else array)
