"""NVIDIA GPUs, with their management library (nvidia-ml-py, which is imported when it is used)."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeVar, cast

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.machine import is_kin
from zeus_bso.monitor.sensors.gpu import USE_CPU, GpuSensor, NotPermittedError, PowerLimits, limit_unknown, users_of

DEV = Path("/dev")
WSL_DRIVER = Path("/usr/lib/wsl/lib/libcuda.so.1")
VISIBLE = "CUDA_VISIBLE_DEVICES"

T = TypeVar("T")


class ComputeProcess(Protocol):
    """A process that computes on a GPU."""

    pid: int


class Nvml(Protocol):
    """The part of ``pynvml`` that is used here. A handle is opaque."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...  # noqa: D102, N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> object: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object: ...  # noqa: D102, N802
    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: object) -> object: ...  # noqa: D102, N802
    def nvmlDeviceGetUUID(self, handle: object) -> str | bytes: ...  # noqa: D102, N802
    def nvmlDeviceGetName(self, handle: object) -> str | bytes: ...  # noqa: D102, N802
    def nvmlDeviceGetMigMode(self, handle: object) -> Sequence[int]: ...  # noqa: D102, N802
    def nvmlDeviceGetComputeRunningProcesses(self, handle: object) -> Sequence[ComputeProcess]: ...  # noqa: D102, N802
    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetPowerUsage(self, handle: object) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetPowerManagementLimitConstraints(self, handle: object) -> Sequence[int]: ...  # noqa: D102, N802
    def nvmlDeviceGetPowerManagementLimit(self, handle: object) -> int: ...  # noqa: D102, N802
    def nvmlDeviceSetPowerManagementLimit(self, handle: object, limit: int) -> None: ...  # noqa: D102, N802
    def nvmlDeviceGetIndex(self, handle: object) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetMinorNumber(self, handle: object) -> int: ...  # noqa: D102, N802


class NvmlGpu:
    """An NVIDIA GPU. For a slice (MIG), this is the whole GPU."""

    def __init__(self, nvml: Nvml, handle: object) -> None:
        self._nvml = nvml
        self._handle = handle
        self.uuid = _text(self._ask(nvml.nvmlDeviceGetUUID))
        self.model = _text(self._ask(nvml.nvmlDeviceGetName))

    @property
    def notes(self) -> list[str]:
        """Remarks: whether the GPU is divided, and which other processes use it."""
        notes = []
        if self._is_divided():
            notes.append(
                f"GPU {self.uuid} is divided into slices (MIG), which have no sensors of their own: the energy of "
                "the whole GPU is measured, with whatever runs on its other slices."
            )
        if others := sorted(pid for pid in self._processes() if not is_kin(pid)):
            notes.append(
                f"GPU {self.uuid} is shared: other processes compute on it ({', '.join(map(str, others))}), and their "
                "energy is counted too."
            )
        return notes

    def energy_j(self) -> float:
        """The total energy counter [J]. Volta and later GPUs have one."""
        return self._ask(self._nvml.nvmlDeviceGetTotalEnergyConsumption) / 1e3

    def power_w(self) -> float:
        """The power [W]."""
        return self._ask(self._nvml.nvmlDeviceGetPowerUsage) / 1e3

    def max_power_w(self) -> float:
        """The largest power limit that may be set [W]."""
        try:
            return self._nvml.nvmlDeviceGetPowerManagementLimitConstraints(self._handle)[1] / 1e3
        except self._nvml.NVMLError as error:
            raise limit_unknown(error) from error

    @property
    def host_index(self) -> int | None:
        """Its number on the machine, in PCI order. None if this process may see only a part of the machine's GPUs."""
        try:
            index = self._nvml.nvmlDeviceGetIndex(self._handle)
            return index if index == self._nvml.nvmlDeviceGetMinorNumber(self._handle) else None
        except self._nvml.NVMLError:
            return None

    def users(self, own: Collection[int]) -> str | None:
        """Who else uses it. None if nobody does."""
        if self._is_divided():
            return "it is divided into slices (MIG)"
        return users_of(self._processes(), own)

    def power_limits_w(self) -> PowerLimits:
        """Its power limits."""
        lowest_mw, highest_mw = self._ask(self._nvml.nvmlDeviceGetPowerManagementLimitConstraints)
        now_mw = self._ask(self._nvml.nvmlDeviceGetPowerManagementLimit)
        return PowerLimits(lowest_mw / 1e3, highest_mw / 1e3, now_mw / 1e3)

    def set_power_limit_w(self, limit_w: float) -> None:
        """Set its power limit [W]. NVIDIA's driver lets only root do so, or a process with CAP_SYS_ADMIN."""
        try:
            self._nvml.nvmlDeviceSetPowerManagementLimit(self._handle, round(limit_w * 1e3))
        except self._nvml.NVMLError as error:
            kind = NotPermittedError if _lacks_permission(error) else ZeusBSOMonitorError
            raise kind(f"The NVIDIA driver does not set a power limit of {limit_w:g} W ({error})") from error

    def _is_divided(self) -> bool:
        try:
            return self._nvml.nvmlDeviceGetMigMode(self._handle)[0] == 1
        except self._nvml.NVMLError:
            return False

    def _processes(self) -> list[int]:
        try:
            return [process.pid for process in self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)]
        except self._nvml.NVMLError:
            return []

    def _ask(self, question: Callable[[object], T]) -> T:
        try:
            return question(self._handle)
        except self._nvml.NVMLError as error:
            if _lacks_permission(error):
                raise ZeusBSOMonitorError(
                    f"The NVIDIA driver does not let this user read the GPU's energy ({error}): run the training as "
                    "root, or in a container with --cap-add SYS_ADMIN."
                ) from error
            raise ZeusBSOMonitorError(f"The NVIDIA driver does not answer about a GPU: {error}.") from error


