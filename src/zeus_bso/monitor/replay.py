"""A monitor that measures nothing and replays given windows, so that a test's numbers are exact."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from zeus_bso.common import EnergySource
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.protocol import DeviceInfo, Measurement


class ReplayMonitor:
    """Answers every closed window with the next of the given ones.

    Args:
        windows: What each window took, in order: ``(time [s], energy [J])`` or a :class:`Measurement`.
        devices: The devices that it claims to measure.
        source: What its energies claim to rest on, for windows given as pairs.
    """

    def __init__(
        self,
        windows: Iterable[tuple[float, float] | Measurement],
        devices: DeviceInfo | None = None,
        *,
        source: EnergySource | None = EnergySource.COUNTER,
    ) -> None:
        self._devices = devices or DeviceInfo(max_power_w=300.0, number_of_gpus=1, gpu_model="Replayed GPU")
        self._source = source
        self._windows = deque(self._measurement(window) for window in windows)
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
        if not self._windows:
            raise ZeusBSOMonitorError("All windows of this ReplayMonitor have been replayed.")
        self._open.remove(name)
        return self._windows.popleft()

    def _measurement(self, window: tuple[float, float] | Measurement) -> Measurement:
        if isinstance(window, Measurement):
            return window
        time_s, energy_j = window
        if self._devices.number_of_gpus:
            return Measurement(time=time_s, gpu_energy={0: energy_j}, source=self._source)
        return Measurement(time=time_s, cpu_energy={0: energy_j}, source=self._source)
