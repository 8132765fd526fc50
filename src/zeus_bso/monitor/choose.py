"""Which sensor measures this machine: the best there is, and never silently a worse one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor import amd, jetson, nvml
from zeus_bso.monitor.estimate import EstimateSensor
from zeus_bso.monitor.rapl import POWERCAP, RaplSensor, has_counters
from zeus_bso.monitor.sensor import Sensor

logger = logging.getLogger("zeus_bso")

CpuSensor = Literal["auto", "rapl", "estimate"]
GpuMake = Literal["jetson", "nvidia", "amd"]


@dataclass(frozen=True)
class Places:
    """Where the kernel shows its devices.

    Attributes:
        dev: The device files.
        powercap: The CPU's energy counters.
        kfd_nodes: AMD GPUs.
        ina3221: A Jetson's power monitors.
        device_tree: What board this is.
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
    """The sensor for what is asked.

    Args:
        gpu_indices: Which of the visible GPUs; None: all, if there are any; empty: none.
        cpu: How to measure the CPU where no GPU is.

    Raises:
        ZeusBSOMonitorError: It cannot be measured so; the message says what to do.
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
    """The make of the GPUs that this process sees, judged without their libraries; None: there are none."""
    if jetson.is_jetson(PLACES.device_tree):
        return "jetson"
    if nvml.gpu_is_visible(PLACES.dev, PLACES.wsl_driver):
        return "nvidia"
    if amd.gpu_is_visible(PLACES.dev, PLACES.kfd_nodes):
        return "amd"
    return None


def gpu_sensor(make: GpuMake, gpu_indices: Sequence[int] | None = None) -> Sensor:
    """The sensor of GPUs of a make.

    Raises:
        ZeusBSOMonitorError: They cannot be measured; the message says what to do.
    """
    if make == "jetson":
        return jetson.JetsonSensor(gpu_indices, module=jetson.JetsonModule(PLACES.ina3221, PLACES.device_tree))
    if make == "amd":
        return amd.AmdSensor(gpu_indices)
    return nvml.NvmlSensor(gpu_indices)
