"""What the doctor shows of machines with the sensors that a test gives them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import gpu_libraries
from tests.support.forked import run_python
from tests.support.nobody import NEEDS_ROOT, as_nobody

from zeus_bso.cli.doctor import ESTIMATE_ONLY
from zeus_bso.client.power.claims import GpuClaim
from zeus_bso.monitor.sensors import choose
from zeus_bso.monitor.sensors.choose import Places
from zeus_bso.monitor.survey import survey

H100 = {"model": "H100", "power_w": 60.0, "limit_w": 700.0}
TWO_GPUS = [{"uuid": "GPU-aa", **H100}, {"uuid": "GPU-bb", **H100}]

PROGRAM = """
import sys
from pathlib import Path
from zeus_bso.monitor.sensors import choose
root = Path(sys.argv[1])
choose.PLACES = choose.Places(
    root / "dev", root / "powercap", root / "kfd", root / "ina3221", root / "device-tree", root / "no-driver"
)
from zeus_bso.cli.main import main
code = main(["doctor", *sys.argv[2:]])
heavy = {"rich", "numpy", "fastapi", "sqlalchemy"} & set(sys.modules)
assert not heavy, heavy
raise SystemExit(code)
"""


@pytest.fixture
def machine() -> Iterator[Path]:
    """A machine without any sensor, whose folders any user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        (Path(name) / "dev").mkdir()
        (Path(name) / "powercap").mkdir()
        yield Path(name)


def doctor(machine: Path, *arguments: str, gpus: list[dict[str, Any]] | None = None, **variables: str) -> Any:
    """Run it in a process of its own, on a machine with these GPUs; give the exit code and what it printed."""
    kept = {name: value for name, value in os.environ.items() if "VISIBLE_DEVICES" not in name}
    libraries = str(Path(gpu_libraries.__file__).parent)
    environment = kept | {"PYTHONPATH": libraries, "TEST_GPUS": json.dumps(gpus or [])} | variables
    command = [sys.executable, "-c", PROGRAM, str(machine), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout) if "--json" in arguments else done.stdout


def with_nvidia(machine: Path) -> Path:
    (machine / "dev" / "nvidia0").touch()
    return machine


def with_amd(machine: Path) -> Path:
    (machine / "dev" / "kfd").touch()
    (machine / "kfd" / "1").mkdir(parents=True)
    (machine / "kfd" / "1" / "properties").write_text("cpu_cores_count 0\nsimd_count 304\n")
    return machine


def with_rapl(machine: Path) -> Path:
    for number, name in (("0", "package-0"), ("0:0", "core"), ("0:1", "dram"), ("1", "psys")):
        zone = machine / "powercap" / f"intel-rapl:{number}"
        zone.mkdir()
        (zone / "name").write_text(f"{name}\n")
        (zone / "energy_uj").write_text("1000\n")
        (zone / "max_energy_range_uj").write_text("1000000\n")
        (zone / "constraint_0_max_power_uw").write_text("125000000\n")
    return machine


def finding(shown: Any, sensor: str) -> tuple[str, str]:
    (found,) = (found for found in shown["findings"] if found["sensor"] == sensor)
    return found["state"], found["sentence"]


def test_nvidia_gpus_are_shown_with_what_a_run_would_report(machine: Path) -> None:
    code, shown = doctor(with_nvidia(machine), "--json", "--seconds", "0.5", gpus=TWO_GPUS)

    assert code == 0
    assert [(gpu["index"], gpu["uuid"], gpu["max_power_w"], gpu["source"]) for gpu in shown["gpus"]] == [
        (0, "GPU-aa", 700.0, "counter"),
        (1, "GPU-bb", 700.0, "counter"),
    ]
    assert (shown["source"], shown["devices"]["max_power_w"], shown["devices"]["number_of_gpus"]) == (
        "counter",
        1400,
        2,
    )
    assert shown["live"]["power_w"] == pytest.approx({"GPU-aa": 60.0, "GPU-bb": 60.0}, rel=0.05)
    assert shown["live"]["reported_w"] == pytest.approx(120.0, rel=0.05)
    assert shown["live"]["told_w"] == 120.0


