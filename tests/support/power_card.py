"""A GPU whose power limit can be set, behind the functions of nvidia-ml-py. Its time is virtual."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from zeus_bso.monitor.sensors.checked import CheckedEnergy


class NVMLError(Exception):
    """Any error of the library."""


class NVMLError_NoPermission(NVMLError):  # noqa: N801, N818
    """This process may not do that."""


@dataclass
class Clock:
    """Virtual time [s]."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, time_s: float) -> None:
        self.now_s += time_s


@dataclass
class ComputeProcess:
    pid: int


@dataclass
class PowerCard:
    """One GPU. It draws its limit up to a knee, and its pace follows the cube root of its dynamic power.

    Attributes:
        clock: Its time.
        knee_w: The power that a training draws without a limit [W].
        step_s: Time of a step at that power [s].
        limits_mw: Every limit that was set [mW].
    """

    clock: Clock
    knee_w: float = 450.0
    step_s: float = 0.02
    idle_w: float = 80.0
    lowest_w: float = 200.0
    highest_w: float = 700.0
    limit_w: float = 700.0
    allowed: bool = True
    refuses_below_w: float = 0.0
    mig_mode: int = 0
    pids: list[int] = field(default_factory=list)
    limits_mw: list[int] = field(default_factory=list)
    uuid: str = "GPU-card-0"
    _energy_j: float = 0.0
    _since_s: float = 0.0

    NVMLError: type[Exception] = NVMLError

    def __post_init__(self) -> None:
        self._since_s = self.clock()

    @property
    def power_w(self) -> float:
        return min(self.limit_w, self.knee_w)

    def train_step(self) -> None:
        """Let the time of a step pass."""
        pace = ((self.power_w - self.idle_w) / (self.knee_w - self.idle_w)) ** (1 / 3)
        self.clock.advance(self.step_s / pace)

    def cost_per_step(self, limit_w: float, eta: float = 0.5) -> float:
        """What a step costs at a limit [J]."""
        power_w = min(limit_w, self.knee_w)
        pace = ((power_w - self.idle_w) / (self.knee_w - self.idle_w)) ** (1 / 3)
        return float(self.step_s / pace * (eta * power_w + (1 - eta) * self.highest_w))

    def best_limit_w(self, eta: float = 0.5) -> float:
        """The best limit on a grid of 25 W."""
        return min((25.0 * rung for rung in range(8, 29)), key=lambda limit_w: self.cost_per_step(limit_w, eta))

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:  # noqa: N802
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object:  # noqa: N802
        return 0

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: object) -> object:  # noqa: N802
        return handle

    def nvmlDeviceGetIndex(self, handle: object) -> int:  # noqa: N802
        return 3

    def nvmlDeviceGetMinorNumber(self, handle: object) -> int:  # noqa: N802
        return 3

    def nvmlDeviceGetUUID(self, handle: object) -> str:  # noqa: N802
        return self.uuid

    def nvmlDeviceGetName(self, handle: object) -> str:  # noqa: N802
        return "Test Card"

    def nvmlDeviceGetMigMode(self, handle: object) -> list[int]:  # noqa: N802
        return [self.mig_mode, self.mig_mode]

    def nvmlDeviceGetComputeRunningProcesses(self, handle: object) -> list[ComputeProcess]:  # noqa: N802
        return [ComputeProcess(pid) for pid in self.pids]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int:  # noqa: N802
        return round(1e3 * self._spent_j())

    def nvmlDeviceGetPowerUsage(self, handle: object) -> int:  # noqa: N802
        return round(1e3 * self.power_w)

    def nvmlDeviceGetPowerManagementLimitConstraints(self, handle: object) -> list[int]:  # noqa: N802
        return [round(1e3 * self.lowest_w), round(1e3 * self.highest_w)]

    def nvmlDeviceGetPowerManagementLimit(self, handle: object) -> int:  # noqa: N802
        return round(1e3 * self.limit_w)

    def nvmlDeviceSetPowerManagementLimit(self, handle: object, limit: int) -> None:  # noqa: N802
        if not self.allowed:
            raise NVMLError_NoPermission("Insufficient Permissions")
        if not 1e3 * max(self.lowest_w, self.refuses_below_w) <= limit <= 1e3 * self.highest_w:
            raise NVMLError("Invalid Argument")
        self._energy_j, self._since_s = self._spent_j(), self.clock()
        self.limit_w = limit / 1e3
        self.limits_mw.append(limit)

    def _spent_j(self) -> float:
        return self._energy_j + self.power_w * (self.clock() - self._since_s)


def insert_card(monkeypatch: pytest.MonkeyPatch, folder: Path) -> PowerCard:
    """Give this process a GPU whose time is that of the process, and a folder for what to restore."""
    clock = Clock()
    card = PowerCard(clock)
    defaults = {**(CheckedEnergy.__init__.__kwdefaults__ or {}), "clock": clock}
    monkeypatch.setattr(CheckedEnergy.__init__, "__kwdefaults__", defaults)
    monkeypatch.setattr(time, "monotonic", clock)
    monkeypatch.setitem(sys.modules, "pynvml", card)
    monkeypatch.setenv("ZEUS_BSO_POWER_DIR", str(folder / "power"))
    return card
