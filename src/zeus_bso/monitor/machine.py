"""Facts about the machine and its CPU from the operating system."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path


def cpu_model(proc: Path = Path("/proc")) -> str:
    """The model name of the CPU."""
    try:
        lines = (proc / "cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()[:255]
    return (platform.processor() or platform.machine() or "CPU")[:255]


def usable_cpus() -> list[int]:
    """The logical CPUs that this process may use, in ascending order."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0)) or [0]
    return list(range(os.cpu_count() or 1))


def spans(numbers: Sequence[int]) -> str:
    """A short form of ascending numbers, as the kernel writes lists of CPUs: ``0-3,8``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def host_id(proc: Path = Path("/proc")) -> str:
    """The identity of this machine. It is the same in every process and container on it.

    This is the boot id of the kernel, which containers share. Their host names and machine ids can differ.
    """
    try:
        return (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()


def is_kin(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process belongs to this training: this process, its parent, its siblings and its children.

    A launcher starts the ranks on one machine as children of one process.
    """
    return pid in (os.getpid(), os.getppid()) or _parent(pid, proc) in (os.getpid(), os.getppid())


def own_processes(proc: Path = Path("/proc")) -> set[int]:
    """This process and its descendants."""
    parents = {int(entry.name): _parent(int(entry.name), proc) for entry in proc.glob("[0-9]*")}
    own = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= more
    return own


def is_visible(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process of this number exists here. In a container, a driver may number processes of the machine."""
    return (proc / str(pid)).exists()


def _parent(pid: int, proc: Path) -> int | None:
    try:
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field, the command, may contain blanks and brackets. The parent is the fourth field.
    return int(stat.rpartition(")")[2].split()[1])
