"""The functions of nvidia-ml-py that are used, over the GPUs that ``TEST_GPUS`` describes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class NVMLError(Exception):
    """Any error; the value is one of the library's constants."""

    @property
    def value(self) -> int:
        return int(__getattr__("NVML_ERROR_NOT_SUPPORTED"))


class NVMLError_NotSupported(NVMLError):  # noqa: N801, N818
    pass


class NVMLError_NoPermission(NVMLError):  # noqa: N801, N818
    pass


def nvmlInit() -> None:  # noqa: N802
    if os.environ.get("TEST_NVML_BROKEN"):
        raise NVMLError("Driver/library version mismatch")


def _gpus() -> list[dict[str, Any]]:
    return list(json.loads(os.environ["TEST_GPUS"]))


def nvmlDeviceGetCount() -> int:  # noqa: N802
    return len(_gpus())


def nvmlDeviceGetHandleByIndex(index: int) -> int:  # noqa: N802
    return index


def nvmlDeviceGetHandleByUUID(uuid: str) -> int:  # noqa: N802
    raise NVMLError("Not Found")


def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle: int) -> int:  # noqa: N802
    return handle


def nvmlDeviceGetUUID(handle: int) -> str:  # noqa: N802
    return str(_gpus()[handle]["uuid"])


def nvmlDeviceGetName(handle: int) -> str:  # noqa: N802
    return str(_gpus()[handle]["model"])


def nvmlDeviceGetMigMode(handle: int) -> list[int]:  # noqa: N802
    if "mig" not in _gpus()[handle]:
        raise NVMLError_NotSupported("Not Supported")
    return [int(_gpus()[handle]["mig"])] * 2


class _Process:
    def __init__(self, pid: int) -> None:
        self.pid = pid


def nvmlDeviceGetComputeRunningProcesses(handle: int) -> list[Any]:  # noqa: N802
    return [_Process(pid) for pid in (os.getpid(), *_gpus()[handle].get("pids", []))]


def nvmlDeviceGetTotalEnergyConsumption(handle: int) -> int:  # noqa: N802
    if not _gpus()[handle].get("counts", True):
        raise NVMLError_NotSupported("Not Supported")
    state = _state(handle)
    return int(state["spent_mj"] + _power_mw(handle, state) * (time.monotonic() - state["since_s"]))


def nvmlDeviceGetPowerUsage(handle: int) -> int:  # noqa: N802
    return int(_power_mw(handle, _state(handle)))


def nvmlDeviceGetPowerManagementLimitConstraints(handle: int) -> list[int]:  # noqa: N802
    return [100_000, int(1000 * _gpus()[handle]["limit_w"])]


def nvmlDeviceGetPowerManagementLimit(handle: int) -> int:  # noqa: N802
    return int(_state(handle)["limit_mw"])


def nvmlDeviceSetPowerManagementLimit(handle: int, limit: int) -> None:  # noqa: N802
    """The limit is kept in the folder ``TEST_GPU_STATE``: like that of a real GPU, it outlives the process."""
    if _gpus()[handle].get("forbidden"):
        raise NVMLError_NoPermission("Insufficient Permissions")
    spent_mj = nvmlDeviceGetTotalEnergyConsumption(handle)
    path = _state_file(handle)
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps({"limit_mw": limit, "spent_mj": spent_mj, "since_s": time.monotonic()}))
    beside.replace(path)
    with path.with_suffix(".log").open("a") as log:
        log.write(f"{limit}\n")


def nvmlDeviceGetIndex(handle: int) -> int:  # noqa: N802
    return handle


def nvmlDeviceGetMinorNumber(handle: int) -> int:  # noqa: N802
    return handle


def _state_file(handle: int) -> Path:
    return Path(os.environ["TEST_GPU_STATE"]) / f"{_gpus()[handle]['uuid']}.json"


def _state(handle: int) -> dict[str, float]:
    """The limit in force, and the energy up to the moment when it was set."""
    if "TEST_GPU_STATE" in os.environ and _state_file(handle).exists():
        return dict(json.loads(_state_file(handle).read_text()))
    return {"limit_mw": 1000 * _gpus()[handle]["limit_w"], "spent_mj": 0.0, "since_s": 0.0}


def _power_mw(handle: int, state: dict[str, float]) -> float:
    return min(1000 * float(_gpus()[handle]["power_w"]), state["limit_mw"])


def nvmlShutdown() -> None:  # noqa: N802
    pass


def nvmlDeviceGetC2cModeInfoV(handle: int) -> None:  # noqa: N802
    raise NVMLError_NotSupported("Not Supported")


_numbers: dict[str, int] = {}


def _nvmlGetFunctionPointer(name: str) -> None:  # noqa: N802
    """By this, other packages tell the maker's own library from others of the same name."""


def __getattr__(name: str) -> int:
    """The library's constants, each a number of its own."""
    if not name.startswith("NVML_"):
        raise AttributeError(name)
    return _numbers.setdefault(name, 1000 + len(_numbers))


def nvmlDeviceGetArchitecture(handle: int) -> int:  # noqa: N802
    """Volta is the first that counts energy."""
    return __getattr__("NVML_DEVICE_ARCH_VOLTA") + (0 if _gpus()[handle].get("counts", True) else -1)
