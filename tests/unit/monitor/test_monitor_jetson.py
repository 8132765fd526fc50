"""A Jetson's power monitors over a real tree of files, laid out as Linux's hwmon file system is."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.nobody import NEEDS_ROOT, as_nobody

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.sensors.jetson import JetsonModule, JetsonSensor, is_jetson
from zeus_bso.protocol.words import EnergySource

ORIN_NX = {"1-0040": {"VDD_IN": (5000, 2000), "VDD_CPU_GPU_CV": (5000, 900), "VDD_SOC": (5000, 500)}}
AGX_ORIN = {
    "1-0040": {"VDD_GPU_SOC": (19000, 1000), "VDD_CPU_CV": (19000, 500), "VIN_SYS_5V0": (5000, 900)},
    "1-0041": {"NC": (0, 0), "VDDQ_VDD2_1V8AO": (5000, 300)},
}


@pytest.fixture
def board() -> Iterator[Path]:
    """A folder that any user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        (Path(name) / "model").write_text("NVIDIA Jetson Testium\0")
        (Path(name) / "compatible").write_text("nvidia,p3768-0000+p3767-0000\0nvidia,tegra234\0")
        yield Path(name)


def rails(board: Path, chips: dict[str, dict[str, tuple[int, int]]]) -> Path:
    """Write each chip's channels: label, voltage in mV, current in mA."""
    for chip, channels in chips.items():
        folder = board / "ina3221" / chip / "hwmon" / "hwmon3"
        folder.mkdir(parents=True)
        for number, (label, (millivolts, milliamperes)) in enumerate(channels.items(), start=1):
            (folder / f"in{number}_label").write_text(f"{label}\n")
            (folder / f"in{number}_input").write_text(f"{millivolts}\n")
            (folder / f"curr{number}_input").write_text(f"{milliamperes}\n")
        (folder / "in7_label").write_text("sum of shunt voltages\n")
    return board / "ina3221"


def test_the_modules_input_alone_is_measured_where_it_has_a_sensor(board: Path) -> None:
    module = JetsonModule(rails(board, ORIN_NX), board)
    assert (module.power_w(), module.notes) == (10.0, [])


def test_else_the_supplies_of_its_processors_are_added_and_it_says_so(board: Path) -> None:
    module = JetsonModule(rails(board, AGX_ORIN), board)
    assert module.power_w() == 28.5
    assert "VDD_GPU_SOC + VDD_CPU_CV" in module.notes[0]


def test_the_power_is_integrated_as_that_of_one_gpu(board: Path) -> None:
    sensor = JetsonSensor(module=JetsonModule(rails(board, ORIN_NX), board))
    began, before = time.monotonic(), sensor.read()
    time.sleep(0.2)
    used_j = sensor.read().since(before).gpu[0]
    assert sensor.source is EnergySource.POWER
    assert 0.2 * 10 <= used_j <= (time.monotonic() - began) * 10


def test_the_limit_is_asked_for(board: Path) -> None:
    sensor = JetsonSensor(module=JetsonModule(rails(board, ORIN_NX), board))
    with pytest.raises(ZeusBSOMonitorError, match=r"nvpmodel.*max_power="):
        sensor.devices()
    devices = sensor.devices(25.0)
    assert (devices.max_power_w, devices.number_of_gpus, devices.gpu_model) == (25.0, 1, "NVIDIA Jetson Testium")


def test_a_board_without_known_rails_is_an_error_that_names_those_it_has(board: Path) -> None:
    with pytest.raises(ZeusBSOMonitorError, match=r"it shows: VDD_X\).*gpu_indices=\[\]"):
        JetsonModule(rails(board, {"1-0040": {"VDD_X": (5000, 1)}}), board)


@NEEDS_ROOT
def test_closed_monitors_are_explained_in_one_sentence_with_the_command(board: Path) -> None:
    module = JetsonModule(rails(board, ORIN_NX), board)
    for path in board.glob("ina3221/*/hwmon/*/curr1_input"):
        path.chmod(0o400)
    with as_nobody(), pytest.raises(ZeusBSOMonitorError, match=r"sudo chmod a\+r .*/curr\*_input$"):
        module.power_w()


@pytest.mark.parametrize(("visible", "found"), [(None, True), ("0", True), ("", False), ("-1", False)])
def test_a_jetson_is_known_by_its_device_tree(
    board: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, found: bool
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert is_jetson(board) is found
    (board / "compatible").write_text("raspberrypi,5-model-b\0")
    assert not is_jetson(board)
