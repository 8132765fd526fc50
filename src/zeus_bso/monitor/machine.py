"""What the operating system says about the CPU."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def cpu_model(proc: Path = Path("/proc")) -> str:
    """The CPU's model name, as the operating system has it."""
    try:
        lines = (proc / "cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()[:255]
    return (platform.processor() or platform.machine() or "CPU")[:255]


def usable_cpus() -> int:
    """How many logical CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
