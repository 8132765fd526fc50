from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.support.traces import write_tiny_traces

from zeus_bso.cli.main import main
from zeus_bso.simulator.figures import pareto_front


@pytest.fixture
def traces(tmp_path: Path) -> str:
    return str(write_tiny_traces(tmp_path / "traces"))


def test_a_table_is_printed(traces: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--traces", traces, "--seeds", "2"]) == 0

    said = capsys.readouterr().out
    assert "shapes/mlp" in said
    for title in ("cost at 20", "at 50", "at T", "95 % interval", "x zeus", "worst run", "within 5 %"):
        assert title in said


def test_json_has_a_row_for_each_policy(traces: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["simulate", "--traces", traces, "--gpu", "tiny", "--workload", "all", "--seeds", "2", "--json"]

    assert main([*command, "--policy", "oracle", "default", "surrogate"]) == 0

    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["policy"], row["seeds"], row["recurrences"]) for row in rows] == [
        ("oracle", 2, 16),
        ("default", 2, 16),
        ("surrogate", 2, 16),
    ]


def test_without_traces_those_of_the_demo_job_are_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seeds", "1", "--policy", "oracle"]) == 0

    assert "digits/mlp" in capsys.readouterr().out


def test_drift_and_overlap_can_be_asked_for(traces: str, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = ["--drift", "1.5", "--tilt", "0.5", "--overlap", "2", "--crash-rate", "0.1", "--preempt-rate", "0.1"]

    assert main(["simulate", "--traces", traces, "--seeds", "1", "--recurrences", "30", *scenario, "--json"]) == 0

    assert {row["recurrences"] for row in json.loads(capsys.readouterr().out)["rows"]} == {30}


def test_figures_are_drawn_as_png_and_svg(traces: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    folder = tmp_path / "figures"

    assert main(["simulate", "--traces", traces, "--seeds", "2", "--figures", str(folder)]) == 0

    assert sorted(path.name for path in folder.iterdir()) == [
        f"{name}.{kind}" for name in ("energy-time", "regret", "sizes") for kind in ("png", "svg")
    ]
    assert (folder / "regret.png").read_bytes().startswith(b"\x89PNG")
    assert "surrogate" in (folder / "regret.svg").read_text()


def test_what_figures_need_is_said_before_anything_is_simulated(
    traces: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    assert main(["simulate", "--traces", traces, "--figures", str(tmp_path / "figures")]) == 1

    assert 'needs matplotlib: pip install "zeus-bso[simulate]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gpu", "a100"], "There is no GPU 'a100'"),
        (["--workload", "mnist"], "There is no workload 'mnist'"),
        (["--drift", "0"], "--drift must be above 0"),
        (["--drift", "nan"], "--drift must be above 0"),
        (["--drift", "1e308"], "--drift must be above 0, and at most 1000"),
        (["--drift", "2", "--tilt", "nan"], "--tilt must be between -10 and 10"),
        (["--drift", "2", "--tilt", "500"], "--tilt must be between -10 and 10"),
        (["--tilt", "1"], "--tilt goes with --drift"),
        (["--beta", "-1"], "--beta must be a number of at least 0"),
        (["--beta", "nan"], "--beta must be a number of at least 0"),
        (["--figures", "/dev/null/figures"], "--figures: /dev/null/figures cannot be made a folder"),
    ],
)
def test_bad_use_is_one_line(traces: str, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["simulate", "--traces", traces, *arguments]) in (1, 2)

    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_no_point_of_the_pareto_front_is_beaten() -> None:
    assert pareto_front([(3, 1), (1, 3), (2, 2), (2, 5), (3, 3), (4, 1)]) == [(1, 3), (2, 2), (3, 1)]
