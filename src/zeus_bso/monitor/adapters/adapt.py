"""Adapts monitors of other packages to our interface."""

from __future__ import annotations

from typing import cast

from zeus_bso.monitor.adapters.codecarbon import CodeCarbonAdapter, TaskTracker
from zeus_bso.monitor.adapters.zeus_monitor import ZeusMonitor, ZeusMonitorAdapter
from zeus_bso.monitor.interface import Monitor


def adapt(monitor: Monitor | TaskTracker, *, max_power: float | None = None) -> Monitor:
    """Adapt a monitor of another package, so that it states the source of its readings and its devices.

    This recognises ``ZeusMonitor`` of the ``zeus`` package and CodeCarbon's trackers by their names, without importing
    the packages. It returns any other monitor unchanged. The client calls this function itself. Call it yourself to
    give a maximum power: ``BatchSizeOptimizer(adapt(tracker, max_power=250), ...)``.

    Args:
        monitor: The monitor.
        max_power: Sum of the devices' maximum power limits [W], for a monitor of another package.

    Raises:
        ZeusBSOMonitorError: The monitor measures nothing on this machine, or not what it should.

    Examples:
        >>> from zeus_bso import ReplayMonitor
        >>> from zeus_bso.monitor import adapt
        >>> monitor = ReplayMonitor([])
        >>> adapt(monitor) is monitor  # ours needs no adapting
        True
    """
    classes = {(cls.__module__.partition(".")[0], cls.__name__) for cls in type(monitor).__mro__}
    if ("zeus", "ZeusMonitor") in classes:
        return ZeusMonitorAdapter(cast("ZeusMonitor", monitor), max_power)
    if ("codecarbon", "BaseEmissionsTracker") in classes:
        return CodeCarbonAdapter(cast("TaskTracker", monitor), max_power)
    return cast("Monitor", monitor)
