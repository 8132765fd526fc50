"""A CodeCarbon tracker in our monitor's place, by its tasks.

The package is not imported here: whoever passes its tracker has loaded it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from zeus_bso.common import EnergySource
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor import choose
from zeus_bso.monitor.amd import AmdGpu, load_amdsmi
from zeus_bso.monitor.estimate import EstimateSensor
from zeus_bso.monitor.gpu import Gpu, GpuSensor
from zeus_bso.monitor.machine import host_id
from zeus_bso.monitor.nvml import all_gpus, load_nvml
from zeus_bso.monitor.protocol import DeviceId, DeviceInfo, DeviceReading, Measurement

_J_PER_KWH = 3.6e6


class TaskData(Protocol):
    """What a tracker says of a task; energies in kWh."""

    duration: float
    cpu_energy: float
    gpu_energy: float
    ram_energy: float
    tracking_mode: str


class TaskTracker(Protocol):
    """The part of CodeCarbon's trackers that is used here."""

    def start_task(self, task_name: str | None = None) -> None:
        """Begin a task."""

    def stop_task(self, task_name: str | None = None) -> TaskData | None:
        """End a task."""


class CodeCarbonAdapter:
    """Measures with a CodeCarbon tracker, one window at a time.

    GPUs are read by their counters where they have them, else by their power. Without GPUs everything is called an
    estimate, because a part of it, the memory's power, always is.

    Args:
        tracker: An ``EmissionsTracker`` or ``OfflineEmissionsTracker``.
        max_power_w: Summed maximum power limit of the devices, where it is given by hand [W].

    Raises:
        ZeusBSOMonitorError: Its GPUs cannot be found out.
    """

    def __init__(self, tracker: TaskTracker, max_power_w: float | None = None) -> None:
        self._tracker = tracker
        self._host = host_id()
        self._max_power_w = max_power_w
        self._count = 0
        self._window: str | None = None
        self._gpus = _sensor_of(_hardware(tracker))
        self.gpu_indices = self._gpus.gpu_indices if self._gpus else []

    def begin_window(self, name: str, /) -> None:
        """Open a window.

        Raises:
            ZeusBSOMonitorError: One is open: CodeCarbon measures one task at a time.
        """
        if self._window is not None:
            raise ZeusBSOMonitorError(f"CodeCarbon measures one window at a time; {self._window!r} is open.")
        self._window = name
        self._count += 1
        self._tracker.start_task(self._task(name))

    def end_window(self, name: str, /) -> Measurement:
        """Close the window and tell what it took.

        Raises:
            ZeusBSOMonitorError: It is not open, or CodeCarbon measured nothing.
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
            ZeusBSOMonitorError: The GPUs are of several models, or state no limit.
        """
        if self._gpus is not None:
            return self._gpus.devices(self._max_power_w)
        return EstimateSensor().devices(self._max_power_w)

    def _task(self, name: str) -> str:
        """A name of its own for every task: CodeCarbon confuses tasks of one name."""
        return f"{name} {self._count}"

    def _reading(self, name: str, energy_j: float, source: EnergySource) -> DeviceReading:
        """CodeCarbon tells sums only, so the devices of a sum are one device here."""
        return DeviceReading(DeviceId(self._host, name, self._gpus is not None), energy_j, source)


def _hardware(tracker: TaskTracker) -> Mapping[str, object]:
    detect = getattr(tracker, "get_detected_hardware", None)
    if detect is None:
        raise ZeusBSOMonitorError("This version of CodeCarbon does not tell its hardware; pip install -U codecarbon.")
    return cast("Mapping[str, object]", detect())


def _sensor_of(hardware: Mapping[str, object]) -> GpuSensor | None:
    """The GPUs that CodeCarbon reads: those of its ``gpu_ids``, else all of the machine's, whatever is visible."""
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


def _index(gpu_id: str, gpus: Sequence[Gpu]) -> int:
    if gpu_id.isdecimal():
        return int(gpu_id)
    matches = [index for index, gpu in enumerate(gpus) if gpu.uuid.startswith(gpu_id.removeprefix("MIG-"))]
    return matches[0] if matches else len(gpus)
