"""What importing the client costs a training script."""

from __future__ import annotations

import subprocess
import sys

import pytest

BUDGET_S = 0.25
ATTEMPTS = 8

# Processor time: it is what importing takes where nothing else runs, and tests run beside other tests.
TIMED_IMPORT = """
from time import process_time
began = process_time()
import zeus_bso
from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
print(process_time() - began)
"""

LOADED = """
import sys
import zeus_bso
from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
print("\\n".join(sys.modules))
"""


def output_of(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_client_takes_less_than_a_quarter_of_a_second() -> None:
    quickest = float("inf")
    for _ in range(ATTEMPTS):
        quickest = min(quickest, float(output_of(TIMED_IMPORT)))
        if quickest < BUDGET_S:
            return
    pytest.fail(f"the quickest of {ATTEMPTS} imports took {quickest:.3f} s")


@pytest.mark.parametrize(
    "heavy",
    [
        "zeus_bso.server",
        "zeus_bso.policy",
        "zeus_bso.cli",
        "sqlalchemy",
        "fastapi",
        "numpy",
        "rich",
        "pynvml",
        "torch",
        "asyncio",
    ],
)
def test_importing_the_client_does_not_load(heavy: str) -> None:
    loaded = set(output_of(LOADED).split())

    assert "zeus_bso.client.optimizer" in loaded
    assert heavy not in loaded