class NvmlSensor(GpuSensor):
    """Reads the energy of the GPUs that CUDA shows: their total energy counter, or else their power over time.

    Args:
        gpu_indices: The visible GPUs to measure, as this process numbers them. None for all.
        library: The management library. Default: ``pynvml``.

    Raises:
        ZeusBSOMonitorError: There is no such GPU, or the library does not work.
    """

    def __init__(self, gpu_indices: Sequence[int] | None = None, *, library: Nvml | None = None) -> None:
        nvml = library if library is not None else load_nvml()
        super().__init__(visible_gpus(nvml), gpu_indices, VISIBLE)
        self._is_ambiguous = _numbers_are_ambiguous(nvml)

    @property
    def notes(self) -> list[str]:
        """Remarks about the readings."""
        if not self._is_ambiguous:
            return super().notes
        sentence = (
            "This machine has GPUs of several models, which CUDA numbers by speed and the driver by place: set "
            "CUDA_DEVICE_ORDER=PCI_BUS_ID, else another GPU may be measured than the one that trains."
        )
        return [*super().notes, sentence]


def load_nvml() -> Nvml:
    """Load and start the management library.

    Raises:
        ZeusBSOMonitorError: The library is not installed, or does not work on this machine.
    """
    try:
        library = cast("Nvml", import_module("pynvml"))
    except ImportError:
        raise ZeusBSOMonitorError(
            f'Measuring an NVIDIA GPU needs nvidia-ml-py: pip install "zeus-bso[nvidia]". {USE_CPU}'
        ) from None
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        raise ZeusBSOMonitorError(
            f"The NVIDIA management library does not work here ({error}): does nvidia-smi? In a container, give it "
            f"the driver capability 'utility' (NVIDIA_DRIVER_CAPABILITIES=compute,utility). {USE_CPU}"
        ) from error
    return library


def gpu_is_visible(dev: Path = DEV, wsl_driver: Path = WSL_DRIVER) -> bool:
    """Whether this process sees an NVIDIA GPU. This does not use the management library."""
    if _selection() == []:
        return False
    return any(dev.glob("nvidia[0-9]*")) or wsl_driver.exists()


