"""The energy of NVIDIA GPUs, by the management library (nvidia-ml-py, loaded when it is used)."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from zeus_bso.common import EnergySource
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.machine import host_id
from zeus_bso.monitor.protocol import Device, DeviceId, DeviceInfo
from zeus_bso.monitor.sensor import Part, Reading, call_regularly

logger = logging.getLogger("zeus_bso")

DEV = Path("/dev")
WSL_DRIVER = Path("/usr/lib/wsl/lib/libcuda.so.1")

_SAMPLE_S = 0.1
"""How often power is read where a GPU counts no energy."""


class Nvml(Protocol):
    """The part of ``pynvml`` that is used here; a handle is opaque."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...  # noqa: D102, N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> object: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object: ...  # noqa: D102, N802
    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: object) -> object: ...  # noqa: D102, N802
    def nvmlDeviceGetUUID(self, handle: object) -> str | bytes: ...  # noqa: D102, N802
    def nvmlDeviceGetName(self, handle: object) -> str | bytes: ...  # noqa: D102, N802
    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetPowerUsage(self, handle: object) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetPowerManagementLimitConstraints(self, handle: object) -> Sequence[int]: ...  # noqa: D102, N802


class NvmlSensor:
    """Reads the energy of visible GPUs: their total-energy counter (Volta and later), else their power, integrated.

    Args:
        gpu_indices: Which of the visible GPUs, numbered as this process sees them; None: all of them.
        library: The management library; by default ``pynvml``.

    Raises:
        ZeusBSOMonitorError: There is no such GPU, the library does not work, or the GPUs are of several models.
    """

    def __init__(self, gpu_indices: Sequence[int] | None = None, *, library: Nvml | None = None) -> None:
        self._nvml = library if library is not None else load_nvml()
        visible = visible_handles(self._nvml)
        self.gpu_indices = list(range(len(visible))) if gpu_indices is None else list(gpu_indices)
        unknown = [index for index in self.gpu_indices if not 0 <= index < len(visible)]
        if unknown:
            raise ZeusBSOMonitorError(
                f"GPU {unknown[0]} was asked for, but this process sees {len(visible)} GPUs, numbered from 0; "
                "look at gpu_indices and CUDA_VISIBLE_DEVICES."
            )
        self._handles = self._parts(visible)
        self._lock = threading.Lock()
        self._joules = dict.fromkeys(self._handles, 0.0)
        self._watts: dict[Part, tuple[float, float]] = {}
        self.source = EnergySource.COUNTER if self._counts_energy() else EnergySource.POWER
        if self.source is EnergySource.POWER:
            call_regularly(self._integrate, _SAMPLE_S, "zeus-bso-nvml")

    def read(self) -> Reading:
        """The energy counted so far."""
        if self.source is EnergySource.POWER:
            self._integrate()
            with self._lock:
                return Reading(dict(self._joules))
        count = self._nvml.nvmlDeviceGetTotalEnergyConsumption
        return Reading({part: count(handle) / 1e3 for part, handle in self._handles.items()})

    def devices(self, max_power_w: float | None = None) -> DeviceInfo:
        """The GPUs; their maximum power is the sum of the largest limits that may be set.

        Raises:
            ZeusBSOMonitorError: They are of several models, or state no limit.
        """
        names = {_text(self._nvml.nvmlDeviceGetName(handle)) for handle in self._handles.values()}
        if len(names) != 1:
            raise ZeusBSOMonitorError(
                f"The GPUs are of several models ({', '.join(sorted(names))}), whose costs cannot be compared; "
                "choose GPUs of one model with gpu_indices or CUDA_VISIBLE_DEVICES."
            )
        if max_power_w is None:
            limits_w = [self._max_power_w(handle) for handle in self._handles.values()]
        else:
            limits_w = [max_power_w / len(self._handles)] * len(self._handles)
        model, host = names.pop(), host_id()
        each = tuple(
            Device(DeviceId(host, part.name, is_gpu=True), model, limit_w)
            for part, limit_w in zip(self._handles, limits_w, strict=True)
        )
        return DeviceInfo(max_power_w=sum(limits_w), number_of_gpus=len(each), gpu_model=model, each=each)

    def _parts(self, visible: Sequence[object]) -> dict[Part, object]:
        """The GPUs to read; one that is seen twice, by two of its slices, is read once."""
        uuids: dict[str, int] = {}
        for index in self.gpu_indices:
            uuids.setdefault(_text(self._nvml.nvmlDeviceGetUUID(visible[index])), index)
        return {Part("gpu", index, uuid): visible[index] for uuid, index in uuids.items()}

    def _max_power_w(self, handle: object) -> float:
        try:
            return self._nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)[1] / 1e3
        except self._nvml.NVMLError as error:
            raise ZeusBSOMonitorError(
                f"The GPU does not state its maximum power limit ({error}); give it by hand: "
                "EnergyMonitor(max_power=...), the sum over all GPUs in watts."
            ) from error

    def _counts_energy(self) -> bool:
        try:
            for handle in self._handles.values():
                self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        except self._nvml.NVMLError:
            return False
        return True

    def _integrate(self) -> None:
        """Add up power since the last look, by the trapezoidal rule."""
        with self._lock:
            for part, handle in self._handles.items():
                now_s, now_w = time.monotonic(), self._nvml.nvmlDeviceGetPowerUsage(handle) / 1e3
                last_s, last_w = self._watts.get(part, (now_s, now_w))
                self._joules[part] += (now_s - last_s) * (now_w + last_w) / 2
                self._watts[part] = (now_s, now_w)