def test_amd_gpus_are_shown_likewise(machine: Path) -> None:
    mi300 = {"uuid": "aa", "model": "MI300X", "power_w": 140.0, "limit_w": 750.0, "counted_w": None}
    code, shown = doctor(with_amd(machine), "--json", "--seconds", "0.5", gpus=[mi300])

    assert code == 0
    assert (shown["source"], shown["devices"]["gpu_model"]) == ("power", "MI300X")
    assert shown["live"]["reported_w"] == pytest.approx(140.0, rel=0.05)
    assert shown["live"]["told_w"] is None


def test_a_divided_gpu_is_flagged(machine: Path) -> None:
    _, shown = doctor(with_nvidia(machine), "--seconds", "0", gpus=[TWO_GPUS[0] | {"mig": 1}])

    assert "GPU GPU-aa is divided into slices (MIG)" in shown


def test_a_visible_gpu_that_cannot_be_measured_ends_with_1_and_the_remedy(machine: Path) -> None:
    code, shown = doctor(with_nvidia(machine), "--json", gpus=TWO_GPUS, TEST_NVML_BROKEN="1")

    assert code == 1
    assert (shown["source"], shown["live"]) == (None, None)
    assert finding(shown, "NVIDIA GPUs") == ("fails", shown["problem"])
    assert "Driver/library version mismatch" in shown["problem"]
    assert "nvidia-smi" in shown["problem"]


def test_gpus_of_several_models_end_with_1_because_no_job_could_begin(machine: Path) -> None:
    gpus = [TWO_GPUS[0], TWO_GPUS[1] | {"model": "A100"}]
    code, shown = doctor(with_nvidia(machine), "--json", "--seconds", "0", gpus=gpus)

    assert (code, shown["devices"]) == (1, None)
    assert "several models" in shown["problem"]


def test_hidden_gpus_are_said_to_be_hidden_and_the_estimate_ends_with_3(machine: Path) -> None:
    arguments = ("--json", "--seconds", "0")
    code, shown = doctor(with_nvidia(machine), *arguments, gpus=TWO_GPUS, CUDA_VISIBLE_DEVICES="")

    assert (code, shown["source"]) == (ESTIMATE_ONLY, "estimate")
    assert finding(shown, "NVIDIA GPUs") == ("not found", "Hidden from this process by CUDA_VISIBLE_DEVICES=''.")


def test_cpu_counters_are_listed_and_only_packages_and_memory_are_measured(machine: Path) -> None:
    code, shown = doctor(with_rapl(machine), "--json", "--seconds", "0.1")

    assert (code, shown["source"], shown["devices"]["max_power_w"]) == (0, "rapl", 125.0)
    assert {zone["name"]: zone["counted"] for zone in shown["zones"]} == {
        "package-0": True,
        "core": False,
        "dram": True,
        "psys": False,
    }
    assert set(shown["live"]["power_w"]) == {"package 0", "dram 0"}


