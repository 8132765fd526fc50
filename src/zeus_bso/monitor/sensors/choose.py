"""Chooses the best sensor of this machine. It never falls back to a worse sensor silently."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.sensors import amd, jetson, nvml
from zeus_bso.monitor.sensors.estimate import EstimateSensor
from zeus_bso.monitor.sensors.gpu import Gpu
from zeus_bso.monitor.sensors.rapl import POWERCAP, RaplSensor, has_counters
from zeus_bso.monitor.sensors.sensor import Sensor

logger = logging.getLogger("zeus_bso")

CpuSensor = Literal["auto", "rapl", "estimate"]
GpuMake = Literal["jetson", "nvidia", "amd"]


@dataclass(frozen=True)
class Places:
    """Paths where the kernel shows its devices.

    Attributes:
        dev: The device files.
        powercap: The CPU's energy counters.
        kfd_nodes: AMD GPUs.
        ina3221: The power monitors of a Jetson.
        device_tree: The model of the board.
        wsl_driver: The NVIDIA driver of the Windows Subsystem for Linux.
    """

    dev: Path = nvml.DEV
    powercap: Path = POWERCAP
    kfd_nodes: Path = amd.KFD_NODES
    ina3221: Path = jetson.INA3221
    device_tree: Path = jetson.DEVICE_TREE
    wsl_driver: Path = nvml.WSL_DRIVER


PLACES = Places()


def choose_sensor(gpu_indices: Sequence[int] | None, cpu: CpuSensor) -> Sensor:
    """Choose the sensor.

    Args:
        gpu_indices: The visible GPUs to measure. None for all, if there are any. Empty for none.
        cpu: How to measure the CPU if there is no GPU.

    Raises:
        ZeusBSOMonitorError: The devices cannot be measured this way. The message says what to do.
    """
    make = visible_make() or ("nvidia" if gpu_indices else None)
    if make is not None and (gpu_indices is None or gpu_indices):
        gpus = gpu_sensor(make, gpu_indices)
        if gpus.gpu_indices:
            return gpus
    if cpu == "rapl":
        return RaplSensor(PLACES.powercap)
    if cpu == "auto" and has_counters(PLACES.powercap):
        try:
            return RaplSensor(PLACES.powercap)
        except ZeusBSOMonitorError as error:
            logger.warning("%s (until then, energy is estimated from CPU time)", error)
    return EstimateSensor()


def visible_make() -> GpuMake | None:
    """The make of the visible GPUs, found without their libraries. None if there are none."""
    if jetson.is_jetson(PLACES.device_tree):
        return "jetson"
    if nvml.gpu_is_visible(PLACES.dev, PLACES.wsl_driver):
        return "nvidia"
    if amd.gpu_is_visible(PLACES.dev, PLACES.kfd_nodes):
        return "amd"
    return None


def gpu_sensor(make: GpuMake, gpu_indices: Sequence[int] | None = None) -> Sensor:
    """The sensor for GPUs of a make.

    Raises:
        ZeusBSOMonitorError: The GPUs cannot be measured. The message says what to do.
    """
    if make == "jetson":
        return jetson.JetsonSensor(gpu_indices, module=jetson.JetsonModule(PLACES.ina3221, PLACES.device_tree))
    if make == "amd":
        return amd.AmdSensor(gpu_indices)
    return nvml.NvmlSensor(gpu_indices)


def gpus_of_machine() -> list[Gpu]:
    """All GPUs of this machine, those that are hidden from this process included.

    Raises:
        ZeusBSOMonitorError: The GPUs cannot be read. The message says what to do.
    """
    if (PLACES.dev / "kfd").exists():
        return list(amd.all_gpus(amd.load_amdsmi()))
    return list(nvml.all_gpus(nvml.load_nvml()))
