"""The energy monitor for training scripts. It chooses the best sensor of this machine."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Sequence

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.interface import DeviceId, DeviceInfo, DeviceReading, Measurement
from zeus_bso.monitor.machine import host_id
from zeus_bso.monitor.sensors.choose import CpuSensor, choose_sensor
from zeus_bso.monitor.sensors.gpu import Gpu, GpuSensor, is_computing
from zeus_bso.monitor.sensors.sensor import Reading
from zeus_bso.protocol.words import EnergySource
from zeus_bso.units import duration, plain

logger = logging.getLogger("zeus_bso")


_MOST_UNMEASURED = 0.1
"""The largest part of a window that the earlier mean power may fill in."""


class EnergyMonitor:
    """Measures time and energy of named windows.

    The monitor reads NVIDIA or AMD GPUs if this process sees any. Otherwise it reads the CPU's energy counters (RAPL).
    If there are none, it estimates the energy from CPU time, and every display labels that as an estimate. A visible
    GPU that cannot be measured is an error, never a silent estimate. ``zeus-bso doctor`` shows the choice here.

    Args:
        gpu_indices: The visible GPUs to measure, as this process numbers them (it respects ``CUDA_VISIBLE_DEVICES``,
            ``ROCR_VISIBLE_DEVICES`` and ``HIP_VISIBLE_DEVICES``). None for all. An empty list if training runs on the
            CPU.
        cpu: How to measure the CPU if there is no GPU: ``"rapl"``, ``"estimate"``, or ``"auto"`` for the better one.
        max_power: Sum of the devices' maximum power limits [W], if the machine does not state them.

    Raises:
        ZeusBSOMonitorError: The devices cannot be measured as asked. The message says what to do.

    Examples:
        Without a GPU, by an estimate:

        >>> from zeus_bso import EnergyMonitor
        >>> monitor = EnergyMonitor(gpu_indices=[], cpu="estimate")
        >>> monitor.begin_window("sum")
        >>> total = sum(range(100_000))
        >>> measured = monitor.end_window("sum")
        >>> measured.time > 0, measured.total_energy > 0, measured.source.value
        (True, True, 'estimate')
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

    def __deepcopy__(self, memo: dict[int, object]) -> EnergyMonitor:
        """Return the same object, because a copy measures the same devices."""
        return self

    @property
    def gpu_indices(self) -> list[int]:
        """The measured GPUs, numbered as this process sees them."""
        return list(self._sensor.gpu_indices)

    @property
    def gpus(self) -> list[Gpu]:
        """The measured GPUs. Empty if the monitor measures the CPU or a Jetson."""
        return list(self._sensor.gpus.values()) if isinstance(self._sensor, GpuSensor) else []

    @property
    def source(self) -> EnergySource:
        """Source of the energy readings."""
        return self._sensor.source

    def devices(self) -> DeviceInfo:
        """The measured devices."""
        return self._sensor.devices(self._max_power_w)

    def begin_window(self, key: str, sync_execution: bool | None = None, restart: bool = False) -> None:
        """Open a window.

        Args:
            key: Name of the window.
            sync_execution: Whether to wait until the GPUs have finished PyTorch's work. Default: no.
            restart: Whether to start again if the window is open already.

        Raises:
            ZeusBSOMonitorError: The window is open already.
        """
        if key in self._windows and not restart:
            raise ZeusBSOMonitorError(f"The window {key!r} is open already.")
        if sync_execution:
            finish_computing()
        reading = self._sensor.read()
        self._windows[key] = (time.monotonic(), reading)

    def end_window(
        self, key: str, sync_execution: bool | None = None, cancel: bool = False, restart: bool = False
    ) -> Measurement:
        """Close a window and return its time and energy.

        Args:
            key: Name of the window.
            sync_execution: Whether to wait until the GPUs have finished PyTorch's work. Default: no.
            cancel: Whether to discard the measurement and return zero.
            restart: Whether to open the window again at once.

        Raises:
            ZeusBSOMonitorError: The window is not open, or too much of it could not be measured.
        """
        if key not in self._windows:
            raise ZeusBSOMonitorError(f"The window {key!r} is not open.")
        if sync_execution:
            finish_computing()
        began_s, before = self._windows.pop(key)
        now_s, now = time.monotonic(), self._sensor.read()
        if restart:
            self._windows[key] = (now_s, now)
        time_s, used = (0.0, now.since(now)) if cancel else (now_s - began_s, now.since(before))
        unmeasured_s = min(max(used.unmeasured_s.values(), default=0.0), time_s)
        if unmeasured_s > _MOST_UNMEASURED * time_s:
            missing = plain(f"{duration(unmeasured_s)} of {duration(time_s)}")
            raise ZeusBSOMonitorError(f"{used.trouble}: {missing} are not measured")
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


def finish_computing() -> None:
    """Wait until the GPUs have finished the work of this process. Uses PyTorch only if the script has imported it."""
    if is_computing():
        sys.modules["torch"].cuda.synchronize()
