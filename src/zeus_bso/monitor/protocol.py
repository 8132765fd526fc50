"""What the client asks of an energy monitor, and what it gets back.

The interface is that of the ``zeus`` package's monitor, so that either works in the other's place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from zeus_bso.common import EnergySource


@dataclass(frozen=True, order=True)
class DeviceId:
    """Names one physical device, alike in every process that looks at it.

    Attributes:
        host: The machine (:func:`zeus_bso.monitor.machine.host_id`).
        name: The device on that machine: a GPU's UUID, a CPU package.
        is_gpu: Whether it is a GPU.
    """

    host: str
    name: str
    is_gpu: bool


@dataclass(frozen=True)
class DeviceReading:
    """What one device used in a window.

    Attributes:
        device: The device.
        energy_j: Its energy [J].
        source: What the reading rests on; None: the monitor does not say.
    """

    device: DeviceId
    energy_j: float
    source: EnergySource | None


@dataclass(frozen=True)
class Measurement:
    """What a window took; energies by device index [J].

    Attributes:
        time: Length of the window [s].
        gpu_energy: Energy of each GPU; null: no GPU was measured.
        cpu_energy: Energy of each CPU package.
        dram_energy: Energy of each package's memory.
        source: What the reading rests on.
        readings: The same energies by physical device, so that several processes' windows can be counted once
            (:mod:`zeus_bso.monitor.once`); empty: the monitor does not name its devices.
    """

    time: float
    gpu_energy: Mapping[int, float] | None = None
    cpu_energy: Mapping[int, float] | None = None
    dram_energy: Mapping[int, float] | None = None
    source: EnergySource | None = None
    readings: tuple[DeviceReading, ...] = ()

    @property
    def total_energy(self) -> float:
        """The reported energy [J]: the GPUs' if there are any, else CPU packages and memory."""
        if self.gpu_energy:
            return sum(self.gpu_energy.values())
        return sum((self.cpu_energy or {}).values()) + sum((self.dram_energy or {}).values())


@dataclass(frozen=True)
class Device:
    """One physical device.

    Attributes:
        id: Its name.
        model: Its model.
        max_power_w: Its maximum power limit [W].
    """

    id: DeviceId
    model: str
    max_power_w: float


@dataclass(frozen=True)
class DeviceInfo:
    """The devices that a monitor measures.

    Attributes:
        max_power_w: Sum of their maximum power limits [W].
        number_of_gpus: How many GPUs; 0: training runs on the CPU.
        gpu_model: Model name of the GPUs, or of the CPU where there are none.
        each: The devices one by one; empty: the monitor does not name them.
    """

    max_power_w: float
    number_of_gpus: int
    gpu_model: str
    each: tuple[Device, ...] = ()

    def limited_to(self, max_power_w: float | None) -> DeviceInfo:
        """The same devices with a maximum power that is given by hand, shared out evenly; None: as they are."""
        if max_power_w is None:
            return self
        each = tuple(replace(device, max_power_w=max_power_w / len(self.each)) for device in self.each)
        return replace(self, max_power_w=max_power_w, each=each)


class Measured(Protocol):
    """The least that a measurement says; a ``source`` is welcome."""

    @property
    def time(self) -> float:
        """Length of the window [s]."""

    @property
    def total_energy(self) -> float:
        """Energy used in the window [J]."""


class Monitor(Protocol):
    """Measures time and energy of named windows."""

    @property
    def gpu_indices(self) -> Sequence[int]:
        """The measured GPUs, numbered as the process sees them."""

    def begin_window(self, name: str, /) -> None:
        """Open a window."""

    def end_window(self, name: str, /) -> Measured:
        """Close a window and tell what it took."""


@runtime_checkable
class DescribesDevices(Protocol):
    """A monitor that knows its devices; all of ours do."""

    def devices(self) -> DeviceInfo:
        """The measured devices."""
