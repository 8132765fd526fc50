"""AMD GPUs, with their management library (amdsmi, which is imported when it is used).

This code follows AMD's documentation. It has not been tested on a device.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Protocol, TypeVar, cast

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.machine import is_kin
from zeus_bso.monitor.sensors.gpu import (
    USE_CPU,
    Gpu,
    GpuSensor,
    NotPermittedError,
    PowerLimits,
    limit_unknown,
    users_of,
)
from zeus_bso.protocol.words import EnergySource

KFD_NODES = Path("/sys/class/kfd/kfd/topology/nodes")
RUNTIME_VISIBLE = "ROCR_VISIBLE_DEVICES"
HIP_VISIBLE = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
"""HIP also reads the second variable, for scripts that were written for CUDA."""

_COMPARED_S = 0.5
"""How long a counter is compared with the power before it is trusted [s]."""

T = TypeVar("T")


class AmdSmi(Protocol):
    """The part of ``amdsmi`` that is used here. A handle is opaque."""

    @property
    def AmdSmiException(self) -> type[Exception]: ...  # noqa: D102, N802

    def amdsmi_init(self) -> None: ...  # noqa: D102
    def amdsmi_get_processor_handles(self) -> Sequence[object]: ...  # noqa: D102
    def amdsmi_get_gpu_device_uuid(self, handle: object) -> str: ...  # noqa: D102
    def amdsmi_get_gpu_enumeration_info(self, handle: object) -> Mapping[str, object]: ...  # noqa: D102
    def amdsmi_get_gpu_asic_info(self, handle: object) -> Mapping[str, object]: ...  # noqa: D102
    def amdsmi_get_energy_count(self, handle: object) -> Mapping[str, object]: ...  # noqa: D102
    def amdsmi_get_power_info(self, handle: object) -> Mapping[str, object]: ...  # noqa: D102
    def amdsmi_get_power_cap_info(self, handle: object) -> Mapping[str, float]: ...  # noqa: D102
    def amdsmi_set_power_cap(self, handle: object, sensor: int, cap: int) -> None: ...  # noqa: D102
    def amdsmi_get_gpu_compute_partition(self, handle: object) -> str: ...  # noqa: D102
    def amdsmi_get_gpu_process_list(self, handle: object) -> Sequence[Mapping[str, object]]: ...  # noqa: D102


class AmdGpu:
    """An AMD GPU.

    Attributes:
        uuid: Identity of the physical GPU.
        model: Its market name.
        is_second_die: Whether its driver reports no power, because the other die of its card reports both (MI250).
        notes: Remarks about its readings.
    """

    def __init__(self, smi: AmdSmi, handle: object) -> None:
        self._smi = smi
        self._handle = handle
        self.uuid = self._ask(smi.amdsmi_get_gpu_device_uuid)
        self.model = str(self._ask(smi.amdsmi_get_gpu_asic_info)["market_name"])
        self.is_second_die = self._power_w() == 0
        self._partitions = self._find_partitions()
        self.notes = self._find_notes()

    def enumeration(self) -> Mapping[str, object]:
        """Its number and name in the HIP runtime. Empty before ROCm 6.4."""
        if not hasattr(self._smi, "amdsmi_get_gpu_enumeration_info"):
            return {}
        try:
            return self._smi.amdsmi_get_gpu_enumeration_info(self._handle)
        except self._smi.AmdSmiException:
            return {}

    def energy_j(self) -> float:
        """The energy accumulator [J]. MI200 and later GPUs have one."""
        count = self._ask(self._smi.amdsmi_get_energy_count)
        # Before ROCm 6.4 the accumulator was called power.
        ticks = count["energy_accumulator"] if "energy_accumulator" in count else count.get("power")
        resolution_uj = count.get("counter_resolution")
        # Unknown values are "N/A".
        if not isinstance(ticks, int | float) or not isinstance(resolution_uj, int | float):
            raise ZeusBSOMonitorError(f"The GPU {self.uuid} does not report its energy.")
        return ticks * resolution_uj / 1e6

    def power_w(self) -> float:
        """The power [W]: the current power (MI300 and later), or else the recent average."""
        power_w = self._power_w()
        if power_w is None:
            raise ZeusBSOMonitorError(f"The GPU {self.uuid} does not report its power.")
        return power_w

    def max_power_w(self) -> float:
        """The largest power limit that may be set [W]. 0 for a second die, because the limit of its card covers it."""
        if self.is_second_die:
            return 0.0
        try:
            limit_uw = float(self._smi.amdsmi_get_power_cap_info(self._handle)["max_power_cap"])
        except (self._smi.AmdSmiException, ValueError) as error:
            raise limit_unknown(error) from error
        if limit_uw <= 0:
            raise limit_unknown("it says 0 W")
        return limit_uw / 1e6

    def _power_w(self) -> float | None:
        info = self._ask(self._smi.amdsmi_get_power_info)
        # The known values depend on the generation of the GPU. Unknown values are "N/A".
        known = [info.get(name) for name in ("current_socket_power", "average_socket_power", "socket_power")]
        numbers = [float(power) for power in known if isinstance(power, int | float)]
        return next((number for number in numbers if number > 0), 0.0 if numbers else None)

    @property
    def host_index(self) -> int | None:
        """None: nobody else sets the limits of these GPUs by number."""
        return None

    def users(self, own: Collection[int]) -> str | None:
        """Who else uses it. None if nobody does."""
        if self._partitions is not None:
            return f"it is divided into partitions ({self._partitions})"
        return users_of(self._processes(), own)

    def power_limits_w(self) -> PowerLimits:
        """Its power limits."""
        found = self._ask(self._smi.amdsmi_get_power_cap_info)
        try:
            lowest_uw, highest_uw, now_uw = (
                float(found[name]) for name in ("min_power_cap", "max_power_cap", "power_cap")
            )
        except (KeyError, ValueError) as error:
            raise ZeusBSOMonitorError(f"The GPU {self.uuid} does not state its power limits ({error}).") from error
        return PowerLimits(lowest_uw / 1e6, highest_uw / 1e6, now_uw / 1e6)

    def set_power_limit_w(self, limit_w: float) -> None:
        """Set its power limit [W]. AMD's driver lets only root do so."""
        try:
            self._smi.amdsmi_set_power_cap(self._handle, 0, round(limit_w * 1e6))
        except self._smi.AmdSmiException as error:
            kind = NotPermittedError if "PERM" in str(error).upper() else ZeusBSOMonitorError
            raise kind(f"The AMD driver does not set a power limit of {limit_w:g} W ({error})") from error

    def _find_partitions(self) -> str | None:
        try:
            mode = self._smi.amdsmi_get_gpu_compute_partition(self._handle)
        except self._smi.AmdSmiException:
            return None
        return None if mode in ("SPX", "", "N/A") else mode

    def _processes(self) -> list[int]:
        try:
            pids = [process["pid"] for process in self._smi.amdsmi_get_gpu_process_list(self._handle)]
        except self._smi.AmdSmiException:
            return []
        return [pid for pid in pids if isinstance(pid, int)]

    def _find_notes(self) -> list[str]:
        notes = []
        if self._partitions is not None:
            notes.append(
                f"GPU {self.uuid} is divided into partitions ({self._partitions}), which have no sensors of their own: "
                "the energy of the whole GPU is measured, with whatever runs on its other partitions."
            )
        if others := sorted(pid for pid in self._processes() if not is_kin(pid)):
            notes.append(
                f"GPU {self.uuid} is shared: other processes compute on it ({', '.join(map(str, others))}), and their "
                "energy is counted too."
            )
        return notes

    def _ask(self, question: Callable[[object], T]) -> T:
        try:
            return question(self._handle)
        except self._smi.AmdSmiException as error:
            raise ZeusBSOMonitorError(
                f"The AMD driver does not answer about a GPU ({error}): may this user read /dev/kfd and /dev/dri "
                "(groups render and video)? In a virtual machine, energy is not readable."
            ) from error


