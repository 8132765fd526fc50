"""What a sensor offers to :class:`zeus_bso.monitor.EnergyMonitor`: counters that only rise."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from zeus_bso.common import EnergySource
from zeus_bso.monitor.protocol import DeviceInfo


@dataclass(frozen=True)
class Reading:
    """Energy used since some moment in the past, by device index [J]."""

    gpu: Mapping[int, float] = field(default_factory=dict)
    cpu: Mapping[int, float] = field(default_factory=dict)
    dram: Mapping[int, float] = field(default_factory=dict)


class Sensor(Protocol):
    """Reads the energy that a set of devices has used."""

    @property
    def source(self) -> EnergySource:
        """What the readings rest on."""

    @property
    def gpu_indices(self) -> list[int]:
        """The measured GPUs, numbered as the process sees them."""

    def read(self) -> Reading:
        """The counters now."""

    def devices(self, max_power_w: float | None = None) -> DeviceInfo:
        """The measured devices.

        Args:
            max_power_w: Their summed maximum power limit, where it is given by hand [W].
        """


def call_regularly(method: Callable[[], object], interval_s: float, name: str) -> None:
    """Call a bound method from a daemon thread until its object is gone.

    The thread holds no reference to the object in between, so that whoever drops a sensor need not close it.
    """
    reference = weakref.WeakMethod(method)
    pause = threading.Event()

    def loop() -> None:
        while not pause.wait(interval_s):
            bound = reference()
            if bound is None:
                return
            bound()
            del bound

    threading.Thread(target=loop, name=name, daemon=True).start()
