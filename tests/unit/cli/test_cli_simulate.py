from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from tests.support.traces import write_tiny_traces

from zeus_bso.cli.main import main


@pytest.fixture
def traces(tmp_path: Path) -> str:
    return str(write_tiny_traces(tmp_path / "traces"))


def test_a_table_is_printed(traces: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--traces", traces, "--seeds", "2", "--verbose"]) == 0

    said = capsys.readouterr().out
    assert "shapes/mlp" in said
    for title in ("cost at 20", "at 50", "at T", "95 % interval", "x zeus", "worst run", "within 5 %"):
        assert title in said


def test_the_first_answer_is_what_the_best_size_saves_and_what_finding_it_costs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["simulate", "--seeds", "2", "--policy", "surrogate", "default"]) == 0

    sizes, policy, hint = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"digits/mlp on cpu: today's 256: \S+ J a run; best 32: \d+ % less \((-?\d+) to (\d+)\)\.", sizes
    )
    assert policy.startswith("  With surrogate, 16 runs would have cost ")
    assert " more than with the best size from the first run on, as much as " in policy
    assert " runs of it. It settled after " in policy
    assert "exploring included, 16 runs would have cost " in policy
    assert "--verbose" in hint


def test_few_runs_say_little_of_a_policy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seeds", "2", "--policy", "surrogate", "--recurrences", "3"]) == 0

    policy = capsys.readouterr().out.splitlines()[1]
    assert re.match(r"  With surrogate, it (settled|did not settle)", policy)
    assert "from the first run on" not in policy


def test_a_number_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", "--seeds", "0"])

    assert capsys.readouterr().err == (
        "zeus-bso simulate: error: argument --seeds: must be a whole number of at least 1, not '0'\n"
    )


def test_a_default_that_is_the_best_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--made-up", "default=64", "--seeds", "1", "--policy", "oracle"]) == 0

    assert "today's 64: 85.3 Wh a run; this is the best size." in capsys.readouterr().out


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


def test_scenarios_are_listed_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--scenario", "list"]) == 0

    said = capsys.readouterr().out
    assert "cliffs\n    Many sizes, of which some do not suit the hardware" in said
    assert "Variants: default-on, default-off, high" in said
    assert max(len(line) for line in said.splitlines()) <= 100

    assert main(["simulate", "--scenario", "list", "--json"]) == 0

    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)["scenarios"]}
    assert listed["cliffs"]["variants"] == ["default-on", "default-off", "high"]
    assert len(listed["warm-up"]["variants"]) == 44


