"""The CPU quota of a container, from its control group on Linux, version 1 or 2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CpuQuota:
    """The lowest quota of a process's control group and the groups above it.

    Attributes:
        cpus: Number of CPUs that may be used, on average over a short time.
        name: Identity of the control group. It is the same in every process of the group.
    """

    cpus: float
    name: str


def cpu_quota(proc: Path = Path("/proc")) -> CpuQuota | None:
    """The CPU quota of this process. None if there is none."""
    quotas = [CpuQuota(cpus, _name(folder)) for folder in _folders(proc) if (cpus := _cpus(folder)) is not None]
    return min(quotas, key=lambda quota: quota.cpus, default=None)


def _folders(proc: Path) -> Iterator[Path]:
    """The folders of this process's control groups and the groups above, as far as they are visible."""
    groups = dict(_groups(proc))
    for line in _lines(proc / "self/mountinfo"):
        fields, _, described = line.partition(" - ")
        kind, _, options = described.partition(" ")
        if kind == "cgroup2":
            group = groups.get("")
        elif kind == "cgroup" and "cpu" in options.rpartition(" ")[2].split(","):
            group = groups.get("cpu")
        else:
            continue
        if group is None:
            continue
        root, mounted = fields.split()[3:5]
        # A container without its own namespace has the path of the host, which is not visible in it.
        below = Path(group).relative_to(root) if Path(group).is_relative_to(root) else Path()
        folder = Path(mounted) / below
        yield from (above for above in (folder, *folder.parents) if above.is_relative_to(mounted))


def _groups(proc: Path) -> Iterator[tuple[str, str]]:
    """The groups of the process by controller. The name of the group of version 2 is empty."""
    for line in _lines(proc / "self/cgroup"):
        _, controllers, group = line.split(":", 2)
        yield from ((controller, group) for controller in controllers.split(","))


def _cpus(folder: Path) -> float | None:
    limit = next(iter(_lines(folder / "cpu.max")), None)
    if limit is not None:
        quota, _, period = limit.partition(" ")
    else:
        quota = next(iter(_lines(folder / "cpu.cfs_quota_us")), "")
        period = next(iter(_lines(folder / "cpu.cfs_period_us")), "")
    try:
        cpus = float(quota) / float(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cpus if cpus > 0 and math.isfinite(cpus) else None


def _name(folder: Path) -> str:
    return f"cgroup {folder.stat().st_ino}"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