def load_nvml() -> Nvml:
    """Load and start the management library.

    Raises:
        ZeusBSOMonitorError: It is not installed, or does not work on this machine.
    """
    try:
        library = cast("Nvml", import_module("pynvml"))
    except ImportError:
        raise ZeusBSOMonitorError(
            'Measuring an NVIDIA GPU needs nvidia-ml-py: pip install "zeus-bso[nvidia]". '
            "To train on the CPU although there is a GPU: EnergyMonitor(gpu_indices=[])."
        ) from None
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        raise ZeusBSOMonitorError(
            f"The NVIDIA management library does not work here ({error}): does nvidia-smi? In a container, give it "
            "the driver capability 'utility' (NVIDIA_DRIVER_CAPABILITIES=compute,utility). "
            "To train on the CPU although there is a GPU: EnergyMonitor(gpu_indices=[])."
        ) from error
    return library


def gpu_is_visible(dev: Path = DEV, wsl_driver: Path = WSL_DRIVER) -> bool:
    """Whether this process sees an NVIDIA GPU, judged without the management library."""
    if _selection() == []:
        return False
    return any(dev.glob("nvidia[0-9]*")) or wsl_driver.exists()


def visible_handles(nvml: Nvml) -> list[object]:
    """Handles of the GPUs that CUDA shows to this process, in its order.

    Numbers in ``CUDA_VISIBLE_DEVICES`` are taken in PCI order, which is CUDA's own order too on a machine with GPUs of
    one model. As in CUDA, the list ends at the first entry that names no GPU.
    """
    selection = _selection()
    count = nvml.nvmlDeviceGetCount()
    if selection is None:
        return [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
    handles: list[object] = []
    for entry in selection:
        if entry.isdecimal():
            if int(entry) >= count:
                break
            handles.append(nvml.nvmlDeviceGetHandleByIndex(int(entry)))
        elif entry.startswith("MIG-"):
            logger.warning("A slice of a GPU (MIG) has no sensor of its own: the whole GPU's energy is measured.")
            slice_handle = nvml.nvmlDeviceGetHandleByUUID(entry)
            handles.append(nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(slice_handle))
        else:
            try:
                handles.append(nvml.nvmlDeviceGetHandleByUUID(entry))
            except nvml.NVMLError:
                break
    return handles


def _selection() -> list[str] | None:
    """The entries of ``CUDA_VISIBLE_DEVICES`` up to the first that hides the rest; None: all are visible."""
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return None
    entries: list[str] = []
    for entry in (part.strip() for part in value.split(",")):
        if not (entry.isdecimal() or entry.startswith(("GPU-", "MIG-"))):
            break
        entries.append(entry)
    return entries


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", errors="replace") if isinstance(name, bytes) else name
