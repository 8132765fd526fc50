"""The estimate: its formula, and the CPU time under it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from zeus_bso.common import EnergySource
from zeus_bso.monitor.estimate import EstimateSensor, PowerModel, cpu_time_s

BURN = "import sys, time\nwhile time.process_time() < 0.4: pass\nprint('burnt', flush=True)\nsys.stdin.readline()\n"


def test_idle_power_runs_with_the_clock_and_the_rest_with_cpu_time() -> None:
    model = PowerModel(cpus=4, idle_w=1.0, busy_w=3.0)
    assert model.idle_j(10.0) + model.busy_j(5.0) == 4 * 1.0 * 10.0 + (3.0 - 1.0) * 5.0


def test_all_cpus_busy_draw_the_maximum_power() -> None:
    model = PowerModel(cpus=4, idle_w=1.0, busy_w=3.0)
    assert model.idle_j(1.0) + model.busy_j(4.0) == model.max_power_w == 12.0


def test_the_sensor_calls_itself_an_estimate_and_never_falls() -> None:
    sensor = EstimateSensor(PowerModel(cpus=1))
    joules = [sensor.read().cpu[0] for _ in range(20)]
    assert sensor.source is EnergySource.ESTIMATE
    assert joules == sorted(joules)


@pytest.mark.skipif(sys.platform != "linux", reason="living children are counted on Linux only")
def test_a_childs_cpu_time_counts_once_while_it_lives_and_after_it_is_reaped() -> None:
    before = cpu_time_s()
    with subprocess.Popen(
        [sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "burnt\n"
        living = cpu_time_s() - before
        child.communicate("\n")
    reaped = cpu_time_s() - before
    assert 0.38 <= living < 0.7
    assert 0.38 <= reaped < 0.7
