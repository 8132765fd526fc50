"""GPUs of any make. Their energy comes from a counter, or else from their power over time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.interface import Device, DeviceId, DeviceInfo
from zeus_bso.monitor.machine import host_id, is_visible
from zeus_bso.monitor.sensors.checked import CheckedEnergy
from zeus_bso.monitor.sensors.sensor import Part, Reading, call_regularly, look_at
from zeus_bso.protocol.words import EnergySource

USE_CPU = "To train on the CPU although there is a GPU: EnergyMonitor(gpu_indices=[])."

_SAMPLE_S = 0.1
"""Time between two readings of the power, for a GPU without a counter [s]."""

_CHECK_S = 1.0
"""Time between two readings of a counter [s]. It is short, so that little is lost if the counter fails."""


class NotPermittedError(ZeusBSOMonitorError):
    """This process may not change the settings of a GPU."""


@dataclass(frozen=True)
class PowerLimits:
    """The power limits of a GPU [W].

    Attributes:
        lowest_w: The lowest limit that may be set.
        highest_w: The highest one.
        now_w: The limit in force.
    """

    lowest_w: float
    highest_w: float
    now_w: float


class Gpu(Protocol):
    """One GPU, used through the library of its maker. Every method may raise ZeusBSOMonitorError."""

    @property
    def uuid(self) -> str:
        """Identity of the physical GPU."""

    @property
    def model(self) -> str:
        """Its model."""

    @property
    def notes(self) -> Sequence[str]:
        """Remarks about its readings, as sentences. Mostly empty."""

    def energy_j(self) -> float:
        """Its energy counter [J]. Raises an error if it has none."""

    def power_w(self) -> float:
        """Its power now [W]."""

    def max_power_w(self) -> float:
        """The largest power limit that may be set [W]. Raises an error if the GPU does not state it."""


@runtime_checkable
class LimitedGpu(Gpu, Protocol):
    """A GPU whose power limit can be set."""

    @property
    def host_index(self) -> int | None:
        """Its number on the machine, whatever this process sees. None if it is not known for sure."""

    def users(self, own: Collection[int]) -> str | None:
        """Who else uses it, as the end of a sentence. Its settings are left alone then. None if nobody does.

        Args:
            own: The processes of this training.
        """

    def power_limits_w(self) -> PowerLimits:
        """Its power limits. Raises an error if it has none."""

    def set_power_limit_w(self, limit_w: float) -> None:
        """Set its power limit [W]. Raises NotPermittedError if this process may not."""


class GpuSensor:
    """Reads the energy of GPUs of one model.

    Args:
        visible: The GPUs that this process sees, in its order. A GPU that appears twice, with two of its slices, is
            read once.
        gpu_indices: The GPUs to measure. None for all.
        variable: The environment variable that hides GPUs, for error messages.

    Raises:
        ZeusBSOMonitorError: There is no such GPU, or its energy cannot be read.
    """

    def __init__(self, visible: Sequence[Gpu], gpu_indices: Sequence[int] | None, variable: str) -> None:
        self.gpu_indices = list(range(len(visible))) if gpu_indices is None else list(gpu_indices)
        unknown = [index for index in self.gpu_indices if not 0 <= index < len(visible)]
        if unknown:
            raise ZeusBSOMonitorError(
                f"GPU {unknown[0]} was asked for, but this process sees {len(visible)} GPUs, numbered from 0; "
                f"look at gpu_indices and {variable}."
            )
        self._variable = variable
        # A signal handler may take the lock again in the same thread.
        self._lock = threading.RLock()
        self._energies: dict[Part, CheckedEnergy] = {}
        self.gpus = _physical(visible, self.gpu_indices)
        self.source = self._best_source()

    @property
    def notes(self) -> list[str]:
        """Remarks about the readings."""
        return [note for gpu in self.gpus.values() for note in gpu.notes]

    def read(self) -> Reading:
        """The energy used so far, from counters or from power over time (trapezoidal rule)."""
        with self._lock:
            if not self._energies:
                self._energies = {part: self._energy(part, gpu) for part, gpu in self.gpus.items()}
                counts = self.source is EnergySource.COUNTER
                call_regularly(self.read, _CHECK_S if counts else _SAMPLE_S, "zeus-bso-gpu")
            return look_at(self._energies)

    def devices(self, max_power_w: float | None = None) -> DeviceInfo:
        """The GPUs. Their maximum power is the sum of the largest limits that may be set.

        Raises:
            ZeusBSOMonitorError: The GPUs are of several models, or do not state their limits.
        """
        models = {gpu.model for gpu in self.gpus.values()}
        if len(models) != 1:
            raise ZeusBSOMonitorError(
                f"The GPUs are of several models ({', '.join(sorted(models))}), whose costs cannot be compared; "
                f"choose GPUs of one model with gpu_indices or {self._variable}."
            )
        if max_power_w is None:
            limits_w = [gpu.max_power_w() for gpu in self.gpus.values()]
        else:
            limits_w = [max_power_w / len(self.gpus)] * len(self.gpus)
        model, host = models.pop(), host_id()
        each = tuple(
            Device(DeviceId(host, part.name, is_gpu=True), model, limit_w)
            for part, limit_w in zip(self.gpus, limits_w, strict=True)
        )
        return DeviceInfo(max_power_w=sum(limits_w), number_of_gpus=len(each), gpu_model=model, each=each)

    def _energy(self, part: Part, gpu: Gpu) -> CheckedEnergy:
        try:
            limit_w: float | None = gpu.max_power_w()
        except ZeusBSOMonitorError:
            limit_w = None
        counter = gpu.energy_j if self.source is EnergySource.COUNTER else None
        return CheckedEnergy(f"GPU {part.name}", counter=counter, power=gpu.power_w, limit_w=limit_w)

    def _best_source(self) -> EnergySource:
        try:
            for gpu in self.gpus.values():
                gpu.energy_j()
        except ZeusBSOMonitorError:
            for gpu in self.gpus.values():
                gpu.power_w()
            return EnergySource.POWER
        return EnergySource.COUNTER


def limit_unknown(why: object) -> ZeusBSOMonitorError:
    """The error for a GPU that does not state its maximum power limit."""
    return ZeusBSOMonitorError(
        f"The GPU does not state its maximum power limit ({why}); give it by hand: "
        "EnergyMonitor(max_power=...), the sum over all GPUs in watts."
    )


def _physical(visible: Sequence[Gpu], indices: Sequence[int]) -> dict[Part, Gpu]:
    first: dict[str, int] = {}
    for index in indices:
        first.setdefault(visible[index].uuid, index)
    return {Part("gpu", index, uuid): visible[index] for uuid, index in first.items()}


def users_of(pids: Sequence[int], own: Collection[int]) -> str | None:
    """Who uses a GPU besides a training, as the end of a sentence. None if nobody does.

    In a container, the driver may number processes as the machine does. If this process has begun to compute and is not
    among them, one process that does not exist here is this one.

    Args:
        pids: The processes that compute on the GPU.
        own: The processes of this training.
    """
    others = [pid for pid in pids if pid not in own]
    foreign = [pid for pid in others if not is_visible(pid)]
    if len(foreign) == 1 and len(others) == len(pids) and is_computing():
        others.remove(foreign[0])
        foreign = []
    if not others:
        return None
    hint = " (numbered as on the machine: start the container with --pid=host to tell them apart)" if foreign else ""
    return f"other processes compute on it ({', '.join(map(str, sorted(others)))}){hint}"


def is_computing() -> bool:
    """Whether this process has begun to use GPUs with PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())
