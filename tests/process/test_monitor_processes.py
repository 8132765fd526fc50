"""What a monitor makes of other processes: its own children, its neighbours, and strangers on its GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from tests.unit.monitor.test_monitor_nvml import Gpus

from zeus_bso.monitor import EnergyMonitor
from zeus_bso.monitor.machine import host_id
from zeus_bso.monitor.sensors.estimate import cpu_time_s
from zeus_bso.monitor.sensors.nvml import NvmlSensor

BURN = """
import sys, time
while time.process_time() < 0.4: pass
print(time.process_time(), flush=True)
sys.stdin.readline()
"""

MEASURE = """
import json
from zeus_bso.monitor import EnergyMonitor
monitor = EnergyMonitor(gpu_indices=[], cpu="estimate")
monitor.begin_window("w")
print(json.dumps([[r.device.host, r.device.name] for r in monitor.end_window("w").readings]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="living children are counted on Linux only")
def test_a_childs_cpu_time_counts_once_while_it_lives_and_after_it_is_reaped() -> None:
    before = cpu_time_s()
    with subprocess.Popen(
        [sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        burnt = float(child.stdout.readline())
        living = cpu_time_s() - before
        child.communicate("\n")
    reaped = cpu_time_s() - before
    # Counted twice, it would be twice as much.
    assert 0.95 * burnt <= living < 1.9 * burnt
    assert 0.95 * burnt <= reaped < 1.9 * burnt


@pytest.mark.skipif(sys.platform != "linux", reason="other systems show no boot id")
def test_two_processes_of_a_machine_share_its_cpus_and_nothing_else() -> None:
    monitor = EnergyMonitor(gpu_indices=[], cpu="estimate")
    monitor.begin_window("w")
    own = {(reading.device.host, reading.device.name) for reading in monitor.end_window("w").readings}
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, timeout=240, check=True)
    others = {(host, name) for host, name in json.loads(done.stdout)}

    (shared,) = own & others
    assert shared[1].startswith("cpus ")
    assert {host for host, _ in own | others} == {host_id()}


def test_a_gpu_on_which_strangers_compute_is_flagged_and_kin_are_not() -> None:
    gpus = Gpus(["A"])
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        gpus.pids = [os.getpid(), os.getppid(), child.pid]
        assert NvmlSensor(library=gpus).notes == []
        child.communicate(b"\n")
    gpus.pids = [os.getpid(), 2**22 + 1]
    assert "shared: other processes compute on it (4194305)" in NvmlSensor(library=gpus).notes[0]
