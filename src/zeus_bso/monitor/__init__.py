"""Energy monitors. They measure windows of time and energy with the sensors of the machine.

Nothing beyond the standard library is imported until a sensor needs it.
"""

from __future__ import annotations

from zeus_bso.monitor.adapters.adapt import adapt
from zeus_bso.monitor.devices import devices_of
from zeus_bso.monitor.energy import EnergyMonitor
from zeus_bso.monitor.interface import Device, DeviceId, DeviceInfo, DeviceReading, Measured, Measurement, Monitor
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
