"""The devices behind a monitor, ours or another package's."""

from __future__ import annotations

from zeus_bso.monitor.estimate import EstimateSensor
from zeus_bso.monitor.nvml import NvmlSensor
from zeus_bso.monitor.protocol import DescribesDevices, DeviceInfo, Monitor


def devices_of(monitor: Monitor) -> DeviceInfo:
    """The devices that a monitor measures.

    Our own monitors say so themselves. For another package's monitor the management library is asked about its GPUs;
    without GPUs it is taken to measure this machine's CPU.

    Raises:
        ZeusBSOMonitorError: They cannot be found out; the message says what to do.
    """
    if isinstance(monitor, DescribesDevices):
        return monitor.devices()
    gpu_indices = list(monitor.gpu_indices)
    if gpu_indices:
        return NvmlSensor(gpu_indices).devices()
    return EstimateSensor().devices()
