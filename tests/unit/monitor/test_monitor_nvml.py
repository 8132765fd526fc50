"""The NVIDIA sensor over a library with the functions that it uses: no GPU is needed."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor import Measured, devices_of
from zeus_bso.monitor.machine import own_processes
from zeus_bso.monitor.sensors.gpu import LimitedGpu, NotPermittedError, PowerLimits, users_of
from zeus_bso.monitor.sensors.nvml import NvmlSensor, gpu_is_visible, load_nvml
from zeus_bso.protocol.words import EnergySource


class NvmlTestError(Exception):
    pass


class NVMLError_NoPermission(NvmlTestError):  # noqa: N801, N818
    pass


@dataclass
class ComputeProcess:
    pid: int


class Gpus:
    """A management library over invented GPUs; a handle is a GPU's number."""

    NVMLError: type[Exception] = NvmlTestError

    def __init__(self, names: list[str], *, counts_energy: bool = True, works: bool = True) -> None:
        self.names = names
        self.works = works
        self.counts_energy = counts_energy
        self.refusal: Exception = NvmlTestError("Not Supported")
        self.powers_known = True
        self.millijoules = [1000 * number for number in range(len(names))]
        self.limits_w: list[int] = [300] * len(names)
        self.hidden = 0
        self.limits_mw: dict[int, int] = {}
        self.limit_refusal: Exception | None = None
        self.mig_mode: int | None = None
        self.pids: list[int] = []

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.works:
            raise NvmlTestError("Driver/library version mismatch")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.names)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:  # noqa: N802
        if self.names[index] == "broken":
            raise NvmlTestError("GPU is lost")
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object:  # noqa: N802
        number = uuid.rpartition("-")[2]
        if not number.isdecimal() or int(number) >= len(self.names):
            raise NvmlTestError("Not Found")
        return int(number)

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: object) -> object:  # noqa: N802
        return handle

    def nvmlDeviceGetUUID(self, handle: object) -> str:  # noqa: N802
        return f"GPU-x-{handle}"

    def nvmlDeviceGetName(self, handle: object) -> str:  # noqa: N802
        return self.names[int(str(handle))]

    def nvmlDeviceGetMigMode(self, handle: object) -> list[int]:  # noqa: N802
        if self.mig_mode is None:
            raise NvmlTestError("Not Supported")
        return [self.mig_mode, self.mig_mode]

    def nvmlDeviceGetComputeRunningProcesses(self, handle: object) -> list[ComputeProcess]:  # noqa: N802
        return [ComputeProcess(pid) for pid in self.pids]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int:  # noqa: N802
        if not self.counts_energy:
            raise self.refusal
        return self.millijoules[int(str(handle))]

    def nvmlDeviceGetPowerUsage(self, handle: object) -> int:  # noqa: N802
        if not self.powers_known:
            raise self.refusal
        return 100_000

    def nvmlDeviceGetPowerManagementLimitConstraints(self, handle: object) -> list[int]:  # noqa: N802
        if not self.limits_w:
            raise NvmlTestError("Not Supported")
        return [100_000, 1000 * self.limits_w[int(str(handle))]]

    def nvmlDeviceGetPowerManagementLimit(self, handle: object) -> int:  # noqa: N802
        return self.limits_mw.get(int(str(handle)), 1000 * self.limits_w[int(str(handle))])

    def nvmlDeviceSetPowerManagementLimit(self, handle: object, limit: int) -> None:  # noqa: N802
        if self.limit_refusal is not None:
            raise self.limit_refusal
        self.limits_mw[int(str(handle))] = limit

    def nvmlDeviceGetMinorNumber(self, handle: object) -> int:  # noqa: N802
        return int(str(handle)) + self.hidden

    def nvmlDeviceGetIndex(self, handle: object) -> int:  # noqa: N802
        return int(str(handle))


@pytest.fixture(autouse=True)
def _all_gpus_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


