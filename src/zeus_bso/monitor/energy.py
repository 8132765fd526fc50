"""The monitor that a training script uses: it finds the best sensor of this machine."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence

from zeus_bso.common import EnergySource
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.choose import CpuSensor, choose_sensor
from zeus_bso.monitor.machine import host_id
from zeus_bso.monitor.protocol import DeviceId, DeviceInfo, DeviceReading, Measurement
from zeus_bso.monitor.sensor import Reading

logger = logging.getLogger("zeus_bso")


class EnergyMonitor:
    """Measures time and energy of named windows.

    It reads NVIDIA or AMD GPUs if this process sees any, else the CPU's energy counters (RAPL), else it estimates from
    CPU time, which is labelled as an estimate wherever it is shown. A GPU that is visible and cannot be measured is an
    error, never a silent estimate. ``zeus-bso doctor`` shows what it would do here.

    Args:
        gpu_indices: Which of the visible GPUs, numbered as this process sees them (``CUDA_VISIBLE_DEVICES``,
            ``ROCR_VISIBLE_DEVICES`` and ``HIP_VISIBLE_DEVICES`` are respected); None: all of them; an empty list:
            training runs on the CPU.
        cpu: How to measure the CPU where no GPU is: ``"rapl"``, ``"estimate"``, or the better of the two.
        max_power: Summed maximum power limit of the devices [W], where the machine does not state it.

    Raises:
        ZeusBSOMonitorError: The devices cannot be measured as asked; the message says what to do.
    """

    def __init__(
        self, gpu_indices: Sequence[int] | None = None, *, cpu: CpuSensor = "auto", max_power: float | None = None
    ) -> None:
        if max_power is not None and not (math.isfinite(max_power) and max_power > 0):
            raise ZeusBSOMonitorError(f"max_power must be a positive number of watts, not {max_power}.")
        self._sensor = choose_sensor(gpu_indices, cpu)
        for note in self._sensor.notes:
            logger.warning("%s", note)
        self._host = host_id()
        self._max_power_w = max_power
        self._windows: dict[str, tuple[float, Reading]] = {}

    @property
    def gpu_indices(self) -> list[int]:
        """The measured GPUs, numbered as this process sees them."""
        return list(self._sensor.gpu_indices)

    @property
    def source(self) -> EnergySource:
        """What the energies rest on."""
        return self._sensor.source

    def devices(self) -> DeviceInfo:
        """The measured devices."""
        return self._sensor.devices(self._max_power_w)

    def begin_window(self, name: str, /) -> None:
        """Open a window.

        Raises:
            ZeusBSOMonitorError: It is open already.
        """
        if name in self._windows:
            raise ZeusBSOMonitorError(f"The window {name!r} is open already.")
        reading = self._sensor.read()
        self._windows[name] = (time.monotonic(), reading)

    def end_window(self, name: str, /) -> Measurement:
        """Close a window and tell what it took.

        Raises:
            ZeusBSOMonitorError: It is not open.
        """
        if name not in self._windows:
            raise ZeusBSOMonitorError(f"The window {name!r} is not open.")
        began_s, before = self._windows.pop(name)
        time_s = time.monotonic() - began_s
        used = self._sensor.read().since(before)
        source = self._sensor.source
        return Measurement(
            time=time_s,
            gpu_energy=used.gpu or None,
            cpu_energy=used.cpu or None,
            dram_energy=used.dram or None,
            source=source,
            readings=tuple(
                DeviceReading(DeviceId(self._host, part.name, part.kind == "gpu"), energy_j, source)
                for part, energy_j in used.joules.items()
            ),
        )
