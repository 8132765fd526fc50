"""The energy counters of Intel and AMD CPUs, read from Linux's powercap file system (RAPL)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from zeus_bso.common import EnergySource
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.estimate import machine_model
from zeus_bso.monitor.machine import cpu_model, host_id
from zeus_bso.monitor.protocol import Device, DeviceId, DeviceInfo
from zeus_bso.monitor.sensor import Part, Reading, call_regularly

POWERCAP = Path("/sys/class/powercap")

_POLL_S = 30.0
"""Counters are read at least so often: the smallest range, 65 kJ, lasts 2 minutes at 500 W."""


@dataclass
class _Zone:
    """One counter, unwrapped.

    Attributes:
        index: Number of the package.
        path: The zone's folder.
        range_uj: The counter starts again from zero after so many microjoules.
        last_uj: The counter at the last look.
        total_uj: What it has counted since the sensor was made.
    """

    index: int
    path: Path
    range_uj: int
    last_uj: int
    total_uj: int = 0

    def advance(self) -> None:
        now_uj = _number(self.path / "energy_uj")
        step_uj = now_uj - self.last_uj
        if step_uj < 0:
            step_uj += self.range_uj
        self.total_uj += max(0, step_uj)
        self.last_uj = now_uj

    @property
    def joules(self) -> float:
        return self.total_uj / 1e6


class RaplSensor:
    """Reads the counters of all CPU packages and of their memory.

    The platform zone (``psys``) is left out, as it counts the packages once more, and so are a package's parts
    (``core``, ``uncore``).

    Args:
        root: Where the powercap file system stands.
        proc: Where the process file system is mounted.

    Raises:
        ZeusBSOMonitorError: There is no such counter, or it is closed to this user.
    """

    source = EnergySource.RAPL

    def __init__(self, root: Path = POWERCAP, *, proc: Path = Path("/proc")) -> None:
        self.gpu_indices: list[int] = []
        self.notes: list[str] = []
        self._proc = proc
        self._lock = threading.Lock()
        self._packages, self._drams = _zones(root)
        if not self._packages:
            raise ZeusBSOMonitorError(f"This machine has no CPU energy counter under {root}.")
        call_regularly(self.read, _POLL_S, "zeus-bso-rapl")

    def read(self) -> Reading:
        """The energy counted since the sensor was made."""
        with self._lock:
            for zone in (*self._packages, *self._drams):
                zone.advance()
            packages = {Part("cpu", zone.index, f"package {zone.index}"): zone.joules for zone in self._packages}
            drams = {Part("dram", zone.index, f"dram {zone.index}"): zone.joules for zone in self._drams}
            return Reading(packages | drams)

    def devices(self, max_power_w: float | None = None) -> DeviceInfo:
        """The CPU; its maximum power is the packages' limit, or the estimate's where they state none."""
        limits_w = [_limit_w(zone.path) for zone in self._packages]
        if max_power_w is not None or not all(limit > 0 for limit in limits_w):
            power_w = machine_model().max_power_w if max_power_w is None else max_power_w
            limits_w = [power_w / len(self._packages)] * len(self._packages)
        model, host = cpu_model(self._proc), host_id()
        each = tuple(
            Device(DeviceId(host, f"package {zone.index}", is_gpu=False), model, limit_w)
            for zone, limit_w in zip(self._packages, limits_w, strict=True)
        )
        return DeviceInfo(max_power_w=sum(limits_w), number_of_gpus=0, gpu_model=model, each=each)


@dataclass(frozen=True)
class ZoneFacts:
    """A zone of the powercap file system.

    Attributes:
        zone: Its folder's name.
        name: What it calls itself.
        counted: Whether it is part of what is measured; a package's parts and the platform would count twice.
        readable: Whether this user may read it.
    """

    zone: str
    name: str
    counted: bool
    readable: bool


def zone_facts(root: Path = POWERCAP) -> list[ZoneFacts]:
    """All zones, measured or not."""
    return [
        ZoneFacts(path.name, _name(path), _counts(_name(path)), _is_readable(path / "energy_uj"))
        for path in sorted(root.glob("intel-rapl:*"))
    ]


def _is_readable(path: Path) -> bool:
    try:
        _number(path)
    except (OSError, ValueError):
        return False
    return True


def _counts(name: str) -> bool:
    return name.startswith("package") or name == "dram"


def has_counters(root: Path = POWERCAP) -> bool:
    """Whether this machine has a CPU energy counter, open or closed."""
    return any(_name(path).startswith("package") for path in root.glob("intel-rapl:*"))


def _zones(root: Path) -> tuple[list[_Zone], list[_Zone]]:
    """The zones of packages and of memory; AMD's CPUs use the same names."""
    packages: list[_Zone] = []
    drams: list[_Zone] = []
    for path in sorted(root.glob("intel-rapl:*")):
        name, index = _name(path), int(path.name.split(":")[1])
        if _counts(name):
            (drams if name == "dram" else packages).append(_open(path, index))
    return packages, drams


def _open(path: Path, index: int) -> _Zone:
    try:
        now_uj = _number(path / "energy_uj")
    except PermissionError:
        raise ZeusBSOMonitorError(
            "The CPU's energy counters are closed to this user; open them until the next boot with: "
            f"sudo chmod a+r {path.parent}/intel-rapl:*/energy_uj"
        ) from None
    return _Zone(index=index, path=path, range_uj=_number(path / "max_energy_range_uj"), last_uj=now_uj)


def _limit_w(path: Path) -> float:
    """The package's design power, else its present long-term limit; 0: not stated."""
    for file in ("constraint_0_max_power_uw", "constraint_0_power_limit_uw"):
        try:
            limit_uw = _number(path / file)
        except (OSError, ValueError):
            continue
        if limit_uw > 0:
            return limit_uw / 1e6
    return 0.0


def _name(path: Path) -> str:
    try:
        return (path / "name").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))
