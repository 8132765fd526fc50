"""A run whose energy could not be measured all the time: it goes on, says so, and may be of no use."""

from __future__ import annotations

import time

import pytest

from zeus_bso.client.meter import Meter
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor import Measurement
from zeus_bso.protocol.messages import RunTotals
from zeus_bso.protocol.words import EnergySource

WINDOW_S = 0.02


class Moody:
    """Measures 100 W, unless it fails at the beginning or the end of a window.

    Args:
        moods: ``"ok"``, ``"begin"`` or ``"end"``, window by window.
    """

    gpu_indices = (0,)

    def __init__(self, *moods: str) -> None:
        self._moods = list(moods)
        self._open: dict[str, float] = {}

    def begin_window(self, name: str, /) -> None:
        if name in self._open:
            raise ValueError(f"{name} is open")
        if self._moods[0] == "begin":
            self._moods.pop(0)
            raise OSError("the driver is gone")
        self._open[name] = time.monotonic()

    def end_window(self, name: str, /) -> Measurement:
        began_s = self._open[name]
        if self._moods.pop(0) == "end":
            raise ZeusBSOMonitorError("GPU is lost.")
        del self._open[name]
        passed_s = time.monotonic() - began_s
        return Measurement(passed_s, gpu_energy={0: 100 * passed_s}, source=EnergySource.COUNTER)


def metered(*moods: str) -> Meter:
    meter = Meter(Moody(*moods), "run")
    train(meter, len(moods))
    return meter


def train(meter: Meter, windows: int) -> None:
    guard = TrainingGuard()
    for _ in range(windows):
        meter.open(guard)
        time.sleep(WINDOW_S)
        meter.close(guard)


@pytest.mark.parametrize("mood", ["begin", "end"])
@pytest.mark.parametrize("at", [0, 4, 9])
def test_a_window_that_failed_is_filled_in_and_the_run_is_learnt_from(
    mood: str, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    moods = ["ok"] * 10
    moods[at] = mood
    meter = metered(*moods)
    assert meter.time_s >= 10 * WINDOW_S
    assert meter.energy_j == pytest.approx(100 * meter.time_s, rel=0.05)
    assert meter.source is EnergySource.COUNTER
    assert len([line for line in caplog.messages if "Energy could not be measured" in line]) == 1


def test_a_run_of_which_too_much_is_missing_is_marked_so(caplog: pytest.LogCaptureFixture) -> None:
    meter = metered("ok", "ok", "end", "begin")
    assert meter.energy_j == pytest.approx(100 * meter.time_s, rel=0.05)
    assert meter.source is EnergySource.PARTIAL
    assert "nothing is learnt from it" in caplog.text


@pytest.mark.parametrize(
    ("before", "after", "source"),
    [
        (("ok", "end"), ("ok",), EnergySource.PARTIAL),
        (("end", "end"), ("ok",), EnergySource.PARTIAL),
        (("end",), ("ok",) * 5, EnergySource.COUNTER),
    ],
)
def test_what_is_missing_is_remembered_where_the_run_goes_on(
    before: tuple[str, ...], after: tuple[str, ...], source: EnergySource
) -> None:
    first, second = metered(*before), Meter(Moody(*after), "run")
    second.start_from(RunTotals(time=first.time_s, energy=first.energy_j), first.missing_s)
    train(second, len(after))
    assert second.missing_s == first.missing_s
    assert second.energy_j == pytest.approx(100 * second.time_s, rel=0.05)
    assert second.source is source


def test_a_run_without_any_measurement_has_its_time() -> None:
    meter = metered("end", "begin")
    assert meter.time_s >= 2 * WINDOW_S
    assert (meter.energy_j, meter.source) == (0.0, EnergySource.PARTIAL)
