"""The estimate: its formula, and the CPU time under it."""

from __future__ import annotations

from zeus_bso.monitor.sensors.estimate import EstimateSensor, PowerModel
from zeus_bso.protocol.words import EnergySource

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
