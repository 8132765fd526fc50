"""An estimate of the CPU's energy, for machines without a sensor. It is always labelled as one.

The model is the linear one of SPECpower-based footprint tools: a logical CPU draws ``idle_w`` when idle and ``busy_w``
when busy, and in between in proportion to its use, so that over a window

    energy = cpus * idle_w * time + (busy_w - idle_w) * cpu_time                                            [J]

with ``cpu_time`` the CPU seconds of this process and its children. The default watts are the averages per virtual CPU
that the Cloud Carbon Footprint methodology states for machines of unknown make (0.74 W idle, 3.5 W busy; AWS, from
SPECpower results; https://www.cloudcarbonfootprint.org/docs/methodology/).

What to make of it: the figure ranks two runs *on the same machine* well enough, because more CPU time and more wall
time do cost more energy. Its absolute value may be off by a factor of two or more: clock frequency, vector
instructions and memory traffic change a CPU's power and the model knows nothing of them, and other processes' load is
not counted.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from zeus_bso.common import EnergySource
from zeus_bso.monitor.machine import cpu_model, host_id, spans, usable_cpus
from zeus_bso.monitor.protocol import Device, DeviceId, DeviceInfo
from zeus_bso.monitor.sensor import Part, Reading


@dataclass(frozen=True)
class PowerModel:
    """Power of one logical CPU.

    Attributes:
        cpus: Logical CPUs that count as this process's.
        idle_w: When idle [W].
        busy_w: When busy [W].
    """

    cpus: int
    idle_w: float = 0.74
    busy_w: float = 3.5

    def idle_j(self, time_s: float) -> float:
        """Energy that ``time_s`` seconds take whatever the use [J]."""
        return self.cpus * self.idle_w * time_s

    def busy_j(self, cpu_time_s: float) -> float:
        """Energy that ``cpu_time_s`` CPU seconds take on top [J]."""
        return (self.busy_w - self.idle_w) * cpu_time_s

    @property
    def max_power_w(self) -> float:
        """Power with every CPU busy [W]."""
        return self.cpus * self.busy_w


def machine_model() -> PowerModel:
    """The power model of the CPUs that this process may use."""
    return PowerModel(cpus=len(usable_cpus()))


class EstimateSensor:
    """Estimates energy from CPU time.

    What the CPUs take when idle belongs to the machine, however many processes of a training look at it; what CPU time
    takes on top belongs to the process that used it.

    Args:
        model: The power model; by default that of this machine.
        proc: Where the process file system is mounted.
    """

    source = EnergySource.ESTIMATE

    def __init__(self, model: PowerModel | None = None, *, proc: Path = Path("/proc")) -> None:
        self.model = model if model is not None else machine_model()
        self.gpu_indices: list[int] = []
        self.notes: list[str] = []
        self._proc = proc
        self._began = time.monotonic()
        self._cpu_time_s = 0.0
        self._cpus = f"cpus {spans(usable_cpus())}"
        self._process = f"process {os.getpid()}"

    def read(self) -> Reading:
        """The energy estimated since the sensor was made."""
        # The larger of both: a child that is being reaped may for a moment be in neither sum.
        self._cpu_time_s = max(self._cpu_time_s, cpu_time_s(self._proc))
        return Reading(
            {
                Part("cpu", 0, self._cpus): self.model.idle_j(time.monotonic() - self._began),
                Part("cpu", 0, self._process): self.model.busy_j(self._cpu_time_s),
            }
        )

    def devices(self, max_power_w: float | None = None) -> DeviceInfo:
        """The CPU; its maximum power is the model's."""
        power_w = self.model.max_power_w if max_power_w is None else max_power_w
        model = cpu_model(self._proc)
        each = (Device(DeviceId(host_id(), self._cpus, is_gpu=False), model, power_w),)
        return DeviceInfo(max_power_w=power_w, number_of_gpus=0, gpu_model=model, each=each)


def cpu_time_s(proc: Path = Path("/proc")) -> float:
    """CPU time of this process and its children, living and reaped [s].

    Living children are read from the process file system, so they count on Linux only. A grandchild whose parent died
    without waiting for it is lost.
    """
    times = os.times()
    # Reaped children first: one that is reaped in between is then missed for a moment, never counted twice.
    reaped_s = times.children_user + times.children_system
    return time.process_time() + reaped_s + _living_children_s(proc)


def _living_children_s(proc: Path) -> float:
    tick_s = 1.0 / os.sysconf("SC_CLK_TCK")
    ticks, pids = 0, _children(os.getpid(), proc)
    while pids:
        pid = pids.pop()
        fields = _stat(proc / str(pid))
        if fields is not None:
            # utime, stime, and the same of its own reaped children: fields 14 to 17 of proc_pid_stat(5).
            ticks += sum(int(field) for field in fields[11:15])
            pids += _children(pid, proc)
    return ticks * tick_s


def _stat(process: Path) -> list[str] | None:
    """The fields of ``/proc/PID/stat`` from the third on: the second, the command, may hold blanks and brackets."""
    try:
        return (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _children(pid: int, proc: Path) -> list[int]:
    own = proc / str(pid)
    lists = list(own.glob("task/*/children"))
    if lists:
        return [int(child) for path in lists for child in _text(path).split()]
    parents = {path.name: _stat(path) for path in proc.glob("[0-9]*")}
    return [int(name) for name, fields in parents.items() if fields is not None and fields[1] == str(pid)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
