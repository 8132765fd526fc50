"""The energy counters of Intel and AMD CPUs, read from Linux's powercap file system (RAPL)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.interface import Device, DeviceId, DeviceInfo
from zeus_bso.monitor.machine import cpu_model, host_id
from zeus_bso.monitor.sensors.checked import CheckedEnergy
from zeus_bso.monitor.sensors.estimate import machine_model
from zeus_bso.monitor.sensors.sensor import Part, Reading, call_regularly, look_at
from zeus_bso.protocol.words import EnergySource

POWERCAP = Path("/sys/class/powercap")

_CHECK_S = 1.0
"""Time between two readings [s]. It is short, so that no wrap is missed, and little is lost if a counter fails."""


@dataclass(frozen=True)
class _Zone:
    """One counter.

    Attributes:
        part: The device that it counts.
        path: The zone's folder.
        energy: The energy since the sensor was created.
    """

    part: Part
    path: Path
    energy: CheckedEnergy


class RaplSensor:
    """Reads the counters of all CPU packages and of their memory.

    It leaves out the platform zone (``psys``) and the parts of a package (``core``, ``uncore``), because they would
    count the energy of the packages again.

    Args:
        root: Where the powercap file system is mounted.
        proc: Where the process file system is mounted.

    Raises:
        ZeusBSOMonitorError: There is no such counter, or this user may not read it.
    """

    source = EnergySource.RAPL

    def __init__(self, root: Path = POWERCAP, *, proc: Path = Path("/proc")) -> None:
        self.gpu_indices: list[int] = []
        self.notes: list[str] = []
        self._proc = proc
        # A signal handler may take the lock again in the same thread.
        self._lock = threading.RLock()
        zones = _zones(root)
        self._packages = [zone for zone in zones if zone.part.kind == "cpu"]
        self._energies = {zone.part: zone.energy for zone in zones}
        if not self._packages:
            raise ZeusBSOMonitorError(f"This machine has no CPU energy counter under {root}.")
        call_regularly(self.read, _CHECK_S, "zeus-bso-rapl")

    def read(self) -> Reading:
        """The energy since the sensor was created."""
        with self._lock:
            return look_at(self._energies)

    def devices(self, max_power_w: float | None = None) -> DeviceInfo:
        """The CPU. Its maximum power is the limit of the packages, or the estimate if they state none."""
        limits_w = [_limit_w(zone.path) for zone in self._packages]
        if max_power_w is not None or not all(limit > 0 for limit in limits_w):
            power_w = machine_model().max_power_w if max_power_w is None else max_power_w
            limits_w = [power_w / len(self._packages)] * len(self._packages)
        model, host = cpu_model(self._proc), host_id()
        each = tuple(
            Device(DeviceId(host, zone.part.name, is_gpu=False), model, limit_w)
            for zone, limit_w in zip(self._packages, limits_w, strict=True)
        )
        return DeviceInfo(max_power_w=sum(limits_w), number_of_gpus=0, gpu_model=model, each=each)


@dataclass(frozen=True)
class ZoneFacts:
    """A zone of the powercap file system.

    Attributes:
        zone: Name of its folder.
        name: Name of the zone.
        counted: Whether the sensor counts it. The platform and the parts of a package would count twice.
        readable: Whether this user may read it.
    """

    zone: str
    name: str
    counted: bool
    readable: bool


def zone_facts(root: Path = POWERCAP) -> list[ZoneFacts]:
    """All zones, including those that the sensor does not count."""
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
    """Whether this machine has a CPU energy counter, even if this user may not read it."""
    return any(_name(path).startswith("package") for path in root.glob("intel-rapl:*"))


def _zones(root: Path) -> list[_Zone]:
    """The zones of packages and of memory. AMD's CPUs use the same names."""
    found = sorted(root.glob("intel-rapl:*"))
    return [_open(path, _name(path), int(path.name.split(":")[1])) for path in found if _counts(_name(path))]


def _open(path: Path, name: str, index: int) -> _Zone:
    part = Part("dram", index, f"dram {index}") if name == "dram" else Part("cpu", index, f"package {index}")
    try:
        start_uj, range_uj = _number(path / "energy_uj"), _number(path / "max_energy_range_uj")
    except PermissionError:
        raise ZeusBSOMonitorError(
            "The CPU's energy counters are closed to this user; open them until the next boot with: "
            f"sudo chmod a+r {path.parent}/intel-rapl:*/energy_uj"
        ) from None
    except (OSError, ValueError) as error:
        raise ZeusBSOMonitorError(f"The CPU's energy counter under {path} cannot be read: {error}.") from error
    energy = CheckedEnergy(
        f"CPU {part.name}",
        counter=lambda: (_number(path / "energy_uj") - start_uj) / 1e6,
        power=None,
        # The design power is no limit: turbo may exceed it for as long as the cooling allows.
        limit_w=None,
        wraps_at_j=range_uj / 1e6,
        may_rest=part.kind == "dram",
    )
    return _Zone(part, path, energy)


def _limit_w(path: Path) -> float:
    """The design power of the package, or else its current long-term limit [W]. 0 if neither is stated."""
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
