"""RAPL over a real tree of files, laid out as Linux's powercap file system is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.nobody import NEEDS_ROOT, as_nobody

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.sensors.estimate import machine_model
from zeus_bso.monitor.sensors.rapl import RaplSensor, has_counters


def zone(root: Path, number: str, name: str, energy_uj: int, range_uj: int = 10**9, **files: int) -> Path:
    path = root / f"intel-rapl:{number}"
    path.mkdir()
    for file, value in {"energy_uj": energy_uj, "max_energy_range_uj": range_uj, **files}.items():
        (path / file).write_text(f"{value}\n")
    (path / "name").write_text(f"{name}\n")
    return path


def count(path: Path, energy_uj: int) -> None:
    (path / "energy_uj").write_text(f"{energy_uj}\n")


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that any user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_each_package_and_its_memory_are_counted_from_the_start(tmp_path: Path) -> None:
    packages = [zone(tmp_path, "0", "package-0", 5_000_000), zone(tmp_path, "1", "package-1", 7_000_000)]
    memory = zone(tmp_path, "1:0", "dram", 100)
    sensor = RaplSensor(tmp_path)
    count(packages[0], 6_500_000)
    count(packages[1], 9_000_000)
    count(memory, 250_100)
    reading = sensor.read()
    assert reading.cpu == {0: 1.5, 1: 2.0}
    assert reading.dram == {1: 0.25}


def test_the_platform_and_the_parts_of_a_package_are_not_counted_twice(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 0)
    parts = [zone(tmp_path, "0:0", "core", 0), zone(tmp_path, "0:1", "uncore", 0), zone(tmp_path, "1", "psys", 0)]
    sensor = RaplSensor(tmp_path)
    for part in parts:
        count(part, 1_000_000)
    assert (sensor.read().cpu, sensor.read().dram) == ({0: 0.0}, {})


def test_a_counter_that_overflows_goes_on_from_its_range(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", 9_000_000, range_uj=10_000_000)
    sensor = RaplSensor(tmp_path)
    joules = []
    for energy_uj in (500_000, 9_500_000, 1_000_000):
        count(package, energy_uj)
        joules.append(sensor.read().cpu[0])
    assert joules == [1.5, 1.5 + 9.0, 1.5 + 9.0 + 1.5]


def test_a_package_that_takes_more_than_its_design_power_is_measured(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", 0, constraint_0_max_power_uw=15_000_000)
    sensor = RaplSensor(tmp_path)
    count(package, 60_000_000)
    reading = sensor.read()
    assert (reading.cpu, reading.trouble, sum(reading.unmeasured_s.values())) == ({0: 60.0}, None, 0.0)


def test_the_maximum_power_is_the_sum_of_the_design_powers(tmp_path: Path) -> None:
    for number in ("0", "1"):
        zone(tmp_path, number, f"package-{number}", 0, constraint_0_max_power_uw=125_000_000)
    assert RaplSensor(tmp_path).devices().max_power_w == 250.0


def test_where_no_design_power_is_stated_the_present_limit_counts(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 0, constraint_0_max_power_uw=0, constraint_0_power_limit_uw=65_000_000)
    assert RaplSensor(tmp_path).devices().max_power_w == 65.0


def test_where_no_limit_is_stated_the_maximum_power_is_the_estimates(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 0)
    assert RaplSensor(tmp_path).devices().max_power_w == machine_model().max_power_w


def test_a_cpu_is_no_gpu_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Testium 5000 @ 3 GHz\n")
    zone(tmp_path, "0", "package-0", 0)
    devices = RaplSensor(tmp_path, proc=tmp_path).devices()
    assert (devices.number_of_gpus, devices.gpu_model) == (0, "Testium 5000 @ 3 GHz")


@NEEDS_ROOT
def test_closed_counters_are_explained_in_one_sentence_with_the_command(open_to_all: Path) -> None:
    package = zone(open_to_all, "0", "package-0", 0)
    (package / "energy_uj").chmod(0o400)
    with as_nobody(), pytest.raises(ZeusBSOMonitorError, match=r"sudo chmod a\+r .*/intel-rapl:\*/energy_uj$"):
        RaplSensor(open_to_all)


def test_a_machine_without_counters_is_told_apart(tmp_path: Path) -> None:
    zone(tmp_path, "0", "psys", 0)
    assert not has_counters(tmp_path)
    with pytest.raises(ZeusBSOMonitorError, match="no CPU energy counter"):
        RaplSensor(tmp_path)
