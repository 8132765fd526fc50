"""The interface between the client and an energy monitor.

It matches the monitor of the ``zeus`` package, so that each can replace the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from zeus_bso.protocol.words import EnergySource


@dataclass(frozen=True, order=True)
class DeviceId:
    """The identity of one physical device. It is the same in every process.

    Attributes:
        host: Identity of the machine (:func:`zeus_bso.monitor.machine.host_id`).
        name: Name of the device on that machine: the UUID of a GPU, or a CPU package.
        is_gpu: Whether it is a GPU.

    Examples:
        >>> from zeus_bso import ReplayMonitor
        >>> ReplayMonitor([]).devices().each[0].id
        DeviceId(host='replay', name='replayed 0', is_gpu=True)
    """

    host: str
    name: str
    is_gpu: bool


@dataclass(frozen=True)
class DeviceReading:
    """The energy of one device in a window.

    Attributes:
        device: The device.
        energy_j: Its energy [J].
        source: Source of the reading. None if the monitor does not state it.

    Examples:
        >>> from zeus_bso import ReplayMonitor
        >>> monitor = ReplayMonitor([(10.0, 500.0)])
        >>> monitor.begin_window("epoch")
        >>> [(reading.device.name, reading.energy_j) for reading in monitor.end_window("epoch").readings]
        [('replayed 0', 500.0)]
    """

    device: DeviceId
    energy_j: float
    source: EnergySource | None


@dataclass(frozen=True)
class Measurement:
    """The time and energy of a window.

    Attributes:
        time: Length of the window [s].
        gpu_energy: Energy of each GPU by index [J]. None if no GPU was measured.
        cpu_energy: Energy of each CPU package by index [J].
        dram_energy: Energy of each package's memory by index [J].
        source: Source of the readings.
        readings: The same energies by physical device, so that the windows of several processes can be counted once
            (:mod:`zeus_bso.monitor.counting`). Empty if the monitor does not name its devices.

    Examples:
        >>> from zeus_bso.monitor import Measurement
        >>> Measurement(time=10.0, gpu_energy={0: 300.0, 1: 200.0}, cpu_energy={0: 50.0}).total_energy
        500.0
    """

    time: float
    gpu_energy: Mapping[int, float] | None = None
    cpu_energy: Mapping[int, float] | None = None
    dram_energy: Mapping[int, float] | None = None
    source: EnergySource | None = None
    readings: tuple[DeviceReading, ...] = ()

    @property
    def total_energy(self) -> float:
        """The reported energy [J]: that of the GPUs if there are any, or else of CPU packages and memory."""
        if self.gpu_energy:
            return sum(self.gpu_energy.values())
        return sum((self.cpu_energy or {}).values()) + sum((self.dram_energy or {}).values())


@dataclass(frozen=True)
class Device:
    """One physical device.

    Attributes:
        id: Its identity.
        model: Its model.
        max_power_w: Its maximum power limit [W].

    Examples:
        >>> from zeus_bso import ReplayMonitor
        >>> device = ReplayMonitor([]).devices().each[0]
        >>> device.model, device.max_power_w
        ('Replayed GPU', 300.0)
    """

    id: DeviceId
    model: str
    max_power_w: float


@dataclass(frozen=True)
class DeviceInfo:
    """The devices that a monitor measures.

    Attributes:
        max_power_w: Sum of their maximum power limits [W].
        number_of_gpus: Number of GPUs. 0 if training runs on the CPU.
        gpu_model: Model name of the GPUs, or of the CPU if there are none.
        each: The devices one by one. Empty if the monitor does not name them.

    Examples:
        >>> from zeus_bso import ReplayMonitor
        >>> devices = ReplayMonitor([]).devices()
        >>> devices.number_of_gpus, devices.gpu_model, devices.max_power_w
        (1, 'Replayed GPU', 300.0)
    """

    max_power_w: float
    number_of_gpus: int
    gpu_model: str
    each: tuple[Device, ...] = ()

    def limited_to(self, max_power_w: float | None) -> DeviceInfo:
        """The same devices with this total maximum power, in equal shares. None leaves them unchanged."""
        if max_power_w is None:
            return self
        each = tuple(replace(device, max_power_w=max_power_w / len(self.each)) for device in self.each)
        return replace(self, max_power_w=max_power_w, each=each)


class Measured(Protocol):
    """The required part of a measurement. A ``source`` is optional.

    Examples:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Reading:  # what a monitor of your own may return
        ...     time: float
        ...     total_energy: float
        >>> Reading(time=10.0, total_energy=500.0)
        Reading(time=10.0, total_energy=500.0)
    """

    @property
    def time(self) -> float:
        """Length of the window [s]."""

    @property
    def total_energy(self) -> float:
        """Energy used in the window [J]."""


class Monitor(Protocol):
    """Measures time and energy of named windows.

    Examples:
        A monitor of your own needs three members:

        >>> from zeus_bso import BatchSizeOptimizer, JobSpec
        >>> from zeus_bso.monitor import Measurement
        >>> from zeus_bso.testing import InMemoryServer
        >>> class WallSocket:
        ...     gpu_indices = []
        ...     def begin_window(self, name):
        ...         pass
        ...     def end_window(self, name):
        ...         return Measurement(time=10.0, cpu_energy={0: 500.0})
        >>> job = JobSpec(job_id_prefix="nightly", batch_sizes=[32, 64], default_batch_size=64)
        >>> BatchSizeOptimizer(WallSocket(), job=job, transport=InMemoryServer()).get_batch_size()
        64
    """

    @property
    def gpu_indices(self) -> Sequence[int]:
        """The measured GPUs, numbered as the process sees them."""

    def begin_window(self, name: str, /) -> None:
        """Open a window."""

    def end_window(self, name: str, /) -> Measured:
        """Close a window and return its time and energy."""


@runtime_checkable
class DescribesDevices(Protocol):
    """A monitor that knows its devices, as all of ours do."""

    def devices(self) -> DeviceInfo:
        """The measured devices."""
