"""What a sensor offers to :class:`zeus_bso.monitor.EnergyMonitor`: counters that only rise."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from zeus_bso.common import EnergySource
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.protocol import DeviceInfo


@dataclass(frozen=True)
class Part:
    """What one counter counts.

    Attributes:
        kind: What sort of device.
        index: The device's number, as this process sees it.
        name: The physical device, unlike any other of this machine.
    """

    kind: Literal["gpu", "cpu", "dram"]
    index: int
    name: str


@dataclass(frozen=True)
class Reading:
    """Energy used since some moment in the past.

    Attributes:
        joules: By what was counted [J].
    """

    joules: Mapping[Part, float]

    @property
    def gpu(self) -> dict[int, float]:
        """Of each GPU [J]."""
        return self._of("gpu")

    @property
    def cpu(self) -> dict[int, float]:
        """Of each CPU package [J]."""
        return self._of("cpu")

    @property
    def dram(self) -> dict[int, float]:
        """Of each package's memory [J]."""
        return self._of("dram")

    def since(self, earlier: Reading) -> Reading:
        """What was used since an earlier reading; a counter that fell used nothing."""
        return Reading({part: max(0.0, joules - earlier.joules.get(part, 0.0)) for part, joules in self.joules.items()})

    def _of(self, kind: str) -> dict[int, float]:
        sums: dict[int, float] = {}
        for part, joules in self.joules.items():
            if part.kind == kind:
                sums[part.index] = sums.get(part.index, 0.0) + joules
        return sums


class Sensor(Protocol):
    """Reads the energy that a set of devices has used."""

    @property
    def source(self) -> EnergySource:
        """What the readings rest on."""

    @property
    def gpu_indices(self) -> list[int]:
        """The measured GPUs, numbered as the process sees them."""

    @property
    def notes(self) -> Sequence[str]:
        """What to know about the readings: sentences; mostly none."""

    def read(self) -> Reading:
        """The counters now."""

    def devices(self, max_power_w: float | None = None) -> DeviceInfo:
        """The measured devices.

        Args:
            max_power_w: Their summed maximum power limit, where it is given by hand [W].
        """


def call_regularly(method: Callable[[], object], interval_s: float, name: str) -> None:
    """Call a bound method from a daemon thread until its object is gone.

    The thread holds no reference to the object in between, so that whoever drops a sensor need not close it. A look
    that fails is left out: whoever reads the sensor next is told.
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
