"""The scenarios by name: each is what its description says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.traces import tiny_pair

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.simulator.experiment import run_tasks, tasks_of
from zeus_bso.simulator.report import rows_of
from zeus_bso.simulator.scenarios import RECURRENCES, named_scenarios, worlds_of
from zeus_bso.simulator.world import SimulatedWorkload

WORLDS = {world.scenario.name: world for each in named_scenarios() for world in each.variants.values()}


def world(name: str) -> SimulatedWorkload:
    return WORLDS[name]


def costs(of: SimulatedWorkload, recurrence: int = 0) -> dict[int, float]:
    """Expected cost over the oracle's, by batch size; those that never reach the target are missing."""
    expected = {size: of.expected(size, of.best_limits_w[size], recurrence) for size in of.pair.batch_sizes}
    oracle = of.oracle(recurrence).cost_j
    return {size: optimum.cost_j / oracle for size, optimum in expected.items() if optimum is not None}


def test_every_scenario_has_an_optimum_throughout() -> None:
    for each in WORLDS.values():
        each.check()
        assert each.recurrences == RECURRENCES


@pytest.mark.parametrize("name", [each.name for each in named_scenarios() if each.name != "warm-up"])
def test_every_scenario_can_be_simulated(name: str) -> None:
    worlds = [each for each in worlds_of([name]) if "the-end" not in each.scenario.name]
    simulations = run_tasks(tasks_of(worlds, ["oracle"], [0]))

    assert [row.scenario for row in rows_of(simulations)] == [each.scenario.name for each in worlds]
    assert all(all(each.reached) for each in simulations)


def test_steep_costs_fall_away_from_the_default() -> None:
    for name in ("smallest-to-the-end", "largest-to-the-end"):
        steep = world(f"steep/{name}")
        ordered = list(costs(steep).values())
        assert len(ordered) == 14
        assert steep.pair.batch_sizes[-1] == steep.pair.batch_sizes[0] * 2**13
        assert ordered == sorted(ordered, reverse=name.startswith("smallest"))
        assert costs(steep)[steep.pair.default_batch_size] > 100


def test_warm_up_has_every_cell_and_128_is_better_in_each() -> None:
    cells = worlds_of(["warm-up"])

    assert len(cells) == 44
    assert {each.scenario.warm_up for each in cells} == set(range(11))
    assert {each.pair.runs[256][0].target_epoch for each in cells} == {5, 10, 20, 40}
    assert all(each.oracle().batch_size == 128 and costs(each)[256] > 1.05 for each in cells)


def test_two_minima_are_two_and_the_deep_one_is_far() -> None:
    for each in worlds_of(["two-minima"]):
        known = costs(each)
        sizes = list(known)
        minima = [
            size
            for index, size in enumerate(sizes)
            if all(known[size] < known[sizes[other]] for other in (index - 1, index + 1) if 0 <= other < len(sizes))
        ]
        default = sizes.index(each.pair.default_batch_size)
        shallow = min(minima, key=lambda size: abs(sizes.index(size) - default))
        assert len(minima) == 2
        assert abs(sizes.index(shallow) - default) <= 1
        assert 1.1 < known[shallow] < 1.4
        assert abs(sizes.index(each.oracle().batch_size) - default) >= 5


def test_cliffs_hide_the_best_size_between_dear_ones() -> None:
    known = costs(world("cliffs/default-on"))

    assert (known[96], known[80] > 1.5, known[112] > 1.5) == (1.0, True, True)


def test_drift_moves_the_optimum_down_or_up() -> None:
    for each in worlds_of(["drift-down"]):
        assert each.oracle(0).batch_size >= 4 * each.oracle(RECURRENCES - 1).batch_size
    (up,) = worlds_of(["drift-up"])
    assert up.oracle(RECURRENCES - 1).batch_size >= 4 * up.oracle(0).batch_size


def test_growth_makes_every_recurrence_two_per_cent_dearer() -> None:
    for each in worlds_of(["growth"]):
        # Epochs are whole ones.
        assert each.oracle(50).cost_j / each.oracle(0).cost_j == pytest.approx(1.02**50, rel=0.03)


def test_overlap_has_a_size_that_never_converges_among_few() -> None:
    for each in worlds_of(["overlap"]):
        assert (len(each.pair.batch_sizes), len(costs(each))) == (4, 3)
        assert each.scenario.overlap in (4, 8)


def test_one_variant_may_be_named_and_none_comes_twice() -> None:
    assert [each.scenario.name for each in worlds_of(["cliffs/high", "growth", "growth/pace"])] == [
        "cliffs/high",
        "growth/pace",
        "growth/epochs",
    ]


def test_a_scenario_is_laid_over_other_workloads_once(tmp_path: Path) -> None:
    pair = tiny_pair(tmp_path)

    laid = worlds_of(["cliffs", "noise"], [pair])

    assert [(each.pair, each.scenario.name) for each in laid] == [
        (pair, "cliffs/default-on"),
        (pair, "cliffs/high"),
        (pair, "noise/default-large"),
    ]


def test_one_that_lives_by_its_workload_cannot_be_laid_over_another(tmp_path: Path) -> None:
    with pytest.raises(ZeusBSOConfigError, match="'steep/smallest-to-the-end' lives by its made-up workload"):
        worlds_of(["steep"], [tiny_pair(tmp_path)])


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ZeusBSOConfigError, match="no scenario 'clifs'; there are: smooth, steep"):
        worlds_of(["clifs"])
    with pytest.raises(ZeusBSOConfigError, match="no scenario 'cliffs/low'"):
        worlds_of(["cliffs/low"])
