"""The functions of nvidia-ml-py that are used, over the GPUs that ``TEST_GPUS`` describes."""

from __future__ import annotations

import json
import os
import time
from typing import Any


class NVMLError(Exception):
    """Any error; the value is one of the library's constants."""

    @property
    def value(self) -> int:
        return int(__getattr__("NVML_ERROR_NOT_SUPPORTED"))


class NVMLError_NotSupported(NVMLError):  # noqa: N801, N818
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


def nvmlDeviceGetComputeRunningProcesses(handle: int) -> list[Any]:  # noqa: N802
    return []


def nvmlDeviceGetTotalEnergyConsumption(handle: int) -> int:  # noqa: N802
    if not _gpus()[handle].get("counts", True):
        raise NVMLError_NotSupported("Not Supported")
    return int(1000 * _gpus()[handle]["power_w"] * time.monotonic())


def nvmlDeviceGetPowerUsage(handle: int) -> int:  # noqa: N802
    return int(1000 * _gpus()[handle]["power_w"])


def nvmlDeviceGetPowerManagementLimitConstraints(handle: int) -> list[int]:  # noqa: N802
    return [100_000, int(1000 * _gpus()[handle]["limit_w"])]


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
