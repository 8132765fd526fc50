"""What tells machines, processes and their parts apart."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from zeus_bso.monitor.machine import host_id, spans

MEASURE = """
import json
from zeus_bso.monitor import EnergyMonitor
monitor = EnergyMonitor(gpu_indices=[], cpu="estimate")
monitor.begin_window("w")
print(json.dumps([[r.device.host, r.device.name] for r in monitor.end_window("w").readings]))
"""


@pytest.mark.parametrize(
    ("numbers", "text"), [([0], "0"), ([0, 1, 2, 3], "0-3"), ([0, 2, 3, 8], "0,2-3,8"), ([5, 6], "5-6")]
)
def test_cpus_are_listed_as_the_kernel_lists_them(numbers: list[int], text: str) -> None:
    assert spans(numbers) == text


def test_a_machine_that_has_no_boot_id_bears_its_name(tmp_path: Path) -> None:
    assert host_id(tmp_path) == platform.node()
