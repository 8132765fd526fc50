"""The AMD sensor over a library with the functions that it uses: no GPU is needed."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.gpu_libraries import amdsmi

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.sensors.amd import AmdSensor, gpu_is_visible, load_amdsmi
from zeus_bso.protocol.words import EnergySource


@pytest.fixture(autouse=True)
def _all_gpus_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)


def gpus(monkeypatch: pytest.MonkeyPatch, *described: dict[str, Any], count: int = 0) -> None:
    """Describe each GPU, or only say how many there are: number 0 is called a, number 1 is called b, and so on."""
    everything = described or tuple({"uuid": chr(ord("a") + number)} for number in range(count))
    plain = {"model": "Instinct", "power_w": 100.0, "limit_w": 750.0}
    monkeypatch.setenv("TEST_GPUS", json.dumps([{"uuid": "a"} | plain | gpu for gpu in everything]))


def names(sensor: AmdSensor) -> str:
    return "".join(part.name for part in sensor.gpus)


def test_the_accumulator_is_read_in_joules(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, {"uuid": "a", "power_w": 100.0}, {"uuid": "b", "power_w": 300.0})
    sensor = AmdSensor(library=amdsmi)
    assert sensor.source is EnergySource.COUNTER
    began, before = time.monotonic(), sensor.read()
    time.sleep(0.2)
    used, took_s = sensor.read().since(before), time.monotonic() - began
    assert 0.2 * 100 - 1 <= used.gpu[0] <= took_s * 100 + 1
    assert used.gpu[1] == pytest.approx(3 * used.gpu[0], rel=0.05)


def test_the_accumulator_may_bear_the_name_that_it_had_before_rocm_6_4(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, {"accumulator": "power"})
    assert AmdSensor(library=amdsmi).source is EnergySource.COUNTER


@pytest.mark.parametrize("counted_w", [None, 0.0, 30.0, 250.0])
def test_an_accumulator_that_is_missing_or_counts_wrongly_is_replaced_by_the_power(
    monkeypatch: pytest.MonkeyPatch, counted_w: float | None
) -> None:
    gpus(monkeypatch, {"counted_w": counted_w})
    assert AmdSensor(library=amdsmi).source is EnergySource.POWER


@pytest.mark.parametrize("name", ["current_socket_power", "average_socket_power", "socket_power"])
def test_the_power_that_the_generation_knows_is_integrated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    gpus(monkeypatch, {"counted_w": None, "power_name": name})
    sensor = AmdSensor(library=amdsmi)
    began, before = time.monotonic(), sensor.read()
    time.sleep(0.2)
    used_j = sensor.read().since(before).gpu[0]
    assert 0.2 * 100 <= used_j <= (time.monotonic() - began) * 100


@pytest.mark.parametrize(
    ("runtime", "hip", "cuda", "seen"),
    [
        (None, None, None, "abcd"),
        ("2,0", None, None, "ca"),
        (None, "3", None, "d"),
        (None, None, "1,2", "bc"),
        ("3,1,0", "2,0", None, "ad"),
        ("3,1,0", None, "1", "b"),
        (None, "0", "1", "a"),
        ("GPU-d, 0", None, None, "da"),
        ("0,-1,1", None, None, "a"),
    ],
)
def test_only_what_hip_shows_is_measured_in_its_order(
    monkeypatch: pytest.MonkeyPatch, runtime: str | None, hip: str | None, cuda: str | None, seen: str
) -> None:
    gpus(monkeypatch, *({"uuid": name, "hip_id": number} for number, name in enumerate("abcd")))
    values = {"ROCR_VISIBLE_DEVICES": runtime, "HIP_VISIBLE_DEVICES": hip, "CUDA_VISIBLE_DEVICES": cuda}
    for variable, value in values.items():
        if value is not None:
            monkeypatch.setenv(variable, value)
    assert names(AmdSensor(library=amdsmi)) == seen


def test_numbers_are_hips_own(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, {"uuid": "a", "hip_id": 1}, {"uuid": "b", "hip_id": 0})
    assert names(AmdSensor([0], library=amdsmi)) == "b"


@pytest.mark.parametrize("entry", ["4", "GPU-x"])
def test_a_variable_that_names_no_gpu_is_an_error_that_repeats_it(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    gpus(monkeypatch, count=2)
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", entry)
    with pytest.raises(ZeusBSOMonitorError, match=f"ROCR_VISIBLE_DEVICES names '{entry}'"):
        AmdSensor(library=amdsmi)


SECOND_DIE = {"uuid": "b", "power_w": 0, "counted_w": 0, "limit_w": 0}


def test_a_card_of_two_dies_counts_once_and_is_limited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, {"uuid": "a", "limit_w": 560.0}, SECOND_DIE)
    sensor = AmdSensor(library=amdsmi)
    assert sensor.source is EnergySource.COUNTER
    assert sensor.read().gpu[1] == 0
    assert (sensor.devices().max_power_w, sensor.devices().number_of_gpus) == (560.0, 2)


def test_a_second_die_alone_is_an_error_that_says_what_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, {"uuid": "a"}, SECOND_DIE)
    with pytest.raises(ZeusBSOMonitorError, match="choose the first dies too"):
        AmdSensor([1], library=amdsmi)


def test_a_first_die_alone_is_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, {"uuid": "a"}, SECOND_DIE)
    assert AmdSensor(library=amdsmi).notes == []
    assert "the energy of both is measured" in AmdSensor([0], library=amdsmi).notes[0]


def test_an_accumulator_is_believed_where_no_power_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, {"power_w": "N/A", "counted_w": 100.0})
    assert AmdSensor(library=amdsmi).source is EnergySource.COUNTER


def test_a_divided_gpu_and_a_shared_one_are_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, {"uuid": "a", "partition": "CPX"}, {"uuid": "b", "partition": "SPX", "pids": [2**22 + 1]})
    divided, shared = AmdSensor(library=amdsmi).notes
    assert "divided into partitions (CPX)" in divided
    assert "shared: other processes compute on it (4194305)" in shared


def test_a_limit_that_the_gpu_does_not_state_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, {"limit_w": 0})
    with pytest.raises(ZeusBSOMonitorError, match="max_power="):
        AmdSensor(library=amdsmi).devices()


def test_a_missing_library_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", None)
    with pytest.raises(ZeusBSOMonitorError, match="pip install amdsmi"):
        load_amdsmi()


def test_a_library_that_does_not_work_is_an_error_that_repeats_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", amdsmi)
    monkeypatch.setenv("TEST_AMDSMI_BROKEN", "1")
    with pytest.raises(ZeusBSOMonitorError, match=r"DRIVER_NOT_LOADED.*/dev/kfd"):
        load_amdsmi()


def test_a_library_that_shows_no_gpu_is_an_error_never_a_machine_without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_GPUS", "[]")
    with pytest.raises(ZeusBSOMonitorError, match=r"groups render and video.*gpu_indices=\[\]"):
        AmdSensor(library=amdsmi)


def node(nodes: Path, number: int, cpu_cores: int, simds: int) -> None:
    (nodes / str(number)).mkdir(parents=True)
    properties = f"cpu_cores_count {cpu_cores}\nsimd_count {simds}\nmem_banks_count 1\n"
    (nodes / str(number) / "properties").write_text(properties)


def test_a_gpu_is_visible_where_the_kernel_shows_one_beside_the_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = tmp_path / "nodes"
    node(nodes, 0, cpu_cores=16, simds=0)
    node(nodes, 1, cpu_cores=8, simds=8)
    (tmp_path / "kfd").touch()
    assert not gpu_is_visible(tmp_path, nodes)
    node(nodes, 2, cpu_cores=0, simds=304)
    assert gpu_is_visible(tmp_path, nodes)
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "-1")
    assert not gpu_is_visible(tmp_path, nodes)
    monkeypatch.delenv("HIP_VISIBLE_DEVICES")
    (tmp_path / "kfd").unlink()
    assert not gpu_is_visible(tmp_path, nodes)