def test_a_scenario_runs_on_its_made_up_workload(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["simulate", "--scenario", "cliffs/high", "--scenario", "growth/pace", "--seeds", "1", "--policy", "grid"]

    assert main([*command, "--recurrences", "25", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["scenario"], row["workload"], row["gpu"], row["recurrences"]) for row in rows] == [
        ("cliffs/high", "cliffs/high", "made-up", 25),
        ("growth/pace", "growth/pace", "made-up", 25),
    ]


def test_a_scenario_is_laid_over_traces(traces: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--scenario", "cliffs/high", "--traces", traces, "--seeds", "1", "--verbose"]) == 0

    said = capsys.readouterr().out
    assert "shapes/mlp on tiny, cliffs/high: today's " in said
    assert "scenario" in said
    assert said.count("cliffs/high  ") == 2
    assert said.count("shapes/mlp  ") == 2


def test_options_change_what_a_scenario_says(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["simulate", "--scenario", "growth/pace", "--seeds", "1", "--policy", "oracle", "--json"]
    regrets = []
    for options in ([], ["--noise", "0.5"]):
        assert main([*command, *options]) == 0
        regrets.append(json.loads(capsys.readouterr().out)["rows"][0]["mean_regret"]["T"])

    assert abs(regrets[1]) > 2 * abs(regrets[0])


def test_a_workload_can_be_made_up(capsys: pytest.CaptureFixture[str]) -> None:
    made_up = ["--made-up", "sizes=16:128", "epochs=6", "critical-size=64", "overhead-size=32", "noise=0", "default=16"]
    hard = [
        "--warm-up",
        "2",
        "128=5",
        "--cliff",
        "1.5",
        "--dip",
        "128",
        "0.5",
        "--tail",
        "0.1",
        "3",
        "2",
        "--never",
        "16",
    ]
    others = ["--drift", "1.5", "--drift-over", "5", "--growth", "0.01", "--pace-noise", "0.1", "--power", "off"]
    never = ["--never", "16"]

    assert main(["simulate", *made_up, *hard, *others, *never, "--seeds", "1", "--policy", "oracle", "--json"]) == 0

    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["scenario"], row["workload"], row["recurrences"]) == (None, "made-up", 8)
    assert row["energy_saved_last5"] is None  # the default never reaches the target


def test_power_limits_can_be_asked_for(traces: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["simulate", "--traces", traces, "--seeds", "1", "--policy", "surrogate", "--power", "optimize"]

    assert main([*command, "--json"]) == 0

    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["power"] == "optimize"
    assert row["energy_saved_last5"] > row["energy_saved_last5_full_power"]
    assert row["profiling"]["energy"] > 0

    assert main([*command, "--max-slowdown", "1.05", "--power-goal", "cost", "--verbose"]) == 0

    said = capsys.readouterr().out
    assert "size alone" in said
    assert "energy, time: of the last five recurrences" in said


def test_json_carries_each_run(traces: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["simulate", "--traces", traces, "--seeds", "3", "--first-seed", "7", "--policy", "zeus", "--json"]) == 0
    )

    (row,) = json.loads(capsys.readouterr().out)["rows"]
    regrets = [run["regret"]["T"] for run in row["runs"]]
    assert [run["seed"] for run in row["runs"]] == [7, 8, 9]
    assert row["mean_regret"]["T"] == pytest.approx(sum(regrets) / 3)
    assert row["worst_regret"]["T"] == max(regrets) >= row["p99_regret"]["T"] > min(regrets)
    assert row["interval"]["T"][0] <= row["mean_regret"]["T"] <= row["interval"]["T"][1]


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
        (["--drift", "0"], "The factor of drift must be between 0.001 and 1,000"),
        (["--drift", "nan"], "The factor of drift must be between 0.001 and 1,000"),
        (["--drift", "1e308"], "The factor of drift must be between 0.001 and 1,000"),
        (["--drift", "2", "--tilt", "nan"], "Tilt must be between -10 and 10"),
        (["--drift", "2", "--tilt", "500"], "Tilt must be between -10 and 10"),
        (["--tilt", "1"], "--tilt goes with --drift"),
        (["--max-slowdown", "1.05"], "--max-slowdown goes with --power optimize"),
        (["--power-goal", "cost", "--power", "off"], "--power-goal goes with --power optimize"),
        (["--power", "optimize", "--max-slowdown", "0.9"], "The largest slowdown must be between 1 and 100, not 0.9"),
        (["--beta", "-1"], "--beta must be a number of at least 0"),
        (["--beta", "nan"], "--beta must be a number of at least 0"),
        (["--scenario", "clifs"], "There is no scenario 'clifs'; there are: smooth"),
        (["--scenario", "steep"], "'steep/smallest-to-the-end' lives by its made-up workload"),
        (["--scenario", "never"], "has no batch size 8, which the scenario speaks of; it has: 16, 32, 64, 128"),
        (["--made-up"], "--made-up and --traces: choose one"),
        (["--noise", "nan"], "Noise must be between 0 and 3"),
        (["--warm-up", "16=x"], "--warm-up: 'x' is no number"),
        (["--warm-up", "x=1"], "--warm-up: 'x' is no whole number"),
        (["--warm-up", "7=1"], "has no batch size 7"),
        (["--never", "16", "32", "64"], "no run reaches the target"),
        (["--tail", "0.1"], "--tail takes 2 or 3 numbers"),
        (["--cliff", "2", "0"], "The multiple of a cliff must be between 1 and 2,147,483,647"),
        (["--dip", "32", "0.5", "0"], "The octaves of a dip must be"),
        (["--growth", "1", "--recurrences", "99"], "after 99 recurrences an epoch would cost more than 1000 times"),
        (["--drift-over", "3"], "--drift-over goes with --drift"),
        (["--overlap", "-1"], "Overlap must be between 0 and 1,000"),
        (["--crash-rate", "1.5"], "The share of crashes must be between 0 and 1"),
        (["--figures", "/dev/null/figures"], "--figures: /dev/null/figures cannot be made a folder"),
    ],
)
def test_bad_use_is_one_line(traces: str, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["simulate", "--traces", traces, *arguments]) in (1, 2)

    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--made-up", "size=8"], "--made-up knows no 'size'; it knows: sizes, default"),
        (["--made-up", "sizes=8:4"], "--made-up sizes=8:4: 1 to 1,000 sizes"),
        (["--made-up", "sizes=8,x"], "'x' is no whole number"),
        (["--made-up", "epochs=x"], "epochs: 'x' is no number"),
        (["--made-up", "epochs=1e6"], "no run reaches the target within max_epochs"),
        (["--made-up", "default=7"], "default batch size 7 of a made-up workload is not among its sizes"),
        (["--made-up", "--gpu", "v100"], "--workload and --gpu choose from traces"),
        (["--scenario", "cliffs", "--workload", "all"], "--workload and --gpu choose from traces"),
    ],
)
def test_bad_use_of_made_up_workloads_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["simulate", *arguments]) in (1, 2)

    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_no_point_of_the_pareto_front_is_beaten() -> None:
    from zeus_bso.simulator.figures import pareto_front

    assert pareto_front([(3, 1), (1, 3), (2, 2), (2, 5), (3, 3), (4, 1)]) == [(1, 3), (2, 2), (3, 1)]
