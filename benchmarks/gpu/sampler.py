"""Looks at a GPU's power and energy counter fifty times a second, from a process of its own, and keeps what it saw."""

from __future__ import annotations

import bisect
import os
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.gpu.child import Json
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.sensors.nvml import NvmlSensor, load_nvml

INTERVAL_S = 0.02
INSTANT_POWER = 186
"""NVML_FI_DEV_POWER_INSTANT: from Ampere on, the plain power reading is the mean of a second."""


def sample(path: Path) -> None:
    """Write time, counter, power and instantaneous power until the parent is gone; a dash where there is none.

    Times are those of the monotonic clock [s], which all processes share.
    """
    parent = os.getppid()
    nvml: Any = load_nvml()
    gpu = next(iter(NvmlSensor([0], library=nvml).gpus.values()))
    handle = nvml.nvmlDeviceGetHandleByIndex(0)
    with path.open("w", buffering=1) as file:
        while os.getppid() == parent:
            file.write(
                f"{time.monotonic():.4f} {_or_none(gpu.energy_j)} {_or_none(gpu.power_w)} {_instant(nvml, handle)}\n"
            )
            time.sleep(INTERVAL_S)


def _or_none(read: Any) -> str:
    try:
        return f"{read():.3f}"
    except ZeusBSOMonitorError:
        return "-"


def _instant(nvml: Any, handle: object) -> str:
    try:
        value = nvml.nvmlDeviceGetFieldValues(handle, [INSTANT_POWER])[0]
        return "-" if value.nvmlReturn else f"{value.value.uiVal / 1e3:.3f}"
    except (AttributeError, nvml.NVMLError):
        return "-"


@dataclass(frozen=True)
class Samples:
    """What was seen; columns of equal length.

    Attributes:
        times: On the monotonic clock [s].
        counter_j: The energy counter [J].
        power_w: The power reading [W].
        instant_w: The instantaneous power [W].
    """

    times: list[float]
    counter_j: list[float | None]
    power_w: list[float | None]
    instant_w: list[float | None]

    @classmethod
    def read(cls, path: Path) -> Samples:
        """Read what :func:`sample` has written so far."""
        rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        full = [row for row in rows if len(row) == 4]
        columns = [[None if row[column] == "-" else float(row[column]) for row in full] for column in (1, 2, 3)]
        return cls([float(row[0]) for row in full], *columns)

    def integral(self, column: list[float | None], began: float, ended: float) -> float | None:
        """Power over a window by the trapezoidal rule [J]; None: it was not seen throughout."""
        first, last = bisect.bisect_left(self.times, began), bisect.bisect_right(self.times, ended)
        points = [(t, w) for t, w in zip(self.times[first:last], column[first:last], strict=True) if w is not None]
        if len(points) < 3 or points[0][0] - began > 0.5 or ended - points[-1][0] > 0.5:
            return None
        inside = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
        return inside + (points[0][0] - began) * points[0][1] + (ended - points[-1][0]) * points[-1][1]

    def renewals(self, column: list[float | None]) -> Json:
        """How often a reading changed: the time between changes [s]."""
        changes = [
            time for time, before, after in zip(self.times[1:], column, column[1:], strict=False) if before != after
        ]
        gaps = sorted(b - a for a, b in pairwise(changes))
        return {"changes": len(changes), "median_gap_s": gaps[len(gaps) // 2] if gaps else None}
