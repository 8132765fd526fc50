"""Energy monitors: windows of time and energy, from whatever sensor the machine has.

Nothing beyond the standard library is loaded until a sensor needs it.
"""

from __future__ import annotations

from zeus_bso.monitor.adapt import adapt
from zeus_bso.monitor.devices import devices_of
from zeus_bso.monitor.energy import EnergyMonitor
from zeus_bso.monitor.protocol import Device, DeviceId, DeviceInfo, DeviceReading, Measured, Measurement, Monitor
from zeus_bso.monitor.replay import ReplayMonitor

__all__ = [
    "Device",
    "DeviceId",
    "DeviceInfo",
    "DeviceReading",
    "EnergyMonitor",
    "Measured",
    "Measurement",
    "Monitor",
    "ReplayMonitor",
    "adapt",
    "devices_of",
]
