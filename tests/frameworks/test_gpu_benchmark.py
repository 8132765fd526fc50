"""The benchmark on a GPU, tried on the CPU beside a GPU that is stood in for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import gpu_libraries

ROOT = Path(__file__).parents[2]
SMALL = ["--device", "cpu", "--width", "16", "--tokens", "1", "--learning-rate", "1e-3", "--epoch-s", "0.15"]
POWER_W = 250.0


def benchmark(*arguments: object) -> subprocess.CompletedProcess[str]:
    gpu = {"uuid": "GPU-1", "model": "Stand-in", "power_w": POWER_W, "limit_w": 700.0}
    folders = [str(ROOT), str(Path(gpu_libraries.__file__).parent)]
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *map(str, arguments)],
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(folders), "TEST_GPUS": json.dumps([gpu])},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.timeout(600)
def test_the_benchmark_measures_trains_and_reports_within_its_budget_and_draws_anew(tmp_path: Path) -> None:
    budget_s, planned, repeats = 30, 4, 500
    while True:
        out = tmp_path / str(budget_s)
        plan = ["--recurrences", 2, "--defaults", 2, "--repeats", repeats, "--epochs", 3, "--budget-s", budget_s]
        done = benchmark("--out", out, *SMALL, *plan)
        results = read(out / "gpu.json")
        if len(results["runs"]) > planned or budget_s > 100:
            break
        budget_s *= 2  # A busy machine needs longer.
    assert done.returncode == 0, done.stdout + done.stderr

    assert planned < len(results["runs"]) < 8 * repeats
    assert results["took_s"] < 1.5 * budget_s
    # The last of the others may have been given up.
    results["runs"] = results["runs"][:planned]
    assert results["machine"]["gpu"] == "Stand-in"
    assert [run["job"] for run in results["runs"]] == ["gpu-benchmark", "gpu-benchmark-default"] * 2
    assert [run for run in results["runs"] if "error" in run] == []
    for run in results["runs"]:
        assert run["source"] == "counter"
        assert run["energy_j"] == pytest.approx(POWER_W * run["time_s"], rel=0.1)
        assert sum(epoch["energy_j"] for epoch in run["epochs"]) == pytest.approx(run["energy_j"])
        metrics = [epoch["metric"] for epoch in run["epochs"]]
        assert [metric <= results["task"]["target"] for metric in metrics[:-1]] == [False] * (len(metrics) - 1)
    assert {"pair_s", "step_s"} <= set(results["costs"]["hook"])
    assert results["costs"]["profiling"]["windows"] > 3
    assert {"idle_s", "busy_s"} <= set(results["costs"]["window"])
    assert {"number", "synchronised", "tensor"} <= set(results["costs"]["on_evaluate"])
    report = results["report"]
    assert report["saved"]["default_runs"] >= 2
    assert report["saved"]["energy_j"]["product"]["per_default_run"] > 0
    assert report["spread"]["cost_per_epoch"]["dof"] >= 2
    assert report["counter_against_power"]["power"]["runs"]["counter_over_power"] == pytest.approx(1.0, abs=0.1)
    assert len(results["server"]["trials"]) == 2

    (out / "gpu.svg").unlink(missing_ok=True)
    assert benchmark("--figure-from", out / "gpu.json").returncode == 0
    assert (out / "gpu.svg").exists()
    assert "| 1024 (default) |" in (out / "gpu.md").read_text()


def test_the_sensor_check_sees_the_counter_rise_with_the_power(tmp_path: Path) -> None:
    done = benchmark("--out", tmp_path, "--sensors", "--seconds", 1, *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = read(tmp_path / "sensors.json")
    assert [name for name, check in checks.items() if "error" in check] == []
    for state in ("idle", "busy"):
        assert checks[state]["counter_falls"] == 0
        assert checks[state]["counter_w"] == pytest.approx(POWER_W, rel=0.1)
    assert checks["static"]["max_power_w"] == 700.0
    assert "NVIDIA GPUs" in checks["doctor "]["said"]


def test_an_error_and_a_hang_in_a_child_are_recorded() -> None:
    from benchmarks.gpu.child import Json, in_child

    def fail(result: Json) -> None:
        result["noted"] = 1
        raise ValueError("broken")

    def hang(result: Json) -> None:
        while True:
            pass

    failed = in_child(fail, 30)
    assert failed["noted"] == 1
    assert failed["error"] == "ValueError: broken"
    assert in_child(hang, 0.5)["error"].startswith("killed")
    assert "ended with 3" in in_child(lambda _: os._exit(3), 30)["error"]