@NEEDS_ROOT
def test_closed_cpu_counters_are_shown_with_the_command_that_opens_them(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in with_rapl(machine).glob("powercap/*/energy_uj"):
        path.chmod(0o400)
    absent = machine / "absent"
    places = Places(machine / "dev", machine / "powercap", absent, absent, absent, absent)
    monkeypatch.setattr(choose, "PLACES", places)
    survey(0)  # Loads what it needs before this user may read nothing any more.
    with as_nobody():
        found = survey(0)

    (rapl,) = (finding for finding in found.findings if finding.sensor == "CPU (RAPL)")
    assert rapl.state == "fails"
    assert "sudo chmod a+r" in rapl.sentence
    assert [zone.readable for zone in found.zones] == [False] * 4
    assert found.source is not None
    assert found.source.value == "estimate"


def test_cpu_counters_that_a_container_engine_hides_are_said_to_be_hidden(machine: Path) -> None:
    (machine / "powercap" / "intel-rapl:0").symlink_to("../../devices/virtual/powercap/intel-rapl/intel-rapl:0")
    code, shown = doctor(machine, "--json", "--seconds", "0")

    state, sentence = finding(shown, "CPU (RAPL)")
    assert (code, state) == (ESTIMATE_ONLY, "not found")
    assert "systempaths=unconfined" in sentence


def test_for_people_it_prints_a_page_and_measures_two_seconds_unless_told(machine: Path) -> None:
    code, shown = doctor(machine, "--seconds", "0.2")

    assert code == ESTIMATE_ONLY
    for line in ("Sensors", "A training here reports", "  source     estimate: nothing here is measured", "Server"):
        assert line in shown.splitlines()
    assert re.search(r" W over 0\.\d+ s$", shown, re.MULTILINE)
    assert all(len(line) <= 80 or str(machine) in line for line in shown.splitlines())


def test_a_server_that_does_not_answer_is_said_so_and_changes_no_exit_code(machine: Path) -> None:
    url = "http://user:secret@127.0.0.1:9"
    code, shown = doctor(machine, "--json", "--seconds", "0", ZEUS_BSO_SERVER_URL=url)

    assert code == ESTIMATE_ONLY
    assert (shown["server"]["address"], shown["server"]["usable"]) == ("http://127.0.0.1:9", False)
    assert "cannot be reached" in shown["server"]["sentence"]


def test_an_embedded_server_is_not_opened(machine: Path, tmp_path: Path) -> None:
    file = tmp_path / "jobs.db"
    _, shown = doctor(machine, "--json", "--seconds", "0", ZEUS_BSO_SERVER_URL=f"sqlite:///{file}")

    assert shown["server"]["usable"]
    assert not file.exists()


@pytest.mark.parametrize("seconds", ["x", "-1", "nan", "1e9"])
def test_a_duration_that_is_none_is_bad_use(machine: Path, seconds: str) -> None:
    done = run_python("-m", "zeus_bso", "doctor", "--seconds", seconds)

    assert done.returncode == 2
    assert "no number of seconds" in done.stderr


class TestPowerLimits:
    def test_the_limits_and_who_may_set_them_are_shown(self, machine: Path) -> None:
        _, shown = doctor(with_nvidia(machine), "--json", "--seconds", "0", gpus=TWO_GPUS)

        first = shown["power_limits"][0]
        assert (first["lowest_w"], first["highest_w"], first["now_w"]) == (100.0, 700.0, 700.0)
        assert first["may_set"] is (os.geteuid() == 0) or "SYS_ADMIN" in first["sentence"]

    def test_a_divided_gpu_is_left_alone(self, machine: Path) -> None:
        _, shown = doctor(with_nvidia(machine), "--json", "--seconds", "0", gpus=[TWO_GPUS[0] | {"mig": 1}])

        assert shown["power_limits"][0]["may_set"] is False
        assert "MIG" in shown["power_limits"][0]["sentence"]

    def test_a_limit_that_a_dead_run_has_left_is_restored(self, machine: Path, tmp_path: Path) -> None:
        folder, state = tmp_path / "power", tmp_path / "state"
        state.mkdir()
        state.chmod(0o777)
        (state / "GPU-aa.json").write_text(json.dumps({"limit_mw": 300_000, "spent_mj": 0.0, "since_s": 0.0}))
        claim = GpuClaim(folder, "GPU-aa")
        claim.take()
        claim.record(650.0, (300.0,))
        claim.release()
        places = {"ZEUS_BSO_POWER_DIR": str(folder), "TEST_GPU_STATE": str(state)}
        with_nvidia(machine)

        _, shown = doctor(machine, "--seconds", "0", gpus=TWO_GPUS, **places)
        assert "--restore-power" in shown
        code, said = doctor(machine, "--restore-power", gpus=TWO_GPUS, **places)
        assert (code, "650 W is restored" in said) == (0, True)
        assert json.loads((state / "GPU-aa.json").read_text())["limit_mw"] == 650_000
        code, said = doctor(machine, "--restore-power", gpus=TWO_GPUS, **places)
        assert (code, said) == (0, f"No run of this user has left a power limit behind (in {folder}).\n")

    def test_a_gpu_that_is_not_seen_is_told(self, machine: Path, tmp_path: Path) -> None:
        claim = GpuClaim(tmp_path, "GPU-zz")
        claim.take()
        claim.record(650.0, (300.0,))
        claim.release()
        with_nvidia(machine)

        code, said = doctor(machine, "--restore-power", gpus=TWO_GPUS, ZEUS_BSO_POWER_DIR=str(tmp_path))
        assert code != 0
        assert "does not see the GPU" in said