def test_the_energy_counter_is_read_in_joules() -> None:
    sensor = NvmlSensor(library=Gpus(["H", "H"]))
    assert sensor.source is EnergySource.COUNTER
    assert sensor.read().gpu == {0: 0.0, 1: 1.0}


def test_a_gpu_without_a_counter_has_its_power_integrated() -> None:
    began = time.monotonic()
    sensor = NvmlSensor(library=Gpus(["K"], counts_energy=False))
    first = sensor.read().gpu[0]
    time.sleep(0.25)
    used_j = sensor.read().gpu[0] - first
    assert sensor.source is EnergySource.POWER
    assert 0.25 * 100 <= used_j <= (time.monotonic() - began) * 100


def test_a_power_that_cannot_be_read_for_a_while_is_bridged() -> None:
    gpus = Gpus(["K"], counts_energy=False)
    began = time.monotonic()
    sensor = NvmlSensor(library=gpus)
    first = sensor.read().gpu[0]
    gpus.powers_known = False
    sensor.read()
    time.sleep(0.25)  # The sensor looks by itself meanwhile, in vain.
    gpus.powers_known = True
    used_j = sensor.read().gpu[0] - first
    assert 0.25 * 100 <= used_j <= (time.monotonic() - began) * 100


@pytest.mark.parametrize("counted_mj", [[0], [10**12]], ids=["begins again", "jumps"])
def test_a_counter_that_is_elsewhere_is_bridged_by_the_power(
    counted_mj: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    gpus = Gpus(["A"])
    gpus.millijoules = [5_000_000]
    sensor = NvmlSensor(library=gpus)
    began, first = time.monotonic(), sensor.read()
    gpus.millijoules = counted_mj
    time.sleep(0.25)
    used = sensor.read().since(first)
    assert 0.25 * 100 <= used.gpu[0] <= (time.monotonic() - began) * 100
    assert sum(used.unmeasured_s.values()) == 0
    assert len([line for line in caplog.messages if "energy counter of GPU" in line]) == 1


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (None, "ABC"),
        ("2,0", "CA"),
        ("1", "B"),
        ("GPU-x-2, GPU-x-1", "CB"),
        ("", ""),
        ("-1", ""),
        ("0,-1,1", "A"),
        ("1,7,0", "B"),
        ("MIG-x-2", "C"),
        ("2,MIG-x-9,0", "C"),
        ("MIG-GPU-x-1/7/0", "B"),
        ("GPU-x-0,GPU-x", "A"),
    ],
)
def test_only_what_cuda_shows_is_measured_in_its_order(
    monkeypatch: pytest.MonkeyPatch, selection: str | None, names: str
) -> None:
    if selection is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", selection)
    gpus = Gpus(["A", "B", "C"])
    gpus.millijoules = [65_000, 66_000, 67_000]
    joules = NvmlSensor(library=gpus).read().gpu
    assert "".join(chr(int(joules[index])) for index in range(len(joules))) == names


def test_a_broken_gpu_does_not_trouble_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = Gpus(["A", "broken", "A"])
    assert NvmlSensor(library=gpus).read().gpu == {0: 0.0, 1: 2.0}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert NvmlSensor(library=gpus).read().gpu == {0: 2.0}


@pytest.mark.parametrize(
    ("selection", "why"),
    [
        (None, "GPU is lost"),
        ("0,1", "begins with '0'.*GPU is lost"),
        ("7", "names none of the 1 GPUs"),
        ("GPU-y", "names none of the 1 GPUs"),
        ("MIG-x-9", "does not know this slice"),
    ],
)
def test_gpus_of_which_none_answers_are_an_error_never_a_machine_without_gpus(
    monkeypatch: pytest.MonkeyPatch, selection: str | None, why: str
) -> None:
    if selection is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", selection)
    with pytest.raises(ZeusBSOMonitorError, match=rf"{why}.*gpu_indices=\[\]"):
        NvmlSensor(library=Gpus(["broken"]))


