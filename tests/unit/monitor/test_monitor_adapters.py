"""Monitors of other packages are recognised and labelled; with the packages themselves: tests/frameworks."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor import EnergyMonitor, Measurement, ReplayMonitor, adapt, devices_of
from zeus_bso.monitor.counting import count_once, reading_of
from zeus_bso.protocol.words import EnergySource


@dataclass
class ZeusMeasurement:
    time: float
    gpu_energy: dict[int, float]
    cpu_energy: dict[int, float] | None = None
    dram_energy: dict[int, float] | None = None
    soc_energy: Any = None
    total_energy: float = 0.0


class ZeusMonitor:
    """Of the form of zeus.monitor.ZeusMonitor, and of its name."""

    def __init__(self, measured: ZeusMeasurement, cpu_indices: tuple[int, ...] = ()) -> None:
        self.gpu_indices = list(measured.gpu_energy)
        self.cpu_indices = list(cpu_indices)
        self.soc_is_present = measured.soc_energy is not None
        self.measured = measured
        self.open: list[str] = []

    def begin_window(self, key: str) -> None:
        self.open.append(key)

    def end_window(self, key: str) -> ZeusMeasurement:
        self.open.remove(key)
        return self.measured


ZeusMonitor.__module__ = "zeus.monitor.energy"


class ZeusGpus:
    def __init__(self, models: str, counts: bool) -> None:
        self.models = models
        self.counts = counts

    def getName(self, gpu_index: int) -> str:  # noqa: N802
        return self.models[gpu_index]

    def getPowerManagementLimitConstraints(self, gpu_index: int) -> tuple[int, int]:  # noqa: N802
        return 100_000, 300_000 + gpu_index

    def supportsGetTotalEnergyConsumption(self, gpu_index: int) -> bool:  # noqa: N802
        return self.counts


def install(monkeypatch: pytest.MonkeyPatch, models: str, *, counts: bool = True) -> None:
    gpus = ZeusGpus(models, counts)
    monkeypatch.setitem(sys.modules, "zeus.device", SimpleNamespace(get_gpus=lambda: gpus))


def measure(monitor: Any) -> Measurement:
    known = adapt(monitor)
    known.begin_window("w")
    measured = known.end_window("w")
    assert isinstance(measured, Measurement)
    return measured


@pytest.mark.parametrize(("counts", "label"), [(True, EnergySource.COUNTER), (False, EnergySource.POWER)])
def test_a_zeus_monitor_bears_the_label_of_what_its_gpus_can(
    monkeypatch: pytest.MonkeyPatch, counts: bool, label: EnergySource
) -> None:
    install(monkeypatch, "HH", counts=counts)
    measured = measure(ZeusMonitor(ZeusMeasurement(2.0, {0: 10.0, 1: 20.0}, {0: 99.0})))
    assert (measured.time, measured.total_energy, measured.source) == (2.0, 30.0, label)
    assert count_once([reading_of(measured)]).energy_j == 30.0


def test_a_zeus_monitors_gpus_are_asked_of_its_own_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "AHH")
    devices = devices_of(ZeusMonitor(ZeusMeasurement(1.0, {1: 0.0, 2: 0.0})))
    assert (devices.number_of_gpus, devices.gpu_model) == (2, "H")
    assert devices.max_power_w == pytest.approx(600.003)


def test_a_zeus_monitors_gpus_bear_the_numbers_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "HH")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,3")
    measured = measure(ZeusMonitor(ZeusMeasurement(2.0, {0: 10.0, 1: 20.0})))
    assert [reading.device.name for reading in measured.readings] == ["gpu 5", "gpu 3"]


def test_gpus_of_several_models_are_an_error_for_a_zeus_monitor_too(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "AH")
    with pytest.raises(ZeusBSOMonitorError, match=r"several models \(A, H\)"):
        devices_of(ZeusMonitor(ZeusMeasurement(1.0, {0: 0.0, 1: 0.0})))


def test_a_zeus_monitor_of_cpus_is_labelled_rapl() -> None:
    measured = measure(ZeusMonitor(ZeusMeasurement(2.0, {}, {0: 10.0, 1: 20.0}, {0: 1.0}), cpu_indices=(0, 1)))
    assert (measured.total_energy, measured.source) == (31.0, EnergySource.RAPL)
    assert [reading.device.name for reading in measured.readings] == ["package 0", "package 1", "dram 0"]


def test_a_zeus_monitor_of_a_system_on_a_chip_reports_its_own_sum_without_a_label() -> None:
    measured = measure(ZeusMonitor(ZeusMeasurement(2.0, {}, soc_energy=object(), total_energy=8.0)))
    assert (measured.total_energy, measured.source) == (8.0, None)


def test_a_zeus_monitor_that_measures_nothing_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ZeusBSOMonitorError, match="zeus-bso doctor"):
        adapt(ZeusMonitor(ZeusMeasurement(1.0, {})))


class BaseEmissionsTracker:
    """Of the form of CodeCarbon's trackers."""

    def __init__(self, *, mode: str = "machine", busy: bool = False) -> None:
        self.mode = mode
        self.busy = busy
        self.names: list[str | None] = []

    def get_detected_hardware(self) -> dict[str, object]:
        return {"gpu_count": None, "gpu_ids": None}

    def start_task(self, task_name: str | None = None) -> None:
        self.names.append(task_name)

    def stop_task(self, task_name: str | None = None) -> Any:
        if self.busy:
            return None
        assert task_name == self.names[-1]
        return SimpleNamespace(duration=2.0, cpu_energy=1e-6, gpu_energy=0.0, ram_energy=2e-6, tracking_mode=self.mode)


