"""Finds the GPUs whose power limit can be set."""

from __future__ import annotations

from zeus_bso.client.power.claims import claims_folder, records_here
from zeus_bso.client.power.limiter import restore_left_over
from zeus_bso.monitor.adapters.adapt import adapt
from zeus_bso.monitor.adapters.codecarbon import TaskTracker
from zeus_bso.monitor.energy import EnergyMonitor
from zeus_bso.monitor.interface import Monitor
from zeus_bso.monitor.sensors.choose import gpu_sensor, gpus_of_machine, visible_make
from zeus_bso.monitor.sensors.gpu import GpuSensor, LimitedGpu


def measured_gpus(monitor: Monitor | TaskTracker) -> list[LimitedGpu]:
    """The GPUs that a monitor measures, as far as their limits can be set.

    Raises:
        ZeusBSOMonitorError: The GPUs cannot be read.
    """
    if isinstance(monitor, EnergyMonitor):
        return [gpu for gpu in monitor.gpus if isinstance(gpu, LimitedGpu)]
    indices = list(adapt(monitor).gpu_indices)
    make = visible_make()
    if not indices or make is None:
        return []
    sensor = gpu_sensor(make, indices)
    found = sensor.gpus.values() if isinstance(sensor, GpuSensor) else ()
    return [gpu for gpu in found if isinstance(gpu, LimitedGpu)]


def restore_dead_runs() -> list[str]:
    """Restore the limits that dead runs on this machine have left. The libraries are only loaded if there are any.

    Returns:
        What was done, as sentences.

    Raises:
        ZeusBSOMonitorError: The GPUs cannot be read.
    """
    if next(records_here(claims_folder()), None) is None:
        return []
    return restore_left_over(gpu for gpu in gpus_of_machine() if isinstance(gpu, LimitedGpu))