class AmdSensor(GpuSensor):
    """Reads the energy of the GPUs that HIP shows: their energy accumulator, or else their power over time.

    The accumulator of some models and drivers is wrong. So it is first compared with the power for half a second. If
    they differ by more than a factor of two, the power is integrated instead.

    Args:
        gpu_indices: The visible GPUs to measure, as this process numbers them. None for all.
        library: The management library. Default: ``amdsmi``.

    Raises:
        ZeusBSOMonitorError: There is no such GPU, or the library does not work.
    """

    def __init__(self, gpu_indices: Sequence[int] | None = None, *, library: AmdSmi | None = None) -> None:
        smi = library if library is not None else load_amdsmi()
        everything = all_gpus(smi)
        if not everything:
            raise ZeusBSOMonitorError(
                "The kernel shows an AMD GPU, and the AMD management library none: may this user read /dev/kfd and "
                f"/dev/dri (groups render and video)? {USE_CPU}"
            )
        super().__init__(visible_gpus(everything), gpu_indices, f"{RUNTIME_VISIBLE} and {HIP_VISIBLE[0]}")
        chosen = {gpu.uuid for gpu in self.gpus.values()}
        if self.gpus and all(gpu.is_second_die for gpu in everything if gpu.uuid in chosen):
            raise ZeusBSOMonitorError(
                "The chosen GPUs are second dies of their cards, whose energy is only counted together with the first "
                "dies'; choose the first dies too."
            )
        for first, second in pairwise(everything):
            if second.is_second_die and first.uuid in chosen and second.uuid not in chosen:
                first.notes.append(f"GPU {first.uuid} is one die of a card of two: the energy of both is measured.")
        if self.source is EnergySource.COUNTER and not all(_counters_are_believable(list(self.gpus.values()))):
            self.source = EnergySource.POWER