BaseEmissionsTracker.__module__ = "codecarbon.emissions_tracker"


class OfflineEmissionsTracker(BaseEmissionsTracker):
    pass


def test_a_codecarbon_tracker_is_read_in_joules_and_labelled_an_estimate() -> None:
    measured = measure(OfflineEmissionsTracker())
    assert measured.total_energy == pytest.approx(3 * 3.6)
    assert (measured.time, measured.source) == (2.0, EnergySource.ESTIMATE)


@pytest.mark.parametrize(("mode", "times"), [("machine", 1), ("process", 2)])
def test_a_machine_that_two_trackers_track_counts_once_and_two_processes_twice(mode: str, times: int) -> None:
    window = reading_of(measure(OfflineEmissionsTracker(mode=mode)))
    elsewhere = reading_of(measure(OfflineEmissionsTracker(mode=mode)))
    if mode == "process":  # As if it had been another one.
        (reading,) = elsewhere.readings
        other = type(reading.device)(reading.device.host, "process 0", is_gpu=False)
        elsewhere = type(window)(2.0, (type(reading)(other, reading.energy_j, reading.source),))
    assert count_once([window, elsewhere]).energy_j == pytest.approx(times * 3 * 3.6)


def test_every_task_has_a_name_of_its_own() -> None:
    tracker = OfflineEmissionsTracker()
    known = adapt(tracker)
    for _ in range(3):
        known.begin_window("w")
        known.end_window("w")
    assert len(set(tracker.names)) == 3


def test_codecarbon_measures_one_window_at_a_time() -> None:
    known = adapt(OfflineEmissionsTracker())
    known.begin_window("w")
    with pytest.raises(ZeusBSOMonitorError, match="'w' is open"):
        known.begin_window("v")


def test_a_task_that_codecarbon_did_not_measure_is_an_error_that_says_why() -> None:
    known = adapt(OfflineEmissionsTracker(busy=True))
    known.begin_window("w")
    with pytest.raises(ZeusBSOMonitorError, match="allow_multiple_runs"):
        known.end_window("w")


def test_a_maximum_power_may_be_given_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "HH")
    assert devices_of(adapt(OfflineEmissionsTracker(), max_power=250.0)).max_power_w == 250.0
    of_gpus = devices_of(adapt(ZeusMonitor(ZeusMeasurement(1.0, {0: 0.0, 1: 0.0})), max_power=500.0))
    assert [device.max_power_w for device in of_gpus.each] == [250.0, 250.0]


def test_our_own_monitors_and_unknown_ones_are_left_as_they_are() -> None:
    for monitor in (EnergyMonitor(gpu_indices=[]), ReplayMonitor([]), SimpleNamespace(gpu_indices=[])):
        assert adapt(monitor) is monitor
