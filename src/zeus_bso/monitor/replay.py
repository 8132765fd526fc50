"""A monitor for tests. It replays given windows, so that the numbers are exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.interface import Device, DeviceId, DeviceInfo, DeviceReading, Measurement
from zeus_bso.protocol.words import EnergySource


class ReplayMonitor:
    """Returns the next of the given windows each time a window is closed.

    Several ranks may each have such a monitor. If their devices have different names, the energies add up. If the names
    are the same, the devices are the same, and count once.

    Args:
        windows: The windows in order: ``(time [s], energy [J])`` or a :class:`Measurement`. They may be endless, like
            ``itertools.repeat((1.0, 10.0))``.
        devices: The devices to state.
        source: The source to state, for windows given as pairs.
        name: Name of the devices. Devices with the same name and number are the same device.

    Examples:
        >>> from zeus_bso import ReplayMonitor
        >>> monitor = ReplayMonitor([(10.0, 500.0)])  # one window of 10 s and 500 J
        >>> monitor.begin_window("epoch")
        >>> measured = monitor.end_window("epoch")
        >>> measured.time, measured.total_energy
        (10.0, 500.0)
    """

    def __init__(
        self,
        windows: Iterable[tuple[float, float] | Measurement],
        devices: DeviceInfo | None = None,
        *,
        source: EnergySource | None = EnergySource.COUNTER,
        name: str = "replayed",
    ) -> None:
        self._devices = _named(devices or DeviceInfo(300.0, 1, "Replayed GPU"), name)
        self._source = source
        self._windows = iter(windows)
        self._open: set[str] = set()

    @property
    def gpu_indices(self) -> list[int]:
        """The GPUs that the monitor states."""
        return list(range(self._devices.number_of_gpus))

    def devices(self) -> DeviceInfo:
        """The devices that the monitor states."""
        return self._devices

    def begin_window(self, name: str, /) -> None:
        """Open a window.

        Raises:
            ZeusBSOMonitorError: The window is open already.
        """
        if name in self._open:
            raise ZeusBSOMonitorError(f"The window {name!r} is open already.")
        self._open.add(name)

    def end_window(self, name: str, /) -> Measurement:
        """Close a window and return the next window to replay.

        Raises:
            ZeusBSOMonitorError: The window is not open, or all windows have been replayed.
        """
        if name not in self._open:
            raise ZeusBSOMonitorError(f"The window {name!r} is not open.")
        window = next(self._windows, None)
        if window is None:
            raise ZeusBSOMonitorError("All windows of this ReplayMonitor have been replayed.")
        self._open.remove(name)
        return window if isinstance(window, Measurement) else self._measurement(*window)

    def _measurement(self, time_s: float, energy_j: float) -> Measurement:
        """A measurement in which the first device used all energy."""
        readings = (DeviceReading(self._devices.each[0].id, energy_j, self._source),)
        if self._devices.number_of_gpus:
            return Measurement(time_s, gpu_energy={0: energy_j}, source=self._source, readings=readings)
        return Measurement(time_s, cpu_energy={0: energy_j}, source=self._source, readings=readings)


def _named(devices: DeviceInfo, name: str) -> DeviceInfo:
    if devices.each:
        return devices
    count, is_gpu = max(1, devices.number_of_gpus), devices.number_of_gpus > 0
    each = tuple(
        Device(DeviceId("replay", f"{name} {number}", is_gpu), devices.gpu_model, devices.max_power_w / count)
        for number in range(count)
    )
    return replace(devices, each=each)
