"""NVIDIA Jetson modules, with their INA3221 power monitors (Linux's hwmon file system, JetPack 5 and later).

A Jetson's GPU has no sensor of its own and shares everything with the CPU, so the module is measured as one device.
This code follows the documentation of Linux and NVIDIA. It has not been tested on a device.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.machine import host_id
from zeus_bso.monitor.sensors.gpu import GpuSensor, limit_unknown

INA3221 = Path("/sys/bus/i2c/drivers/ina3221")
DEVICE_TREE = Path("/proc/device-tree")

_RAILS = (
    ("VDD_IN",),
    ("VDD_GPU_SOC", "VDD_CPU_CV"),
    ("GPU", "CPU", "SOC", "CV", "VDDRQ"),
)
"""The rails whose sum is the power of the module, the best first: its input if that is measured (Orin NX and Nano,
Xavier NX), or else the supplies of its processors (AGX Orin, AGX Xavier). None of these feeds another."""


class JetsonModule:
    """A Jetson module. Its power is measured at its supply rails.

    Args:
        ina3221: Where the power monitors' driver keeps its devices.
        device_tree: Where the kernel shows the device tree.

    Raises:
        ZeusBSOMonitorError: The module has none of the known rails.
    """

    def __init__(self, ina3221: Path = INA3221, device_tree: Path = DEVICE_TREE) -> None:
        self.uuid = f"jetson {host_id()}"
        self.model = _text(device_tree / "model").strip("\0\n")[:255] or "NVIDIA Jetson"
        rails = {
            _text(label).strip(): (label.parent, label.name[2])
            for label in sorted(ina3221.glob("*/hwmon/hwmon*/in[123]_label"))
        }
        names = next((names for names in _RAILS if all(name in rails for name in names)), ())
        if not names:
            raise ZeusBSOMonitorError(
                f"This Jetson shows none of the known power rails (it shows: {', '.join(sorted(rails)) or 'none'}); "
                "JetPack 5 or later is needed. To go on with an estimate: EnergyMonitor(gpu_indices=[])."
            )
        self._rails = [rails[name] for name in names]
        self.notes = [] if names == ("VDD_IN",) else [f"Of this Jetson the rails {' + '.join(names)} are measured."]

    def energy_j(self) -> float:
        """Raise an error, because there is no counter."""
        raise ZeusBSOMonitorError("A Jetson has no energy counter.")

    def power_w(self) -> float:
        """The sum of the rails [W]: voltages in mV times currents in mA."""
        return sum(
            _number(folder / f"in{channel}_input") * _number(folder / f"curr{channel}_input") / 1e6
            for folder, channel in self._rails
        )

    def max_power_w(self) -> float:
        """Raise an error, because the limit is not stated anywhere."""
        raise limit_unknown("a Jetson's is that of its power mode, see nvpmodel")


class JetsonSensor(GpuSensor):
    """Reads a Jetson module's power and integrates it.

    Args:
        gpu_indices: The GPUs to measure. The module's GPU is number 0. None for all.
        module: The module. Default: this machine.

    Raises:
        ZeusBSOMonitorError: There is no such GPU, or no known rail.
    """

    def __init__(self, gpu_indices: Sequence[int] | None = None, *, module: JetsonModule | None = None) -> None:
        super().__init__([module or JetsonModule()], gpu_indices, "CUDA_VISIBLE_DEVICES")


def is_jetson(device_tree: Path = DEVICE_TREE) -> bool:
    """Whether this machine is a Jetson whose GPU is not hidden."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    return "nvidia,tegra" in _text(device_tree / "compatible")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except PermissionError:
        raise ZeusBSOMonitorError(
            "The Jetson's power monitors are closed to this user; open them until the next boot with: "
            f"sudo chmod a+r {path.parent}/in*_input {path.parent}/curr*_input"
        ) from None
    except (OSError, ValueError) as error:
        raise ZeusBSOMonitorError(f"The Jetson's power monitor does not answer: {error}.") from error
