"""An estimate of the CPU's energy, for machines without a sensor. It is always labelled as one.

The model is the linear one of footprint tools that use SPECpower. A logical CPU draws ``idle_w`` when idle, ``busy_w``
when busy, and a proportional power in between. So the energy of a window is

    energy = cpus * idle_w * time + (busy_w - idle_w) * cpu_time                                            [J]

where ``cpu_time`` is the CPU seconds of this process and its children. The default watts are the averages per virtual
CPU in the Cloud Carbon Footprint methodology for machines of unknown make (0.74 W idle, 3.5 W busy; AWS, from SPECpower
results; https://www.cloudcarbonfootprint.org/docs/methodology/).

The estimate is good enough to compare two runs *on the same machine*, because more CPU time and more wall time cost
more energy. The absolute value may be wrong by a factor of two or more. Clock frequency, vector instructions and memory
traffic change the power of a CPU, and the model ignores them. It also ignores the load of other processes.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from zeus_bso.monitor.interface import Device, DeviceId, DeviceInfo
from zeus_bso.monitor.machine import cpu_model, host_id, spans, usable_cpus
from zeus_bso.monitor.quota import cpu_quota
from zeus_bso.monitor.sensors.sensor import Part, Reading
from zeus_bso.protocol.words import EnergySource


@dataclass(frozen=True)
class PowerModel:
    """Power of one logical CPU.

    Attributes:
        cpus: Number of logical CPUs that count as this process's. With a quota, it may be a fraction.
        idle_w: Power when idle [W].
        busy_w: Power when busy [W].
    """

    cpus: float
    idle_w: float = 0.74
    busy_w: float = 3.5

    def idle_j(self, time_s: float) -> float:
        """The energy of ``time_s`` seconds without any use [J]."""
        return self.cpus * self.idle_w * time_s

    def busy_j(self, cpu_time_s: float) -> float:
        """The additional energy of ``cpu_time_s`` CPU seconds [J]."""
        return (self.busy_w - self.idle_w) * cpu_time_s

    @property
    def max_power_w(self) -> float:
        """Power with every CPU busy [W]."""
        return self.cpus * self.busy_w


def machine_model() -> PowerModel:
    """The power model of the CPUs that this process may use. Affinity and the container's quota limit them."""
    cpus, quota = len(usable_cpus()), cpu_quota()
    return PowerModel(cpus if quota is None else min(cpus, quota.cpus))


class EstimateSensor:
    """Estimates energy from CPU time.

    The idle energy of the CPUs belongs to the machine, and counts once for all processes of a training. The additional
    energy of CPU time belongs to the process that used it.

    Args:
        model: The power model. Default: the model of this machine.
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
        self._cpus = _named_cpus()
        self._process = f"process {os.getpid()}"

    def read(self) -> Reading:
        """The estimated energy since the sensor was created."""
        # Take the larger value: while a child is being reaped, it may be missing in both sums for a moment.
        self._cpu_time_s = max(self._cpu_time_s, cpu_time_s(self._proc))
        return Reading(
            {
                Part("cpu", 0, self._cpus): self.model.idle_j(time.monotonic() - self._began),
                Part("cpu", 0, self._process): self.model.busy_j(self._cpu_time_s),
            }
        )

    def devices(self, max_power_w: float | None = None) -> DeviceInfo:
        """The CPU, with the maximum power of the model."""
        power_w = self.model.max_power_w if max_power_w is None else max_power_w
        model = cpu_model(self._proc)
        each = (Device(DeviceId(host_id(), self._cpus, is_gpu=False), model, power_w),)
        return DeviceInfo(max_power_w=power_w, number_of_gpus=0, gpu_model=model, each=each)


def _named_cpus() -> str:
    """The name of the CPUs. A container with a quota has CPUs of its own."""
    cpus, quota = usable_cpus(), cpu_quota()
    if quota is None or quota.cpus >= len(cpus):
        return f"cpus {spans(cpus)}"
    return f"{quota.cpus:g} cpus of {quota.name}"


def cpu_time_s(proc: Path = Path("/proc")) -> float:
    """CPU time of this process and its children, living and reaped [s].

    Living children count on Linux only, because they are read from the process file system. A grandchild is lost if its
    parent died without waiting for it.
    """
    times = os.times()
    # Read reaped children first. A child that is reaped in between is missing for a moment, but never counted twice.
    reaped_s = times.children_user + times.children_system
    return time.process_time() + reaped_s + _living_children_s(proc)


def _living_children_s(proc: Path) -> float:
    tick_s = 1.0 / os.sysconf("SC_CLK_TCK")
    ticks, pids = 0, _children(os.getpid(), proc)
    while pids:
        pid = pids.pop()
        fields = _stat(proc / str(pid))
        if fields is not None:
            # utime and stime of the child and of its reaped children: fields 14 to 17 of proc_pid_stat(5).
            ticks += sum(int(field) for field in fields[11:15])
            pids += _children(pid, proc)
    return ticks * tick_s


def _stat(process: Path) -> list[str] | None:
    """The fields of ``/proc/PID/stat`` after the second. That one, the command, may contain blanks and brackets."""
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
