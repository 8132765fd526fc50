"""The part of ``zeus-bso doctor`` about power limits: who may set them, and what dead runs have left."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from zeus_bso.cli.errors import FAILED
from zeus_bso.client.power.claims import claims_folder, records_here
from zeus_bso.client.power.daemon import known_daemon
from zeus_bso.client.power.gpus import restore_dead_runs
from zeus_bso.client.power.limiter import HOW_TO_ALLOW
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.machine import own_processes
from zeus_bso.monitor.sensors.choose import gpu_sensor, visible_make
from zeus_bso.monitor.sensors.gpu import GpuSensor, LimitedGpu

_CAP_SYS_ADMIN = 21


@dataclass(frozen=True)
class PowerFacts:
    """The power limit of a GPU that this process sees.

    Attributes:
        index: Its number in this process.
        lowest_w: The lowest limit that may be set [W]. None if the GPU states none.
        highest_w: The highest one [W].
        now_w: The limit in force [W].
        may_set: Whether a training of this user may set it.
        sentence: How it may, or what to do.
    """

    index: int
    lowest_w: float | None
    highest_w: float | None
    now_w: float | None
    may_set: bool
    sentence: str

    @property
    def range(self) -> str:
        """The limits as text."""
        if self.now_w is None:
            return "no limit"
        return f"{self.now_w:g} W now, {self.lowest_w:g} to {self.highest_w:g} W"


def power_facts() -> list[PowerFacts]:
    """The power limits of the visible GPUs. Nothing is set to find out who may."""
    make = visible_make()
    try:
        sensor = gpu_sensor(make) if make is not None else None
    except ZeusBSOMonitorError:
        return []
    if not isinstance(sensor, GpuSensor):
        return []
    return [_facts(part.index, gpu) for part, gpu in sensor.gpus.items() if isinstance(gpu, LimitedGpu)]


def restore_power() -> int:
    """Restore the power limits that dead runs have left. Returns the exit code."""
    try:
        said = restore_dead_runs()
    except ZeusBSOMonitorError as error:
        print(f"The power limits cannot be restored: {error}", file=sys.stderr)
        return FAILED
    nothing = f"No run of this user has left a power limit behind (in {claims_folder()})."
    print("\n".join(said or [nothing]))
    return FAILED if any("is not restored" in sentence for sentence in said) else 0


def _facts(index: int, gpu: LimitedGpu) -> PowerFacts:
    try:
        limits = gpu.power_limits_w()
    except ZeusBSOMonitorError as error:
        return PowerFacts(index, None, None, None, may_set=False, sentence=str(error))
    left = {record.uuid: record for record in records_here(claims_folder())}.get(gpu.uuid)
    may_set, sentence = _permission(gpu)
    if left is not None:
        sentence += f" Process {left.pid} has limited it; it restores {left.limit_w:g} W at its end, or "
        sentence += "`zeus-bso doctor --restore-power` does if it is dead."
    return PowerFacts(index, limits.lowest_w, limits.highest_w, limits.now_w, may_set, sentence)


def _permission(gpu: LimitedGpu) -> tuple[bool, str]:
    users = gpu.users(own_processes())
    if users is not None:
        return False, f"It is left alone: {users}."
    if _is_administrator():
        return True, "This user may set it."
    daemon = known_daemon()
    if daemon is None or gpu.host_index is None:
        return False, f"This user may not set it. {HOW_TO_ALLOW}"
    if not Path(daemon.path).is_socket():
        return False, f"This user may not set it, and there is no socket of zeusd at {daemon.path}."
    return True, f"zeusd at {daemon.path} sets it for this user."


def _is_administrator(status: Path = Path("/proc/self/status")) -> bool:
    """Whether this process has the capability that drivers ask for."""
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return os.geteuid() == 0
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _CAP_SYS_ADMIN & 1)