def _counters_are_believable(gpus: Sequence[Gpu]) -> Iterator[bool]:
    """Compare each counter with the power, if the GPU reports it."""
    powers_w = [_reported_power_w(gpu) for gpu in gpus]
    began_s, energies_j = time.monotonic(), [gpu.energy_j() for gpu in gpus]
    time.sleep(_COMPARED_S)
    for gpu, energy_j, power_w in zip(gpus, energies_j, powers_w, strict=True):
        counted_w = (gpu.energy_j() - energy_j) / (time.monotonic() - began_s)
        reported_w = _reported_power_w(gpu)
        if power_w is not None and reported_w is not None:
            yield min(power_w, reported_w) / 2 <= counted_w <= max(power_w, reported_w) * 2


def _reported_power_w(gpu: Gpu) -> float | None:
    try:
        return gpu.power_w()
    except ZeusBSOMonitorError:
        return None


def load_amdsmi() -> AmdSmi:
    """Load and start the management library.

    Raises:
        ZeusBSOMonitorError: The library is not installed, or does not work on this machine.
    """
    try:
        library = cast("AmdSmi", import_module("amdsmi"))
    except (ImportError, KeyError, OSError, AttributeError):
        # The import may raise any of these if ROCm's own library is missing or of another version.
        raise ZeusBSOMonitorError(
            "Measuring an AMD GPU needs amdsmi in the version of the installed ROCm: pip install amdsmi==VERSION, or "
            f"pip install /opt/rocm/share/amd_smi. {USE_CPU}"
        ) from None
    try:
        library.amdsmi_init()
    except library.AmdSmiException as error:
        raise ZeusBSOMonitorError(
            f"The AMD management library does not work here ({error}): does amd-smi? In a container, pass it "
            f"/dev/kfd and /dev/dri. {USE_CPU}"
        ) from error
    return library


def gpu_is_visible(dev: Path = Path("/dev"), nodes: Path = KFD_NODES) -> bool:
    """Whether this process sees an AMD GPU that is not part of a CPU. This does not use the management library."""
    if any(selection in ([], ["-1"]) for selection in (_entries(RUNTIME_VISIBLE), _hip_entries()[1])):
        return False
    return (dev / "kfd").exists() and any(_is_gpu(path) for path in nodes.glob("*/properties"))


def all_gpus(smi: AmdSmi) -> list[AmdGpu]:
    """The GPUs of this machine, including hidden ones."""
    return [AmdGpu(smi, handle) for handle in smi.amdsmi_get_processor_handles()]


def visible_gpus(everything: Sequence[AmdGpu]) -> list[AmdGpu]:
    """The GPUs that HIP shows to this process, in its order.

    ``ROCR_VISIBLE_DEVICES`` chooses first, by number or UUID. ``HIP_VISIBLE_DEVICES`` (or ``CUDA_VISIBLE_DEVICES``)
    chooses among the rest. Numbers are those of HIP. On a machine with GPUs of one model, the runtime uses the same.

    Raises:
        ZeusBSOMonitorError: A variable names a GPU that does not exist.
    """
    gpus = sorted(everything, key=_hip_id)
    gpus = _choose(gpus, RUNTIME_VISIBLE, _entries(RUNTIME_VISIBLE))
    return _choose(gpus, *_hip_entries())


def _hip_id(gpu: AmdGpu) -> int:
    number = gpu.enumeration().get("hip_id")
    return number if isinstance(number, int) else 0


def _choose(gpus: Sequence[AmdGpu], variable: str, entries: list[str] | None) -> list[AmdGpu]:
    if entries is None:
        return list(gpus)
    chosen = []
    for entry in entries:
        if entry == "-1":
            break
        named = [gpu for gpu in gpus if str(gpu.enumeration().get("hip_uuid", "")).lower() == entry.lower()]
        if entry.isdecimal() and int(entry) < len(gpus):
            chosen.append(gpus[int(entry)])
        elif len(named) == 1:
            chosen.append(named[0])
        else:
            raise ZeusBSOMonitorError(
                f"{variable} names {entry!r}, which is none of the {len(gpus)} AMD GPUs here; name them by number "
                "from 0, or with ROCm 6.4 and later by UUID."
            )
    return chosen


def _hip_entries() -> tuple[str, list[str] | None]:
    """The variable that HIP reads, and its entries."""
    for variable in HIP_VISIBLE:
        entries = _entries(variable)
        if entries is not None:
            return variable, entries
    return HIP_VISIBLE[0], None


def _entries(variable: str) -> list[str] | None:
    value = os.environ.get(variable)
    return None if value is None else [entry.strip() for entry in value.split(",") if entry.strip()]


def _is_gpu(properties: Path) -> bool:
    """Whether a node in the kernel's topology is a GPU that is not part of a CPU."""
    try:
        lines = properties.read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    facts = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return facts.get("simd_count", "0") != "0" and facts.get("cpu_cores_count", "0") == "0"
