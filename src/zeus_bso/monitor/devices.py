"""The devices behind a monitor, ours or another package's."""

from __future__ import annotations

from zeus_bso.monitor.adapt import adapt
from zeus_bso.monitor.choose import gpu_sensor, visible_make
from zeus_bso.monitor.codecarbon import TaskTracker
from zeus_bso.monitor.estimate import EstimateSensor
from zeus_bso.monitor.protocol import DescribesDevices, DeviceInfo, Monitor


def devices_of(monitor: Monitor | TaskTracker) -> DeviceInfo:
    """The devices that a monitor measures.

    Our own monitors say so themselves, and so do those that :func:`zeus_bso.monitor.adapt` knows. For any other the
    management library is asked about its GPUs; without GPUs it is taken to measure this machine's CPU.

    Raises:
        ZeusBSOMonitorError: They cannot be found out; the message says what to do.
    """
    known = adapt(monitor)
    if isinstance(known, DescribesDevices):
        return known.devices()
    gpu_indices = list(known.gpu_indices)
    if gpu_indices:
        return gpu_sensor(visible_make() or "nvidia", gpu_indices).devices()
    return EstimateSensor().devices()
