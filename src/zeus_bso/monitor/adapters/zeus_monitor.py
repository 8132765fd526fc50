"""Adapts ``ZeusMonitor`` of the ``zeus`` package to our monitor's interface.

This module does not import the package. A script that passes a monitor has imported it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.interface import Device, DeviceId, DeviceInfo, DeviceReading, Measurement
from zeus_bso.monitor.machine import host_id
from zeus_bso.monitor.sensors import choose
from zeus_bso.monitor.sensors.checked import check_window
from zeus_bso.monitor.sensors.estimate import EstimateSensor
from zeus_bso.monitor.sensors.gpu import GpuSensor
from zeus_bso.monitor.sensors.rapl import RaplSensor
from zeus_bso.protocol.words import EnergySource


class ZeusMeasurement(Protocol):
    """The measurement of a window by ``ZeusMonitor``. Energies are by device index [J]."""

    time: float
    gpu_energy: Mapping[int, float]
    cpu_energy: Mapping[int, float] | None
    dram_energy: Mapping[int, float] | None

    @property
    def total_energy(self) -> float:
        """The sum of its energies [J]."""


class ZeusMonitor(Protocol):
    """The part of ``zeus.monitor.ZeusMonitor`` that is used here."""

    gpu_indices: Sequence[int]

    def begin_window(self, key: str) -> None:
        """Open a window."""

    def end_window(self, key: str) -> ZeusMeasurement:
        """Close a window."""


class ZeusGpus(Protocol):
    """The part of ``zeus.device.get_gpus()`` that is used here, with the names that all its versions have."""

    def getName(self, gpu_index: int) -> str: ...  # noqa: D102, N802
    def getPowerManagementLimitConstraints(self, gpu_index: int) -> tuple[int, int]: ...  # noqa: D102, N802
    def supportsGetTotalEnergyConsumption(self, gpu_index: int) -> bool: ...  # noqa: D102, N802


class ZeusMonitorAdapter:
    """Measures with a ``ZeusMonitor``, and states the source of the readings.

    ``ZeusMonitor`` reads the energy counters of GPUs, or their power if they have no counter. It reads CPUs with RAPL.

    Args:
        monitor: The monitor.
        max_power_w: Sum of the devices' maximum power limits [W]. None for the limits that they state.

    Raises:
        ZeusBSOMonitorError: The monitor measures nothing on this machine.
    """

    def __init__(self, monitor: ZeusMonitor, max_power_w: float | None = None) -> None:
        self._monitor = monitor
        self._host = host_id()
        self._max_power_w = max_power_w
        self.gpu_indices = list(monitor.gpu_indices)
        if not self.gpu_indices and not getattr(monitor, "cpu_indices", None) and not _has_soc(monitor):
            raise ZeusBSOMonitorError(
                "This ZeusMonitor measures nothing: it found no GPU and no CPU counter it may read; zeus_bso's "
                "EnergyMonitor estimates where there is no sensor, and `zeus-bso doctor` shows how to open closed ones."
            )
        self._names = _physical_names(self.gpu_indices)
        self._gpu_source = self._find_gpu_source()
        self._limits_w = {index: _limit_w(index) for index in self.gpu_indices}

    def begin_window(self, name: str, /) -> None:
        """Open a window."""
        self._monitor.begin_window(name)

    def end_window(self, name: str, /) -> Measurement:
        """Close a window and return its time and energy.

        Raises:
            ZeusBSOMonitorError: The measurement is impossible.
        """
        measured = self._monitor.end_window(name)
        for index, energy_j in measured.gpu_energy.items():
            check_window(f"GPU {self._names[index]}", energy_j, measured.time, self._limits_w.get(index))
        for index, energy_j in (measured.cpu_energy or {}).items():
            check_window(f"CPU package {index}", energy_j, measured.time, None)
        readings = [
            self._reading(self._names[index], energy_j, self._gpu_source, is_gpu=True)
            for index, energy_j in measured.gpu_energy.items()
        ]
        for kind, energies in (("package", measured.cpu_energy), ("dram", measured.dram_energy)):
            readings += [
                self._reading(f"{kind} {index}", energy_j, EnergySource.RAPL, is_gpu=False)
                for index, energy_j in (energies or {}).items()
            ]
        if not readings:
            readings = [self._reading("system on a chip", measured.total_energy, None, is_gpu=False)]
            return Measurement(measured.time, cpu_energy={0: measured.total_energy}, readings=tuple(readings))
        return Measurement(
            time=measured.time,
            gpu_energy=measured.gpu_energy or None,
            cpu_energy=measured.cpu_energy,
            dram_energy=measured.dram_energy,
            source=self._gpu_source if measured.gpu_energy else EnergySource.RAPL,
            readings=tuple(readings),
        )

    def devices(self) -> DeviceInfo:
        """The measured devices.

        Raises:
            ZeusBSOMonitorError: The GPUs are of several models.
        """
        if not self.gpu_indices:
            return _cpu().limited_to(self._max_power_w)
        gpus = _gpus()
        models = {gpus.getName(index) for index in self.gpu_indices}
        if len(models) != 1:
            raise ZeusBSOMonitorError(
                f"The GPUs are of several models ({', '.join(sorted(models))}), whose costs cannot be compared; "
                "choose GPUs of one model with ZeusMonitor(gpu_indices=...) or CUDA_VISIBLE_DEVICES."
            )
        model = models.pop()
        each = tuple(
            Device(
                DeviceId(self._host, self._names[index], is_gpu=True),
                model,
                self._limits_w[index],
            )
            for index in self.gpu_indices
        )
        info = DeviceInfo(sum(device.max_power_w for device in each), len(each), model, each)
        return info.limited_to(self._max_power_w)

    def _find_gpu_source(self) -> EnergySource | None:
        if not self.gpu_indices:
            return None
        gpus = _gpus()
        counted = all(gpus.supportsGetTotalEnergyConsumption(index) for index in self.gpu_indices)
        return EnergySource.COUNTER if counted else EnergySource.POWER

    def _reading(self, name: str, energy_j: float, source: EnergySource | None, *, is_gpu: bool) -> DeviceReading:
        return DeviceReading(DeviceId(self._host, name, is_gpu), energy_j, source)


def _gpus() -> ZeusGpus:
    return cast("ZeusGpus", sys.modules["zeus.device"].get_gpus())


def _limit_w(index: int) -> float:
    """The largest power limit of a GPU [W]."""
    return _gpus().getPowerManagementLimitConstraints(index)[1] / 1e3


def _has_soc(monitor: ZeusMonitor) -> bool:
    return bool(getattr(monitor, "soc_is_present", False))


def _cpu() -> DeviceInfo:
    try:
        return RaplSensor(choose.PLACES.powercap).devices()
    except ZeusBSOMonitorError:
        return EstimateSensor().devices()


def _physical_names(indices: Sequence[int]) -> dict[int, str]:
    """The UUIDs of the GPUs, so that several ranks count a GPU once. Numbers if the maker's library gives no UUIDs."""
    entries = [entry.strip() for entry in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if entry.strip()]
    names = {index: f"gpu {entries[index] if index < len(entries) else index}" for index in indices}
    make = choose.visible_make()
    if make is None or not indices:
        return names
    try:
        sensor = choose.gpu_sensor(make, indices)
    except ZeusBSOMonitorError:
        return names
    if isinstance(sensor, GpuSensor):
        names |= {part.index: part.name for part in sensor.gpus}
    return names
