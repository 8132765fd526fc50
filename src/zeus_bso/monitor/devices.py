"""The devices of a monitor, whether it is ours or from another package."""

from __future__ import annotations

from zeus_bso.monitor.adapters.adapt import adapt
from zeus_bso.monitor.adapters.codecarbon import TaskTracker
from zeus_bso.monitor.interface import DescribesDevices, DeviceInfo, Monitor
from zeus_bso.monitor.sensors.choose import gpu_sensor, visible_make
from zeus_bso.monitor.sensors.estimate import EstimateSensor


def devices_of(monitor: Monitor | TaskTracker) -> DeviceInfo:
    """The devices that a monitor measures.

    Our own monitors state their devices, and so do monitors that :func:`zeus_bso.monitor.adapt` knows. For another
    monitor, this function asks the management library about the GPUs. Without GPUs, it assumes the CPU of this machine.

    Raises:
        ZeusBSOMonitorError: The devices cannot be identified. The message says what to do.

    Examples:
        >>> from zeus_bso import ReplayMonitor
        >>> from zeus_bso.monitor import devices_of
        >>> devices_of(ReplayMonitor([])).gpu_model
        'Replayed GPU'
    """
    known = adapt(monitor)
    if isinstance(known, DescribesDevices):
        return known.devices()
    gpu_indices = list(known.gpu_indices)
    if gpu_indices:
        return gpu_sensor(visible_make() or "nvidia", gpu_indices).devices()
    return EstimateSensor().devices()
