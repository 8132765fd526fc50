"""Which sensor the monitor chooses, and what its windows hold."""

from __future__ import annotations

import logging
import sys
import tempfile
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from tests.support.nobody import NEEDS_ROOT, as_nobody

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor import DeviceInfo, EnergyMonitor, Measurement, ReplayMonitor, devices_of
from zeus_bso.monitor.sensors import choose
from zeus_bso.monitor.sensors.choose import Places
from zeus_bso.protocol.words import EnergySource

PLACES = ("dev", "powercap", "kfd", "ina3221", "device-tree", "no-driver")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any sensor; a test may add device files and counters to it."""
    for variable in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(choose, "PLACES", Places(*[tmp_path / name for name in PLACES]))
    for name in PLACES[:-1]:
        (tmp_path / name).mkdir()
    return tmp_path


def add_counter(root: Path, energy_uj: int = 0) -> Path:
    package = root / "intel-rapl:0"
    package.mkdir()
    (package / "name").write_text("package-0\n")
    (package / "energy_uj").write_text(f"{energy_uj}\n")
    (package / "max_energy_range_uj").write_text("1000000000\n")
    return package


def test_a_machine_without_sensors_is_estimated_and_says_so(machine: Path) -> None:
    monitor = EnergyMonitor()
    monitor.begin_window("w")
    measured = monitor.end_window("w")
    assert measured.source is monitor.source is EnergySource.ESTIMATE
    assert measured.gpu_energy is None
    assert measured.total_energy > 0
    assert measured.time > 0


def test_cpu_counters_come_before_the_estimate(machine: Path) -> None:
    package = add_counter(machine / "powercap")
    monitor = EnergyMonitor()
    monitor.begin_window("w")
    (package / "energy_uj").write_text("2500000\n")
    measured = monitor.end_window("w")
    assert (measured.source, measured.total_energy) == (EnergySource.RAPL, 2.5)


def test_the_estimate_may_be_asked_for_by_name(machine: Path) -> None:
    add_counter(machine / "powercap")
    assert EnergyMonitor(cpu="estimate").source is EnergySource.ESTIMATE


def test_a_visible_gpu_without_its_library_is_an_error_never_an_estimate(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "dev" / "nvidia0").touch()
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(ZeusBSOMonitorError, match=r"zeus-bso\[nvidia\]"):
        EnergyMonitor()


def test_a_gpu_that_is_not_wanted_is_left_alone(machine: Path) -> None:
    (machine / "dev" / "nvidia0").touch()
    assert EnergyMonitor(gpu_indices=[]).source is EnergySource.ESTIMATE


@NEEDS_ROOT
def test_closed_counters_are_said_once_and_the_estimate_serves(
    machine: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        here.chmod(0o755)
        (add_counter(here) / "energy_uj").chmod(0o400)
        monkeypatch.setattr(choose, "PLACES", Places(here, here, here, here, here, Path(name, "no-driver")))
        with as_nobody():
            with caplog.at_level(logging.WARNING, "zeus_bso"):
                monitor = EnergyMonitor()
            with pytest.raises(ZeusBSOMonitorError, match="sudo chmod"):
                EnergyMonitor(cpu="rapl")
    assert monitor.source is EnergySource.ESTIMATE
    assert [record.message.count("sudo chmod") for record in caplog.records] == [1]


def test_a_maximum_power_given_by_hand_is_taken(machine: Path) -> None:
    assert EnergyMonitor(max_power=95).devices().max_power_w == 95


@pytest.mark.parametrize("power", [0, -1, float("nan"), float("inf")])
def test_a_maximum_power_that_cannot_be_is_refused(machine: Path, power: float) -> None:
    with pytest.raises(ZeusBSOMonitorError, match="max_power"):
        EnergyMonitor(max_power=power)


def test_windows_may_overlap(machine: Path) -> None:
    monitor = EnergyMonitor()
    monitor.begin_window("outer")
    monitor.begin_window("inner")
    inner = monitor.end_window("inner")
    outer = monitor.end_window("outer")
    assert outer.time > inner.time


def test_a_window_is_neither_opened_nor_closed_twice(machine: Path) -> None:
    monitor = EnergyMonitor()
    monitor.begin_window("w")
    with pytest.raises(ZeusBSOMonitorError, match="open already"):
        monitor.begin_window("w")
    monitor.end_window("w")
    with pytest.raises(ZeusBSOMonitorError, match="not open"):
        monitor.end_window("w")


@pytest.mark.parametrize(
    ("energies", "total"),
    [
        ({"gpu_energy": {0: 5.0, 1: 7.0}, "cpu_energy": {0: 100.0}}, 12.0),
        ({"cpu_energy": {0: 3.0, 1: 4.0}, "dram_energy": {0: 0.5}}, 7.5),
        ({"gpu_energy": {}, "cpu_energy": {0: 3.0}}, 3.0),
    ],
)
def test_the_gpus_energy_is_reported_if_there_are_any_else_packages_and_memory(
    energies: dict[str, Any], total: float
) -> None:
    assert Measurement(time=1.0, **energies).total_energy == total


def test_a_replay_gives_exactly_the_given_windows_then_none() -> None:
    given = Measurement(time=2.0, gpu_energy={0: 1.0, 1: 2.0}, source=EnergySource.POWER)
    monitor = ReplayMonitor([(1.5, 30.0), given])
    answers = []
    for _ in range(2):
        monitor.begin_window("w")
        answers.append(monitor.end_window("w"))
    assert (answers[0].time, answers[0].gpu_energy, answers[0].source) == (1.5, {0: 30.0}, EnergySource.COUNTER)
    assert answers[1] == given
    monitor.begin_window("w")
    with pytest.raises(ZeusBSOMonitorError, match="replayed"):
        monitor.end_window("w")


def test_a_replay_claims_the_given_devices() -> None:
    claimed = DeviceInfo(max_power_w=65.0, number_of_gpus=0, gpu_model="Testium")
    monitor = ReplayMonitor([(1.0, 2.0)], claimed, source=EnergySource.RAPL)
    monitor.begin_window("w")
    devices, measured = devices_of(monitor), monitor.end_window("w")
    assert (devices.max_power_w, devices.number_of_gpus, devices.gpu_model) == (65.0, 0, "Testium")
    assert (measured.cpu_energy, measured.gpu_energy, measured.source) == ({0: 2.0}, None, EnergySource.RAPL)


def test_windows_to_replay_may_go_on_for_ever() -> None:
    monitor = ReplayMonitor(repeat((1.0, 10.0)))
    for _ in range(3):
        monitor.begin_window("w")
        assert monitor.end_window("w").total_energy == 10.0
