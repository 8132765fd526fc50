"""Monitors of other packages, as they are."""

from __future__ import annotations

from typing import cast

from zeus_bso.monitor.codecarbon import CodeCarbonAdapter, TaskTracker
from zeus_bso.monitor.protocol import Monitor
from zeus_bso.monitor.zeus_monitor import ZeusMonitor, ZeusMonitorAdapter


def adapt(monitor: Monitor | TaskTracker, *, max_power: float | None = None) -> Monitor:
    """A monitor that says what its readings rest on and names its devices, where that is known.

    ``ZeusMonitor`` of the ``zeus`` package and CodeCarbon's trackers are recognised by their names, without importing
    the packages. Everything else is given back as it is. The client does this by itself; do it by hand where a maximum
    power is to be given: ``BatchSizeOptimizer(adapt(tracker, max_power=250), ...)``.

    Args:
        monitor: The monitor.
        max_power: Summed maximum power limit of the devices [W], for a monitor of another package.

    Raises:
        ZeusBSOMonitorError: The monitor measures nothing here, or not what it should.
    """
    classes = {(cls.__module__.partition(".")[0], cls.__name__) for cls in type(monitor).__mro__}
    if ("zeus", "ZeusMonitor") in classes:
        return ZeusMonitorAdapter(cast("ZeusMonitor", monitor), max_power)
    if ("codecarbon", "BaseEmissionsTracker") in classes:
        return CodeCarbonAdapter(cast("TaskTracker", monitor), max_power)
    return cast("Monitor", monitor)
