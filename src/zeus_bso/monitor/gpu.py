"""GPUs of any make: their energy counters, else their power, integrated."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Protocol

from zeus_bso.common import EnergySource
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.machine import host_id
from zeus_bso.monitor.protocol import Device, DeviceId, DeviceInfo
from zeus_bso.monitor.sensor import Part, Reading, call_regularly

USE_CPU = "To train on the CPU although there is a GPU: EnergyMonitor(gpu_indices=[])."

_SAMPLE_S = 0.1
"""How often power is read where a GPU counts no energy."""


class Gpu(Protocol):
    """One GPU, as its maker's library tells of it. Every method may raise ZeusBSOMonitorError."""

    @property
    def uuid(self) -> str:
        """Names the physical GPU."""

    @property
    def model(self) -> str:
        """Its model."""

    @property
    def notes(self) -> Sequence[str]:
        """What to know about its readings: sentences; mostly none."""

    def energy_j(self) -> float:
        """Its energy counter [J]; an error where it has none."""

    def power_w(self) -> float:
        """Its power now [W]."""

    def max_power_w(self) -> float:
        """The largest power limit that may be set [W]; an error where it states none."""


class GpuSensor:
    """Reads the energy of GPUs of one model.

    Args:
        visible: The GPUs that this process sees, in its own order. One that is seen twice, by two of its slices, is
            read once.
        gpu_indices: Which of them; None: all.
        variable: The environment variable that hides GPUs, for the error's sake.

    Raises:
        ZeusBSOMonitorError: There is no such GPU, or its energy can be read in no way.
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
        self._lock = threading.Lock()
        self._watts: dict[Part, tuple[float, float]] = {}
        self.gpus = _physical(visible, self.gpu_indices)
        self._joules = dict.fromkeys(self.gpus, 0.0)
        self.source = self._best_source()

    @property
    def notes(self) -> list[str]:
        """What to know about the readings."""
        return [note for gpu in self.gpus.values() for note in gpu.notes]

    def read(self) -> Reading:
        """The energy counted so far."""
        if self.source is EnergySource.COUNTER:
            return Reading({part: gpu.energy_j() for part, gpu in self.gpus.items()})
        if not self._watts:
            call_regularly(self.integrate, _SAMPLE_S, "zeus-bso-gpu-power")
        return self.integrate()

    def integrate(self) -> Reading:
        """Add up power since the last look, by the trapezoidal rule."""
        with self._lock:
            for part, gpu in self.gpus.items():
                now_s, now_w = time.monotonic(), gpu.power_w()
                last_s, last_w = self._watts.get(part, (now_s, now_w))
                self._joules[part] += (now_s - last_s) * (now_w + last_w) / 2
                self._watts[part] = (now_s, now_w)
            return Reading(dict(self._joules))

    def devices(self, max_power_w: float | None = None) -> DeviceInfo:
        """The GPUs; their maximum power is the sum of the largest limits that may be set.

        Raises:
            ZeusBSOMonitorError: They are of several models, or state no limit.
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
    """The error of a GPU that does not state its maximum power limit."""
    return ZeusBSOMonitorError(
        f"The GPU does not state its maximum power limit ({why}); give it by hand: "
        "EnergyMonitor(max_power=...), the sum over all GPUs in watts."
    )


def _physical(visible: Sequence[Gpu], indices: Sequence[int]) -> dict[Part, Gpu]:
    first: dict[str, int] = {}
    for index in indices:
        first.setdefault(visible[index].uuid, index)
    return {Part("gpu", index, uuid): visible[index] for uuid, index in first.items()}
