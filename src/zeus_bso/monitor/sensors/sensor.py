"""The interface of a sensor for :class:`zeus_bso.monitor.EnergyMonitor`. Its counters only rise."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.interface import DeviceInfo
from zeus_bso.monitor.sensors.checked import CheckedEnergy
from zeus_bso.protocol.words import EnergySource


@dataclass(frozen=True)
class Part:
    """A device that one counter counts.

    Attributes:
        kind: Kind of device.
        index: Number of the device in this process.
        name: Name of the physical device, unique on this machine.
    """

    kind: Literal["gpu", "cpu", "dram"]
    index: int
    name: str


@dataclass(frozen=True)
class Reading:
    """Energy used since some time in the past.

    Attributes:
        joules: Energy by device [J].
        unmeasured_s: Time without any measurement, by device [s].
        trouble: The last problem. None if there has been none.
    """

    joules: Mapping[Part, float]
    unmeasured_s: Mapping[Part, float] = field(default_factory=dict)
    trouble: str | None = None

    @property
    def gpu(self) -> dict[int, float]:
        """Energy of each GPU [J]."""
        return self._of("gpu")

    @property
    def cpu(self) -> dict[int, float]:
        """Energy of each CPU package [J]."""
        return self._of("cpu")

    @property
    def dram(self) -> dict[int, float]:
        """Energy of each package's memory [J]."""
        return self._of("dram")

    def since(self, earlier: Reading) -> Reading:
        """The energy since an earlier reading. A counter that has fallen adds nothing."""
        return Reading(_rise(self.joules, earlier.joules), _rise(self.unmeasured_s, earlier.unmeasured_s), self.trouble)

    def _of(self, kind: str) -> dict[int, float]:
        sums: dict[int, float] = {}
        for part, joules in self.joules.items():
            if part.kind == kind:
                sums[part.index] = sums.get(part.index, 0.0) + joules
        return sums


def _rise(now: Mapping[Part, float], earlier: Mapping[Part, float]) -> dict[Part, float]:
    return {part: max(0.0, value - earlier.get(part, 0.0)) for part, value in now.items()}


def look_at(devices: Mapping[Part, CheckedEnergy]) -> Reading:
    """Read the devices, and return their energy so far."""
    for energy in devices.values():
        energy.update()
    return Reading(
        {part: energy.joules for part, energy in devices.items()},
        {part: energy.unmeasured_s for part, energy in devices.items()},
        next((energy.trouble for energy in devices.values() if energy.trouble is not None), None),
    )


class Sensor(Protocol):
    """Reads the energy that a set of devices has used."""

    @property
    def source(self) -> EnergySource:
        """Source of the readings."""

    @property
    def gpu_indices(self) -> list[int]:
        """The measured GPUs, numbered as the process sees them."""

    @property
    def notes(self) -> Sequence[str]:
        """Remarks about the readings, as sentences. Mostly empty."""

    def read(self) -> Reading:
        """The counters now."""

    def devices(self, max_power_w: float | None = None) -> DeviceInfo:
        """The measured devices.

        Args:
            max_power_w: Sum of their maximum power limits [W]. None for the limits that they state.
        """


def call_regularly(method: Callable[[], object], interval_s: float, name: str) -> None:
    """Call a bound method from a daemon thread until its object is gone.

    The thread holds no reference to the object between two calls, so a sensor need not be closed. Errors are ignored
    here, because the next reading of the sensor raises them again.
    """
    reference = weakref.WeakMethod(method)
    pause = threading.Event()

    def loop() -> None:
        while not pause.wait(interval_s):
            bound = reference()
            if bound is None:
                return
            with suppress(OSError, ZeusBSOMonitorError):
                bound()
            del bound

    threading.Thread(target=loop, name=name, daemon=True).start()
