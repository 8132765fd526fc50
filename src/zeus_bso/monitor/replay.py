"""A monitor that measures nothing and replays given windows, so that a test's numbers are exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from zeus_bso.common import EnergySource
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.protocol import Device, DeviceId, DeviceInfo, DeviceReading, Measurement


class ReplayMonitor:
    """Answers every closed window with the next of the given ones.

    Several ranks may each have one: with devices of different names their energies add up, with devices of the same
    names they look at the same devices, which count once.

    Args:
        windows: What each window took, in order: ``(time [s], energy [J])`` or a :class:`Measurement`. They are taken
            as they are needed, so ``itertools.repeat((1.0, 10.0))`` lasts for ever.
        devices: The devices that it claims to measure.
        source: What its energies claim to rest on, for windows given as pairs.
        name: What the devices are called; those of one name and number are one device.
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
        """The GPUs that it claims to measure."""
        return list(range(self._devices.number_of_gpus))

    def devices(self) -> DeviceInfo:
        """The devices that it claims to measure."""
        return self._devices

    def begin_window(self, name: str, /) -> None:
        """Open a window.

        Raises:
            ZeusBSOMonitorError: It is open already.
        """
        if name in self._open:
            raise ZeusBSOMonitorError(f"The window {name!r} is open already.")
        self._open.add(name)

    def end_window(self, name: str, /) -> Measurement:
        """Close a window and give the next of the windows to replay.

        Raises:
            ZeusBSOMonitorError: It is not open, or all windows have been replayed.
        """
        if name not in self._open:
            raise ZeusBSOMonitorError(f"The window {name!r} is not open.")
        window = next(self._windows, None)
        if window is None:
            raise ZeusBSOMonitorError("All windows of this ReplayMonitor have been replayed.")
        self._open.remove(name)
        return window if isinstance(window, Measurement) else self._measurement(*window)

    def _measurement(self, time_s: float, energy_j: float) -> Measurement:
        """The first of the devices used it all."""
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
