from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.traces import tiny_pair

from zeus_bso.simulator.experiment import Simulated, Task, run_tasks, tasks_of
from zeus_bso.simulator.report import ReportRow, ratio_to, rows_of
from zeus_bso.simulator.scenario import Scenario
from zeus_bso.simulator.traces import Pair
from zeus_bso.simulator.world import SimulatedWorkload


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return tiny_pair(tmp_path)


def simulated(
    pair: Pair, costs_in_oracles: list[float], *, policy: str = "zeus", sizes: list[int] | None = None
) -> Simulated:
    world = SimulatedWorkload(pair, Scenario(recurrences=len(costs_in_oracles)))
    costs = tuple(cost * world.oracle().cost_j for cost in costs_in_oracles)
    count = len(costs)
    return Simulated(
        task=Task(world, policy, 0),
        costs_j=costs,
        energies_j=(5760.0,) * count,
        times_s=(1.0,) * count,
        batch_sizes=tuple(sizes or [32] * count),
        tries=(1,) * count,
        reached=(True,) * count,
        profiling_energies_j=(57.6,) * count,
        profiling_times_s=(0.5,) * count,
        full_power_energies_j=(8640.0,) * count,
        full_power_times_s=(32.0,) * count,
    )


def row(*simulations: Simulated) -> ReportRow:
    (only,) = rows_of(simulations)
    return only


def test_regret_is_what_was_paid_beyond_the_oracle_in_its_runs(pair: Pair) -> None:
    only = row(simulated(pair, [3.0, 1.5, 1.0]), simulated(pair, [2.0, 1.0, 1.0]))

    assert [only.mean_regret(after) for after in (1, 2, 3)] == pytest.approx([1.5, 1.75, 1.75])
    assert only.worst_regret(3) == pytest.approx(2.5)
    assert only.cost_over_oracle(3) == pytest.approx((5.5 + 4.0) / 2 / 3)
    assert only.mean_regret(4) is None


def test_the_interval_holds_the_mean_and_shrinks_with_agreement(pair: Pair) -> None:
    apart = row(*(simulated(pair, [cost]) for cost in (1.0, 2.0, 3.0, 4.0)))
    alike = row(*(simulated(pair, [2.5]) for _ in range(4)))

    low, high = apart.confidence_interval(1)
    assert low < 1.5 < high
    assert alike.confidence_interval(1) == pytest.approx((1.5, 1.5))


def test_energy_saved_is_against_the_default_at_full_power(pair: Pair) -> None:
    saved = row(simulated(pair, [1.0] * 8)).savings

    # The default takes 8 epochs of 1,440 J and 8 s; these took 5,760 J and 1 s each.
    assert saved.energy == pytest.approx(1 - 5760 / 11520)
    assert saved.time == pytest.approx(1 - 1 / 64)
    assert (saved.full_power_energy, saved.full_power_time) == (0.25, 0.5)


def test_what_measuring_has_cost_is_told_up_to_the_end(pair: Pair) -> None:
    paid = row(simulated(pair, [1.0] * 8)).profiling

    assert paid.energy_j == pytest.approx(8 * 57.6)
    assert paid.time_s == 4
    assert paid.energy_share == pytest.approx(0.01)


def test_a_run_has_settled_when_all_that_follows_is_near_the_oracle(pair: Pair) -> None:
    assert row(simulated(pair, [1.0] * 5, sizes=[64, 32, 64, 32, 32])).settled == 3
    assert row(simulated(pair, [1.0] * 3, sizes=[32, 32, 32])).settled == 0
    assert row(simulated(pair, [1.0] * 3, sizes=[32, 32, 64])).settled is None


def test_the_ratio_compares_policies_on_the_same_pair(pair: Pair) -> None:
    rows = rows_of([simulated(pair, [3.0]), simulated(pair, [2.0], policy="surrogate")])

    assert ratio_to(rows, rows[1], 1) == pytest.approx(0.5)
    assert ratio_to(rows[1:], rows[1], 1) is None


def test_a_row_in_json_has_exactly_the_promised_fields(pair: Pair) -> None:
    sent = json.loads(json.dumps(row(simulated(pair, [2.0] * 24)).as_json()))

    assert list(sent) == [
        "scenario", "workload", "gpu", "policy", "seeds", "recurrences", "mean_regret", "worst_regret",
        "cost_over_oracle", "energy_saved_last5", "interval", "p99_regret", "late_cost", "settled", "astray",
        "left_default", "most_tries", "unreached", "power", "energy_saved_last5_full_power", "time_saved_last5",
        "time_saved_last5_full_power", "profiling", "runs",
    ]  # fmt: skip
    assert (sent["workload"], sent["gpu"], sent["policy"], sent["seeds"]) == ("shapes/mlp", "tiny", "zeus", 1)
    assert sent["recurrences"] == 24
    assert sent["mean_regret"] == {"20": pytest.approx(20), "50": None, "T": pytest.approx(24)}
    assert list(sent["worst_regret"]) == ["20", "T"]
    assert list(sent["cost_over_oracle"]) == ["20", "50", "T"]


def test_json_tells_of_each_run_and_of_how_they_are_spread(pair: Pair) -> None:
    runs = [simulated(pair, [cost] * 24) for cost in (1.0, 2.0, 4.0)]
    sent = json.loads(json.dumps(row(*runs).as_json()))

    assert [run["regret"]["T"] for run in sent["runs"]] == pytest.approx([0, 24, 72])
    assert [run["late_cost"] for run in sent["runs"]] == pytest.approx([1, 2, 4])
    assert [run["seed"] for run in sent["runs"]] == [0, 0, 0]
    assert 24 < sent["p99_regret"]["20"] < sent["worst_regret"]["20"]
    assert sent["interval"]["T"][0] < sent["mean_regret"]["T"] < sent["interval"]["T"][1]


def test_an_experiment_runs_long_enough_to_tell_of_50_recurrences(pair: Pair) -> None:
    (done,) = run_tasks(tasks_of([SimulatedWorkload(pair)], ["default"], [0]))

    assert (row(done).recurrences, len(done.costs_j)) == (16, 50)
    assert row(done).mean_regret(50) is not None


def test_seeds_of_one_world_are_reported_together(pair: Pair) -> None:
    worlds = [SimulatedWorkload(each, Scenario(recurrences=20)) for each in (pair, replace(pair, gpu="other"))]
    runs = run_tasks(tasks_of(worlds, ["oracle"], range(3)))

    assert [(one.gpu, one.seeds) for one in rows_of(runs)] == [("tiny", 3), ("other", 3)]
