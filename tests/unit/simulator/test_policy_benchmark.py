"""The benchmark of the policies: what its lines say fails."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks import policies, policy_random
from benchmarks.policy_scenarios import broken_bars
from tests.support.traces import write_tiny_traces

from zeus_bso.simulator.experiment import run_tasks, tasks_of
from zeus_bso.simulator.report import ReportRow, rows_of
from zeus_bso.simulator.scenarios import worlds_of


@pytest.fixture(scope="module")
def rows() -> dict[str, ReportRow]:
    """As if the surrogate were the oracle."""
    found = rows_of(run_tasks(tasks_of(worlds_of(["growth/pace"]), ["oracle", "zeus", "grid"], [0, 1])))
    return {"surrogate": found[0], "zeus": found[1], "grid": found[2]}


def test_a_line_holds_where_every_bar_is_kept(rows: dict[str, ReportRow]) -> None:
    (world,) = worlds_of(["growth/pace"])

    assert broken_bars(rows, world) == []


def test_a_line_says_what_does_not_hold(rows: dict[str, ReportRow]) -> None:
    (world,) = worlds_of(["growth/pace"])
    ours = rows["surrogate"]
    bad = replace(ours, late_costs=np.array([1.0, 1.2]), regrets=ours.regrets + 61.0)

    assert broken_bars({**rows, "surrogate": bad}, world) == [
        "last fifth above 1.05",
        "regret above that of zeus",
        "regret above that of grid, then commit",
        "regret above 60",
    ]


def test_a_warm_up_must_not_keep_any_run_at_the_worse_size(rows: dict[str, ReportRow]) -> None:
    (world,) = worlds_of(["warm-up/10-7-plus-2"])
    ours = rows["surrogate"]

    assert broken_bars({**rows, "surrogate": replace(ours, regrets=ours.regrets + 50.0)}, world) == []
    assert broken_bars({**rows, "surrogate": replace(ours, astray=1)}, world) == ["a run settles on the worse size"]


def test_noise_has_a_wider_bar_and_steep_costs_are_left_early(rows: dict[str, ReportRow]) -> None:
    (noisy,) = worlds_of(["noise/default-large"])
    (steep,) = worlds_of(["steep/smallest-to-512"])
    ours = rows["surrogate"]

    assert broken_bars({**rows, "surrogate": replace(ours, late_costs=np.array([1.09]))}, noisy) == []
    assert broken_bars({**rows, "surrogate": replace(ours, left_default=None)}, steep) == [
        "at the default for more than 8 recurrences"
    ]


def test_parts_are_run_and_their_verdicts_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    traces = str(write_tiny_traces(tmp_path))
    command = ["policies", "--traces", traces, "--only", "traces", "defaults", "drift", "late", "warm-up/5-3-plus-0"]
    monkeypatch.setattr(sys, "argv", [*command, "--seeds", "1"])

    assert policies.main() in (0, 1)

    said = capsys.readouterr()
    assert "| warm-up/5-3-plus-0 |" in said.out
    assert said.out.count("| shapes/mlp | tiny | ") == 2 + 2 + 4
    assert "energy saved at full power" in said.out
    assert "at most 5% slower" in said.out
    assert "every default: the last fifth" in said.out
    assert "drift x2.5: surrogate converges" in said.out
    assert "results 8 late" in said.out
    assert "[3 of 3] warm-up/5-3-plus-0, grid" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "nope"], "There is no scenario 'nope'"),
        (["--only", "traces"], "say where the traces are, --traces DIR"),
        (["--only", "traces", "--traces", "/dev/null/none"], "is no folder"),
        (["--only", "smooth", "--seeds", "0"], "--seeds and --jobs must be at least 1"),
    ],
)
def test_bad_use_is_told_before_anything_is_simulated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["policies", *arguments])

    with pytest.raises(SystemExit):
        policies.main()

    assert said in capsys.readouterr().err


def test_workloads_drawn_at_random_need_no_traces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["policies", "--only", "random", "--seeds", "1", "--first-seed", "7"])
    monkeypatch.setattr(policy_random, "WORKLOADS", 3)

    assert policies.main() in (0, 1)

    said = capsys.readouterr().out
    assert said.count("| random ") == 3 + 3
    assert "random workloads: mean regret at T" in said


def test_a_workload_drawn_at_random_is_the_same_each_time_and_its_best_size_always_converges() -> None:
    worlds = policy_random.random_worlds(40, 5)

    assert worlds == policy_random.random_worlds(40, 5)
    for world in worlds:
        best = world.oracle().batch_size
        assert all((run.target_epoch or np.inf) <= world.max_epochs for run in world.pair.runs[best])
