"""Monitors of other packages, as they are."""

from __future__ import annotations

from typing import cast

from zeus_bso.monitor.codecarbon import CodeCarbonAdapter, TaskTracker
from zeus_bso.monitor.protocol import Monitor
from zeus_bso.monitor.zeus_monitor import ZeusMonitor, ZeusMonitorAdapter


def adapt(monitor: Monitor | TaskTracker) -> Monitor:
    """A monitor that says what its readings rest on and names its devices, where that is known.

    ``ZeusMonitor`` of the ``zeus`` package and CodeCarbon's trackers are recognised by their names, without importing
    the packages. Everything else is given back as it is.

    Raises:
        ZeusBSOMonitorError: The monitor measures nothing here, or not what it should.
    """
    classes = {(cls.__module__.partition(".")[0], cls.__name__) for cls in type(monitor).__mro__}
    if ("zeus", "ZeusMonitor") in classes:
        return ZeusMonitorAdapter(cast("ZeusMonitor", monitor))
    if ("codecarbon", "BaseEmissionsTracker") in classes:
        return CodeCarbonAdapter(cast("TaskTracker", monitor))
    return cast("Monitor", monitor)