def test_a_driver_that_shows_no_gpu_to_this_process_has_none() -> None:
    assert NvmlSensor(library=Gpus([])).gpu_indices == []


def test_given_indices_count_from_the_visible_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    sensor = NvmlSensor([1], library=Gpus(["A"] * 4))
    assert sensor.read().gpu == {1: 3.0}


def test_two_slices_of_one_gpu_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-x-1,MIG-x-1")
    sensor = NvmlSensor(library=Gpus(["A", "B"]))
    assert sensor.read().gpu == {0: 1.0}
    assert sensor.devices().number_of_gpus == 1


def test_numbers_that_cuda_and_the_driver_may_understand_differently_are_flagged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mixed = Gpus(["A", "B"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in NvmlSensor(library=mixed).notes[0]
    assert NvmlSensor(library=Gpus(["A", "A"])).notes == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-x-0")
    assert NvmlSensor(library=mixed).notes == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert NvmlSensor(library=mixed).notes == []


def test_a_divided_gpu_is_flagged() -> None:
    gpus = Gpus(["A"])
    gpus.mig_mode = 1
    assert "slices (MIG)" in NvmlSensor(library=gpus).notes[0]
    gpus.mig_mode = 0
    assert NvmlSensor(library=gpus).notes == []


def test_a_gpu_that_tells_neither_energy_nor_power_is_an_error_that_repeats_why() -> None:
    gpus = Gpus(["A"], counts_energy=False)
    gpus.powers_known = False
    with pytest.raises(ZeusBSOMonitorError, match="Not Supported"):
        NvmlSensor(library=gpus)


def test_a_closed_counter_is_explained_in_one_sentence_with_the_remedy() -> None:
    gpus = Gpus(["A"], counts_energy=False)
    gpus.powers_known = False
    gpus.refusal = NVMLError_NoPermission("Insufficient Permissions")
    with pytest.raises(ZeusBSOMonitorError, match=r"Insufficient Permissions.*as root"):
        NvmlSensor(library=gpus)


def test_a_gpu_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(ZeusBSOMonitorError, match="GPU 2 was asked for, but this process sees 2 GPUs"):
        NvmlSensor([0, 2], library=Gpus(["A", "A"]))


def test_the_maximum_power_is_the_sum_of_the_largest_limits() -> None:
    gpus = Gpus(["H", "H"])
    gpus.limits_w = [700, 650]
    devices = NvmlSensor(library=gpus).devices()
    assert (devices.max_power_w, devices.number_of_gpus, devices.gpu_model) == (1350.0, 2, "H")


def test_a_limit_that_the_gpu_does_not_state_is_asked_for() -> None:
    gpus = Gpus(["laptop"])
    gpus.limits_w = []
    with pytest.raises(ZeusBSOMonitorError, match="max_power="):
        NvmlSensor(library=gpus).devices()


def test_a_limit_given_by_hand_is_taken() -> None:
    gpus = Gpus(["laptop"])
    gpus.limits_w = []
    assert NvmlSensor(library=gpus).devices(max_power_w=80.0).max_power_w == 80.0


def test_gpus_of_several_models_are_an_error_that_names_them() -> None:
    with pytest.raises(ZeusBSOMonitorError, match=r"several models \(A100, H100\)"):
        NvmlSensor(library=Gpus(["H100", "A100"])).devices()


def test_a_missing_library_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(ZeusBSOMonitorError, match=r'pip install "zeus-bso\[nvidia\]"'):
        load_nvml()


def test_a_library_that_does_not_work_is_an_error_that_repeats_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Gpus(["A"], works=False))
    with pytest.raises(ZeusBSOMonitorError, match="Driver/library version mismatch"):
        load_nvml()


class ForeignMonitor:
    """A monitor of another package: it knows its GPUs' numbers and nothing else about them."""

    def __init__(self, gpu_indices: list[int]) -> None:
        self.gpu_indices = gpu_indices

    def begin_window(self, name: str, /) -> None:
        raise AssertionError("to learn of the devices no window is opened")

    def end_window(self, name: str, /) -> Measured:
        raise AssertionError("to learn of the devices no window is closed")


def test_the_library_is_asked_about_a_foreign_monitors_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Gpus(["A100", "H100", "H100"]))
    devices = devices_of(ForeignMonitor([1, 2]))
    assert (devices.max_power_w, devices.number_of_gpus, devices.gpu_model) == (600.0, 2, "H100")
    assert [device.id.name for device in devices.each] == ["GPU-x-1", "GPU-x-2"]


