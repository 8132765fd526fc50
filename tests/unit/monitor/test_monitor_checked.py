"""What counters do that no energy does, and what is made of it."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor import EnergyMonitor
from zeus_bso.monitor.sensors import choose
from zeus_bso.monitor.sensors.checked import CheckedEnergy, check_window
from zeus_bso.monitor.sensors.choose import Places
from zeus_bso.monitor.sensors.rapl import RaplSensor


class Device:
    """Takes 300 W, and tells so until it is made to do otherwise; time passes when it is told to."""

    def __init__(self, *, counts: bool = True, tells_power: bool = True, wraps_at_j: float | None = None) -> None:
        self.now_s = 0.0
        self.watts = 300.0
        self.counted_j = 1e6
        self.counter_fails = self.power_fails = self.frozen = False
        self.told_w: float | None = None
        self.energy = CheckedEnergy(
            "GPU x",
            counter=self._count if counts else None,
            power=self._tell if tells_power else None,
            limit_w=400.0,
            wraps_at_j=wraps_at_j,
            clock=lambda: self.now_s,
        )
        self._began_j = self.energy.joules

    def train(self, seconds: float, looks: int = 10) -> None:
        for _ in range(looks):
            self.now_s += seconds / looks
            if not self.frozen:
                self.counted_j += self.watts * seconds / looks
            self.energy.update()

    @property
    def used_j(self) -> float:
        return self.energy.joules - self._began_j

    def _count(self) -> float:
        if self.counter_fails:
            raise ZeusBSOMonitorError("GPU is lost.")
        return self.counted_j

    def _tell(self) -> float:
        if self.power_fails:
            raise ZeusBSOMonitorError("GPU is lost.")
        return self.watts if self.told_w is None else self.told_w


def roughly(joules: float, *, off_by: float = 0.05) -> object:
    return pytest.approx(joules, rel=off_by)


def test_a_counter_that_is_sound_is_taken_as_it_is() -> None:
    device = Device()
    device.train(10)
    assert device.used_j == pytest.approx(3000.0)
    assert (device.energy.unmeasured_s, device.energy.trouble) == (0.0, None)


@pytest.mark.parametrize(
    "to_j",
    [0.0, 10.0, 999_000.0, 2.6e7, 1e15, math.nan, math.inf, -5.0],
    ids=["reset", "reset a while ago", "falls", "jumps", "jumps far", "nan", "inf", "negative"],
)
def test_a_counter_that_is_somewhere_else_is_bridged_by_the_power(
    to_j: float, caplog: pytest.LogCaptureFixture
) -> None:
    device = Device()
    device.train(5)
    device.counted_j = to_j
    device.train(1, looks=1)
    if not math.isfinite(to_j):
        device.counted_j = 5000.0
    device.train(4)
    assert device.used_j == roughly(3000.0)
    assert device.energy.unmeasured_s == 0
    assert len([line for line in caplog.messages if "GPU x" in line]) <= 2


def test_a_counter_that_stands_still_is_bridged_by_the_power_and_believed_again() -> None:
    device = Device()
    device.train(5)
    device.frozen = True
    device.train(5)
    assert device.used_j == roughly(3000.0)
    device.frozen = False
    device.train(10)
    assert device.used_j == roughly(6000.0)
    assert "stands still" in str(device.energy.trouble)


def test_a_counter_that_catches_up_is_not_counted_twice() -> None:
    device = Device()
    device.frozen = True
    device.train(5)
    device.counted_j += 5 * 300.0
    device.frozen = False
    device.train(5)
    assert device.used_j == roughly(3000.0, off_by=0.01)


def test_a_counter_that_moves_in_steps_is_not_said_to_stand_still(caplog: pytest.LogCaptureFixture) -> None:
    device = Device()
    for _ in range(50):
        device.frozen = True
        device.train(0.09, looks=9)
        device.frozen = False
        device.counted_j += 0.09 * 300
        device.train(0.01, looks=1)
    assert device.used_j == pytest.approx(1500.0)
    assert caplog.messages == []


def test_a_device_at_rest_may_stand_still() -> None:
    device = Device()
    device.watts = 0.0
    device.train(60)
    assert (device.used_j, device.energy.trouble) == (0.0, None)


def test_a_counter_that_fails_for_a_while_is_made_up_by_what_it_says_afterwards() -> None:
    device = Device()
    device.train(5)
    device.counter_fails = device.power_fails = True
    device.train(5)
    assert device.energy.unmeasured_s == pytest.approx(5.0)
    device.counter_fails = device.power_fails = False
    device.train(5)
    assert device.used_j == roughly(4500.0, off_by=0.01)
    assert device.energy.unmeasured_s == pytest.approx(0.0)


def test_a_device_that_is_lost_is_unmeasured_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    device = Device()
    device.train(5)
    device.counter_fails = device.power_fails = True
    device.train(50)
    assert device.energy.unmeasured_s == pytest.approx(50.0)
    assert "GPU is lost" in str(device.energy.trouble)
    assert len(caplog.messages) == 1


def test_a_wrap_is_told_from_a_reset() -> None:
    wraps = Device(tells_power=False, wraps_at_j=1e6 + 1500)
    wraps.train(4)
    wraps.counted_j -= 1e6 + 1500
    wraps.train(6)
    assert wraps.used_j == pytest.approx(3000.0)
    assert wraps.energy.unmeasured_s == 0
    resets = Device(tells_power=False, wraps_at_j=2e6)
    resets.train(5)
    resets.counted_j = 0.0
    resets.train(5)
    assert resets.used_j == roughly(3000.0)
    assert resets.energy.unmeasured_s == pytest.approx(0.5)


@pytest.mark.parametrize("told_w", [-1.0, math.nan, math.inf, 1e6])
def test_a_power_that_cannot_be_is_not_integrated(told_w: float) -> None:
    device = Device(counts=False)
    device.train(10, looks=100)
    device.told_w = told_w
    device.train(1, looks=10)
    device.told_w = None
    device.train(9, looks=90)
    assert device.used_j == roughly(6000.0)
    assert device.energy.unmeasured_s == pytest.approx(1.0)


FAULTS = st.sampled_from(["reset", "jump", "freeze", "thaw", "counter", "counter back", "power", "power back", "none"])


@given(st.lists(st.tuples(FAULTS, st.floats(0.01, 5.0)), max_size=40))
def test_whatever_the_counter_does_no_more_is_counted_than_the_device_can_take(lives: list[tuple[str, float]]) -> None:
    device = Device()
    before_j = 0.0
    for fault, seconds in lives:
        if fault == "reset":
            device.counted_j = 0.0
        elif fault == "jump":
            device.counted_j += 1e7
        elif fault in ("freeze", "thaw"):
            device.frozen = fault == "freeze"
        elif fault.startswith("counter"):
            device.counter_fails = fault == "counter"
        elif fault.startswith("power"):
            device.power_fails = fault == "power"
        device.train(seconds, looks=3)
        assert device.used_j >= before_j, "it never falls"
        before_j = device.used_j
    spent_s = sum(seconds for _, seconds in lives)
    assert device.used_j <= 1.5 * 400 * (spent_s + 0.2 * (1 + len(lives)))
    assert 0 <= device.energy.unmeasured_s <= spent_s + 1e-6


class TestAnotherPackagesWindow:
    @pytest.mark.parametrize(("energy_j", "time_s"), [(-1.0, 1.0), (2.6e7, 10.0), (0.0, 5.0), (math.nan, 1.0)])
    def test_that_cannot_be_is_refused(self, energy_j: float, time_s: float) -> None:
        with pytest.raises(ZeusBSOMonitorError, match="cannot have used"):
            check_window("GPU 0", energy_j, time_s, 400.0)

    @pytest.mark.parametrize(("energy_j", "time_s"), [(300.0, 1.0), (0.0, 0.05), (30.0, 0.001)])
    def test_that_can_be_is_taken(self, energy_j: float, time_s: float) -> None:
        check_window("GPU 0", energy_j, time_s, 400.0)


class TestTheCpusCounters:
    @pytest.fixture
    def zone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        zone = tmp_path / "intel-rapl:0"
        zone.mkdir()
        (zone / "name").write_text("package-0\n")
        (zone / "energy_uj").write_text("50000000000")
        (zone / "max_energy_range_uj").write_text("262143328850")
        (zone / "constraint_0_max_power_uw").write_text("65000000")
        monkeypatch.setattr(choose, "PLACES", Places(dev=tmp_path, powercap=tmp_path))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        return zone

    def test_a_reset_is_no_wrap(self, zone: Path) -> None:
        sensor = RaplSensor(zone.parent)
        before = sensor.read()
        (zone / "energy_uj").write_text("1000000")
        used = sensor.read().since(before)
        assert used.cpu[0] < 100
        assert used.trouble is not None

    def test_a_window_that_they_do_not_measure_is_an_error_that_says_why(self, zone: Path) -> None:
        monitor = EnergyMonitor()
        monitor.begin_window("w")
        (zone / "energy_uj").unlink()
        with pytest.raises(ZeusBSOMonitorError, match="CPU package 0 cannot be read"):
            monitor.end_window("w")
        (zone / "energy_uj").write_text("50001000000")
        monitor.begin_window("w")
        assert monitor.end_window("w").total_energy < 100

    @pytest.mark.parametrize("content", ["", "nonsense", None])
    def test_counters_that_cannot_be_read_leave_the_estimate(
        self, zone: Path, content: str | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        (zone / "energy_uj").unlink()
        if content is not None:
            (zone / "energy_uj").write_text(content)
        with caplog.at_level(logging.WARNING):
            assert EnergyMonitor().source.value == "estimate"
        assert "cannot be read" in caplog.text


def test_windows_may_be_begun_anew_and_forgotten_as_in_the_zeus_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "PLACES", Places(dev=tmp_path, powercap=tmp_path))
    monitor = EnergyMonitor(gpu_indices=[])
    monitor.begin_window("epoch", sync_execution=True)
    monitor.begin_window("epoch", sync_execution=False, restart=True)
    assert monitor.end_window("epoch", sync_execution=True, cancel=True).total_energy == 0
    monitor.begin_window("epoch")
    assert monitor.end_window("epoch", restart=True).time >= 0
    assert monitor.end_window("epoch", cancel=True).time == 0
