"""What the benchmark on a GPU installs is what the package asks for."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_benchmark_on_a_gpu_asks_for_the_versions_that_the_package_asks_for() -> None:
    lines = (ROOT / "benchmarks" / "gpu" / "requirements.txt").read_text().splitlines()
    wanted = {line for line in lines if line and not line.startswith("#")}
    declared = set(re.findall(r'^\s*"([^"]+)",$|"(nvidia-ml-py[^"]*)"', (ROOT / "pyproject.toml").read_text(), re.M))
    assert wanted <= {name for pair in declared for name in pair}


def test_whatever_the_client_needs_without_a_server_is_among_them() -> None:
    wanted = (ROOT / "benchmarks" / "gpu" / "requirements.txt").read_text()
    base = (ROOT / "pyproject.toml").read_text().partition("dependencies = [")[2].partition("]")[0]
    names = re.findall(r'"([a-z0-9-]+)', base)
    assert names
    assert [name for name in names if not re.search(rf"^{name}\b", wanted, re.M)] == []
