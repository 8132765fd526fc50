"""Adapts a CodeCarbon tracker to our monitor's interface, with one task per window.

This module does not import the package. A script that passes a tracker has imported it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.interface import DeviceId, DeviceInfo, DeviceReading, Measurement
from zeus_bso.monitor.machine import host_id
from zeus_bso.monitor.sensors import choose
from zeus_bso.monitor.sensors.amd import AmdGpu, load_amdsmi
from zeus_bso.monitor.sensors.checked import UNSTATED_LIMIT_W, check_window
from zeus_bso.monitor.sensors.estimate import EstimateSensor
from zeus_bso.monitor.sensors.gpu import Gpu, GpuSensor
from zeus_bso.monitor.sensors.nvml import all_gpus, load_nvml
from zeus_bso.protocol.words import EnergySource

_J_PER_KWH = 3.6e6


class TaskData(Protocol):
    """A tracker's measurement of a task. Energies are in kWh."""

    duration: float
    cpu_energy: float
    gpu_energy: float
    ram_energy: float
    tracking_mode: str


class TaskTracker(Protocol):
    """The part of CodeCarbon's trackers that is used here."""

    def start_task(self, task_name: str | None = None) -> None:
        """Start a task."""

    def stop_task(self, task_name: str | None = None) -> TaskData | None:
        """End a task."""


class CodeCarbonAdapter:
    """Measures with a CodeCarbon tracker, one window at a time.

    CodeCarbon reads the energy counters of GPUs, or their power if they have no counter. Without GPUs, all energy
    counts as an estimate, because the power of the memory always is one.

    Args:
        tracker: An ``EmissionsTracker`` or ``OfflineEmissionsTracker``.
        max_power_w: Sum of the devices' maximum power limits [W]. None for the limits that they state.

    Raises:
        ZeusBSOMonitorError: The GPUs cannot be identified.
    """

    def __init__(self, tracker: TaskTracker, max_power_w: float | None = None) -> None:
        self._tracker = tracker
        self._host = host_id()
        self._max_power_w = max_power_w
        self._count = 0
        self._window: str | None = None
        self._gpus = _sensor_of(_hardware(tracker))
        self.gpu_indices = self._gpus.gpu_indices if self._gpus else []
        self._limit_w = _limit_w(self._gpus)

    def begin_window(self, name: str, /) -> None:
        """Open a window.

        Raises:
            ZeusBSOMonitorError: A window is open. CodeCarbon measures one task at a time.
        """
        if self._window is not None:
            raise ZeusBSOMonitorError(f"CodeCarbon measures one window at a time; {self._window!r} is open.")
        self._window = name
        self._count += 1
        self._tracker.start_task(self._task(name))

    def end_window(self, name: str, /) -> Measurement:
        """Close the window and return its time and energy.

        Raises:
            ZeusBSOMonitorError: The window is not open, or CodeCarbon measured nothing or an impossible value.
        """
        if self._window != name:
            raise ZeusBSOMonitorError(f"The window {name!r} is not open.")
        self._window = None
        data = self._tracker.stop_task(self._task(name))
        if data is None:
            raise ZeusBSOMonitorError(
                "CodeCarbon measured no task: another of its tasks was running, or another process holds its lock "
                "(allow_multiple_runs=True)."
            )
        if self._gpus is not None:
            used_j, source = data.gpu_energy * _J_PER_KWH, self._gpus.source
            check_window("The GPUs", used_j, data.duration, self._limit_w)
            reading = self._reading(f"gpus {', '.join(sorted(part.name for part in self._gpus.gpus))}", used_j, source)
            return Measurement(data.duration, gpu_energy={0: used_j}, source=source, readings=(reading,))
        cpu_j, dram_j = data.cpu_energy * _J_PER_KWH, data.ram_energy * _J_PER_KWH
        of_all = data.tracking_mode == "machine"
        reading = self._reading(
            "machine" if of_all else f"process {os.getpid()}", cpu_j + dram_j, EnergySource.ESTIMATE
        )
        return Measurement(
            time=data.duration,
            cpu_energy={0: cpu_j},
            dram_energy={0: dram_j},
            source=EnergySource.ESTIMATE,
            readings=(reading,),
        )

    def devices(self) -> DeviceInfo:
        """The measured devices.

        Raises:
            ZeusBSOMonitorError: The GPUs are of several models, or do not state their limits.
        """
        if self._gpus is not None:
            return self._gpus.devices(self._max_power_w)
        return EstimateSensor().devices(self._max_power_w)

    def _task(self, name: str) -> str:
        """A unique name for every task, because CodeCarbon confuses tasks with the same name."""
        return f"{name} {self._count}"

    def _reading(self, name: str, energy_j: float, source: EnergySource) -> DeviceReading:
        """A reading. CodeCarbon reports sums only, so all devices of a sum count as one device."""
        return DeviceReading(DeviceId(self._host, name, self._gpus is not None), energy_j, source)


def _hardware(tracker: TaskTracker) -> Mapping[str, object]:
    detect = getattr(tracker, "get_detected_hardware", None)
    if detect is None:
        raise ZeusBSOMonitorError("This version of CodeCarbon does not report its hardware: pip install -U codecarbon.")
    return cast("Mapping[str, object]", detect())


def _sensor_of(hardware: Mapping[str, object]) -> GpuSensor | None:
    """The GPUs that CodeCarbon reads: its ``gpu_ids``, or else all GPUs of the machine, even if they are hidden."""
    if not hardware.get("gpu_count"):
        return None
    gpus: Sequence[Gpu]
    if choose.visible_make() == "amd":
        smi = load_amdsmi()
        gpus = [AmdGpu(smi, handle) for handle in smi.amdsmi_get_processor_handles()]
    else:
        gpus = all_gpus(load_nvml())
    ids = hardware.get("gpu_ids")
    indices = None if not isinstance(ids, list) else [_index(str(gpu_id), gpus) for gpu_id in ids]
    return GpuSensor(gpus, indices, "CodeCarbon's gpu_ids")


def _limit_w(sensor: GpuSensor | None) -> float | None:
    """The sum of the GPUs' power limits [W], or an upper bound if they do not state them. None without GPUs."""
    try:
        return None if sensor is None else sum(gpu.max_power_w() for gpu in sensor.gpus.values())
    except ZeusBSOMonitorError:
        return UNSTATED_LIMIT_W * len(sensor.gpus) if sensor is not None else None


def _index(gpu_id: str, gpus: Sequence[Gpu]) -> int:
    if gpu_id.isdecimal():
        return int(gpu_id)
    matches = [index for index, gpu in enumerate(gpus) if gpu.uuid.startswith(gpu_id.removeprefix("MIG-"))]
    return matches[0] if matches else len(gpus)