def all_gpus(nvml: Nvml) -> list[NvmlGpu]:
    """The GPUs of this machine that answer, in PCI order, including hidden ones.

    Raises:
        ZeusBSOMonitorError: There are GPUs, but none answers.
    """
    slots = _slots(nvml)
    gpus = [gpu for gpu in slots if isinstance(gpu, NvmlGpu)]
    if slots and not gpus:
        raise ZeusBSOMonitorError(f"{slots[0]} {USE_CPU}")
    return gpus


def visible_gpus(nvml: Nvml) -> list[NvmlGpu]:
    """The GPUs that CUDA shows to this process, in its order.

    Numbers in ``CUDA_VISIBLE_DEVICES`` are read in PCI order. CUDA has the same order if all GPUs are of one model, or
    with ``CUDA_DEVICE_ORDER=PCI_BUS_ID``. As in CUDA, a GPU's UUID may be abbreviated, and the list ends at the first
    entry that names no GPU.

    Raises:
        ZeusBSOMonitorError: There are GPUs, but the first visible one does not answer or does not exist.
    """
    selection = _selection()
    if selection is None:
        return all_gpus(nvml)
    slots = _slots(nvml)
    gpus: list[NvmlGpu] = []
    for entry in selection:
        gpu = _named(entry, slots, nvml)
        if isinstance(gpu, NvmlGpu):
            gpus.append(gpu)
        elif gpus or not slots:
            break
        else:
            raise ZeusBSOMonitorError(f"{VISIBLE} begins with {entry!r}: {gpu} {USE_CPU}")
    return gpus


Slot = NvmlGpu | str
"""A GPU, or the reason why it does not answer. A GPU that is broken or closed to this user must not affect others."""


def _slots(nvml: Nvml) -> list[Slot]:
    return [_slot(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]


def _slot(nvml: Nvml, index: int) -> Slot:
    try:
        return NvmlGpu(nvml, nvml.nvmlDeviceGetHandleByIndex(index))
    except nvml.NVMLError as error:
        return f"The NVIDIA driver does not answer about GPU {index} ({error})."
    except ZeusBSOMonitorError as error:
        return str(error)


def _numbers_are_ambiguous(nvml: Nvml) -> bool:
    if os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return False
    are_uuids = all(not entry.isdecimal() for entry in _selection() or ["0"])
    return not are_uuids and len({gpu.model for gpu in all_gpus(nvml)}) > 1


def _named(entry: str, slots: list[Slot], nvml: Nvml) -> Slot:
    """The GPU that an entry of ``CUDA_VISIBLE_DEVICES`` names, directly or by one of its slices."""
    none = f"It names none of the {len(slots)} GPUs here."
    if entry.isdecimal():
        return slots[int(entry)] if int(entry) < len(slots) else none
    if entry.startswith("MIG-GPU-"):  # Older drivers write MIG-GPU-UUID/GPU instance/compute instance.
        entry = entry.removeprefix("MIG-").partition("/")[0]
    if entry.startswith("MIG-"):
        try:
            slice_handle = nvml.nvmlDeviceGetHandleByUUID(entry)
            return NvmlGpu(nvml, nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(slice_handle))
        except nvml.NVMLError as error:
            return f"The NVIDIA driver does not know this slice ({error})."
    matches = [gpu for gpu in slots if isinstance(gpu, NvmlGpu) and gpu.uuid.startswith(entry)]
    return matches[0] if len(matches) == 1 else none


def _selection() -> list[str] | None:
    """The entries of ``CUDA_VISIBLE_DEVICES`` up to the first invalid one. None if all GPUs are visible."""
    value = os.environ.get(VISIBLE)
    if value is None:
        return None
    entries: list[str] = []
    for entry in (part.strip() for part in value.split(",")):
        if not (entry.isdecimal() or entry.startswith(("GPU-", "MIG-"))):
            break
        entries.append(entry)
    return entries


def _lacks_permission(error: Exception) -> bool:
    return type(error).__name__ == "NVMLError_NoPermission"


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", errors="replace") if isinstance(name, bytes) else name
