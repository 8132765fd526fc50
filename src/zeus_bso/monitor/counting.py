"""Counts each physical device once, even if several processes of a training measure it.

Before training, every rank sends its :class:`DeviceInfo` to the others. After each window, it sends its
:class:`WindowReading`. The result is the same on every rank. This module only adds up, and does not communicate.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.interface import Device, DeviceId, DeviceInfo, DeviceReading, Measured
from zeus_bso.monitor.machine import host_id
from zeus_bso.protocol.words import MAX_TOTAL, EnergySource

_FROM_STRONG_TO_WEAK = (
    EnergySource.COUNTER,
    EnergySource.RAPL,
    EnergySource.POWER,
    None,
    EnergySource.ESTIMATE,
    EnergySource.PARTIAL,
)
"""None is a source that is not stated. It may be anything except an estimate, which is always labelled."""


@dataclass(frozen=True)
class WindowReading:
    """The measurement of a window by one process, in plain values that can be sent.

    Attributes:
        time_s: Length of the window [s].
        readings: Energy of each device that the process measured.
    """

    time_s: float
    readings: tuple[DeviceReading, ...]


@dataclass(frozen=True)
class WindowTotal:
    """The time and energy of a window, over all devices.

    Attributes:
        time_s: Length of the window [s].
        energy_j: The reported energy [J]: that of the GPUs if there are any, or else that of the CPUs.
        source: The weakest source of the counted readings. None if a monitor does not state its source.
    """

    time_s: float
    energy_j: float
    source: EnergySource | None


def reading_of(measured: Measured) -> WindowReading:
    """The measurement of a monitor, by physical device.

    If the monitor does not name its devices, its energy counts as this process's own.

    Raises:
        ZeusBSOMonitorError: The values are impossible.
    """
    time_s, energy_j = float(measured.time), float(measured.total_energy)
    readings: Iterable[DeviceReading] = getattr(measured, "readings", ()) or (_own_reading(measured, energy_j),)
    readings = tuple(readings)
    for figure in (time_s, energy_j, *(reading.energy_j for reading in readings)):
        if not (math.isfinite(figure) and 0 <= figure <= MAX_TOTAL):
            raise ZeusBSOMonitorError(f"The monitor measured {time_s} s and {energy_j} J, which cannot be.")
    return WindowReading(time_s=time_s, readings=readings)


def count_once(windows: Sequence[WindowReading]) -> WindowTotal:
    """The time and energy of a window that one or several processes measured.

    Processes start and end a window at slightly different moments. So the longest time counts, and the largest reading
    of each device.

    Args:
        windows: The measurements of the same window by each process, at least one.
    """
    readings = [reading for window in windows for reading in window.readings]
    if any(reading.device.is_gpu for reading in readings):
        readings = [reading for reading in readings if reading.device.is_gpu]
    energies_j: dict[DeviceId, float] = {}
    for reading in readings:
        energies_j[reading.device] = max(reading.energy_j, energies_j.get(reading.device, 0.0))
    return WindowTotal(
        time_s=max(window.time_s for window in windows),
        energy_j=math.fsum(energies_j.values()),
        source=weakest(reading.source for reading in readings),
    )


def weakest(sources: Iterable[EnergySource | None]) -> EnergySource | None:
    """The weakest of several sources. It labels the sum of their energies."""
    return max(sources, key=_FROM_STRONG_TO_WEAK.index, default=None)


def join_devices(infos: Sequence[DeviceInfo]) -> DeviceInfo:
    """The devices of a training of several processes. Each device counts once.

    Args:
        infos: The devices of each process, by rank, at least one.

    Raises:
        ZeusBSOMonitorError: The ranks train on devices of several models.
    """
    devices: dict[DeviceId, Device] = {}
    ranks: dict[str, list[int]] = {}
    has_gpus = any(info.number_of_gpus for info in infos)
    for rank, info in enumerate(infos):
        if has_gpus and not info.number_of_gpus:
            continue
        devices.update((device.id, device) for device in info.each or _unnamed(info, rank))
        ranks.setdefault(info.gpu_model, []).append(rank)
    if len(ranks) > 1:
        found = "; ".join(f"{model} on rank {_listed(on)}" for model, on in sorted(ranks.items()))
        raise ZeusBSOMonitorError(
            f"The ranks train on several models ({found}), whose costs cannot be compared; "
            "train on devices of one model."
        )
    return DeviceInfo(
        max_power_w=math.fsum(device.max_power_w for device in devices.values()),
        number_of_gpus=len(devices) if has_gpus else 0,
        gpu_model=next(iter(ranks)),
        each=tuple(devices.values()),
    )


def _own_reading(measured: Measured, energy_j: float) -> DeviceReading:
    source = getattr(measured, "source", None)
    return DeviceReading(
        device=DeviceId(host_id(), f"process {os.getpid()}", is_gpu=bool(getattr(measured, "gpu_energy", None))),
        energy_j=energy_j,
        source=source if isinstance(source, EnergySource) else None,
    )


def _unnamed(info: DeviceInfo, rank: int) -> list[Device]:
    """Placeholders for devices that a monitor does not name. They count as the rank's own."""
    count, is_gpu = max(1, info.number_of_gpus), info.number_of_gpus > 0
    return [
        Device(DeviceId("", f"rank {rank} device {number}", is_gpu), info.gpu_model, info.max_power_w / count)
        for number in range(count)
    ]


def _listed(ranks: list[int]) -> str:
    return ", ".join(str(rank) for rank in ranks)
