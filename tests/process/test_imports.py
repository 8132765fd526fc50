"""What importing the client costs a training script."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    *("zeus_bso.server", "zeus_bso.policy", "zeus_bso.cli"),
    *("sqlalchemy", "fastapi", "numpy", "rich", "pynvml", "torch", "asyncio"),
}
MOST_TIMES_PYDANTIC = 2.5
ATTEMPTS = 8

# Processor time, and beside that of a package that every client loads: machines differ, and are busy with other tests.
TIMED_IMPORT = """
from time import process_time
began = process_time()
{}
print(process_time() - began)
"""
CLIENT = """
import zeus_bso
from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
"""
PYDANTIC = """
import pydantic
class Model(pydantic.BaseModel):
    number: int = 0
"""

LOADED = """
import sys
import zeus_bso
from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
print("\\n".join(sys.modules))
"""


def output_of(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_client_takes_little_more_than_importing_what_it_rests_on() -> None:
    client, pydantic = float("inf"), float("inf")
    for _ in range(ATTEMPTS):
        client = min(client, float(output_of(TIMED_IMPORT.format(CLIENT))))
        pydantic = min(pydantic, float(output_of(TIMED_IMPORT.format(PYDANTIC))))
        if client < MOST_TIMES_PYDANTIC * pydantic:
            return

    pytest.fail(f"importing the client takes {client:.3f} s, and importing pydantic {pydantic:.3f} s")


def test_importing_the_client_loads_nothing_heavy() -> None:
    loaded = set(output_of(LOADED).split())

    assert "zeus_bso.client.batch_size_optimizer" in loaded
    assert loaded & HEAVY == set()


def test_importing_the_monitors_loads_neither_nvml_nor_numpy() -> None:
    code = "import sys, zeus_bso.monitor; print({'pynvml', 'numpy', 'urllib3'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