def test_a_foreign_monitor_without_gpus_is_taken_to_measure_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    devices = devices_of(ForeignMonitor([]))
    assert devices.number_of_gpus == 0
    assert devices.max_power_w > 0


def test_a_device_file_makes_a_gpu_visible(tmp_path: Path) -> None:
    (tmp_path / "nvidiactl").touch()
    assert not gpu_is_visible(tmp_path, tmp_path / "none")
    (tmp_path / "nvidia0").touch()
    assert gpu_is_visible(tmp_path, tmp_path / "none")


@pytest.mark.parametrize("selection", ["", "-1"])
def test_a_gpu_hidden_from_cuda_is_not_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: str) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", selection)
    assert not gpu_is_visible(tmp_path, tmp_path / "none")


def limited(sensor: NvmlSensor) -> LimitedGpu:
    """Its only GPU."""
    (gpu,) = sensor.gpus.values()
    assert isinstance(gpu, LimitedGpu)
    return gpu


def test_a_power_limit_is_read_and_set_in_watts() -> None:
    gpus = Gpus(["H", "H"])
    gpu = limited(NvmlSensor([1], library=gpus))
    assert gpu.power_limits_w() == PowerLimits(lowest_w=100, highest_w=300, now_w=300)
    gpu.set_power_limit_w(212.5)
    assert gpus.limits_mw == {1: 212_500}
    assert gpu.power_limits_w().now_w == 212.5
    assert gpu.host_index == 1


@pytest.mark.parametrize(
    ("refusal", "error"),
    [(NVMLError_NoPermission("no"), NotPermittedError), (NvmlTestError("Not Supported"), ZeusBSOMonitorError)],
)
def test_a_refused_power_limit_is_told(refusal: Exception, error: type[Exception]) -> None:
    gpus = Gpus(["H"])
    gpus.limit_refusal = refusal
    gpu = limited(NvmlSensor(library=gpus))
    with pytest.raises(ZeusBSOMonitorError, match="250 W") as raised:
        gpu.set_power_limit_w(250)
    assert type(raised.value) is error


def test_the_users_of_a_gpu_are_told() -> None:
    gpus = Gpus(["H"])
    gpu = limited(NvmlSensor(library=gpus))
    assert gpu.users(own_processes()) is None
    gpus.pids = [os.getpid()]
    assert gpu.users(own_processes()) is None
    # A process that the same shell has started is another training.
    gpus.pids = [os.getpid(), os.getppid()]
    assert "other processes" in str(gpu.users(own_processes()))
    gpus.pids = [2**22 + 1]
    assert "--pid=host" in str(gpu.users(own_processes()))
    gpus.mig_mode = 1
    assert "MIG" in str(gpu.users(own_processes()))


def test_a_process_that_a_container_cannot_see_is_this_one_if_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeus_bso.monitor.sensors.gpu.is_computing", lambda: True)
    invisible = 2**22 + 1
    assert users_of([invisible], own_processes()) is None
    assert users_of([invisible, invisible + 1], own_processes()) is not None
    assert users_of([os.getpid(), invisible], own_processes()) is not None


def test_where_only_some_gpus_are_seen_their_numbers_on_the_machine_are_not_known() -> None:
    gpus = Gpus(["H"])
    gpus.hidden = 3
    assert limited(NvmlSensor(library=gpus)).host_index is None
