"""The functions of amdsmi that are used, over the GPUs that ``TEST_GPUS`` describes."""

from __future__ import annotations

import json
import os
import time
from typing import Any


class AmdSmiException(Exception):  # noqa: N818
    pass


RESOLUTION_UJ = 15.259


def _gpu(handle: Any) -> dict[str, Any]:
    return dict(json.loads(os.environ["TEST_GPUS"])[handle])


def amdsmi_init() -> None:
    if os.environ.get("TEST_AMDSMI_BROKEN"):
        raise AmdSmiException("AMDSMI_STATUS_DRIVER_NOT_LOADED")


def amdsmi_get_processor_handles() -> list[int]:
    return list(range(len(json.loads(os.environ["TEST_GPUS"]))))


def amdsmi_get_gpu_device_uuid(handle: Any) -> str:
    return str(_gpu(handle)["uuid"])


def amdsmi_get_gpu_enumeration_info(handle: Any) -> dict[str, Any]:
    if "hip_id" not in _gpu(handle):
        raise AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED")
    return {"hip_id": _gpu(handle)["hip_id"], "hip_uuid": f"GPU-{_gpu(handle)['uuid']}"}


def amdsmi_get_gpu_asic_info(handle: Any) -> dict[str, Any]:
    return {"market_name": _gpu(handle)["model"]}


def amdsmi_get_energy_count(handle: Any) -> dict[str, Any]:
    counted_w = _gpu(handle).get("counted_w", _gpu(handle)["power_w"])
    if counted_w is None:
        raise AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED")
    ticks = int(counted_w * time.monotonic() * 1e6 / RESOLUTION_UJ)
    name = _gpu(handle).get("accumulator", "energy_accumulator")
    return {name: ticks, "counter_resolution": RESOLUTION_UJ, "timestamp": time.monotonic_ns()}


def amdsmi_get_power_info(handle: Any) -> dict[str, Any]:
    told = {"current_socket_power": "N/A", "average_socket_power": "N/A", "power_limit": 500}
    return told | {_gpu(handle).get("power_name", "current_socket_power"): _gpu(handle)["power_w"]}


def amdsmi_get_power_cap_info(handle: Any) -> dict[str, Any]:
    return {
        "power_cap": _caps_uw.get(handle, 400_000_000),
        "min_power_cap": 100_000_000,
        "max_power_cap": int(_gpu(handle)["limit_w"] * 1e6),
    }


def amdsmi_set_power_cap(handle: Any, sensor: int, cap: int) -> None:
    if _gpu(handle).get("forbidden"):
        raise AmdSmiException("AMDSMI_STATUS_NO_PERM")
    assert sensor == 0
    _caps_uw[handle] = cap


_caps_uw: dict[Any, int] = {}


def amdsmi_get_gpu_compute_partition(handle: Any) -> str:
    if "partition" not in _gpu(handle):
        raise AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED")
    return str(_gpu(handle)["partition"])


def amdsmi_get_gpu_process_list(handle: Any) -> list[dict[str, Any]]:
    return [{"name": "N/A", "pid": pid, "mem": 0} for pid in _gpu(handle).get("pids", [])]
