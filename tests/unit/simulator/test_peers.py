from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.support.traces import tiny_pair

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.simulator.peers import POLICIES, decider_of
from zeus_bso.simulator.runner import SimulatedRecurrence, simulate
from zeus_bso.simulator.scenario import Drift, Scenario
from zeus_bso.simulator.world import SimulatedWorkload


def run(
    folder: Path, policy: str, recurrences: int = 12, scenario: Scenario | None = None
) -> list[SimulatedRecurrence]:
    world = SimulatedWorkload(tiny_pair(folder), scenario or Scenario())
    return simulate(world, decider_of(policy, world, 3), 3, recurrences)


def sizes(done: list[SimulatedRecurrence]) -> list[int]:
    return [one.batch_size for each in done for one in each.attempts]


def test_the_default_trains_at_full_power(tmp_path: Path) -> None:
    done = run(tmp_path, "default")

    assert set(sizes(done)) == {64}
    assert {each.energy_j for each in done} == {8 * 8 * 180}


def test_the_oracle_pays_for_no_search(tmp_path: Path) -> None:
    done = run(tmp_path, "oracle")

    assert set(sizes(done)) == {32}
    assert {each.time_s for each in done} == {3 * 10, 5 * 10}


def test_the_oracle_knows_when_costs_drift(tmp_path: Path) -> None:
    done = run(tmp_path, "oracle", scenario=Scenario(drift=Drift(at=6, factor=1.0, tilt=1.0)))

    assert sizes(done) == [32] * 6 + [16] * 6


def test_the_grid_is_walked_once(tmp_path: Path) -> None:
    done = run(tmp_path, "grid")

    assert sizes(done)[:5] == [16, 32, 64, 128, sizes(done)[4]]
    assert len(set(sizes(done)[4:])) == 1
    assert len(done[3].attempts) == 2


def test_random_tries_everything(tmp_path: Path) -> None:
    assert set(sizes(run(tmp_path, "random", 40))) == {16, 32, 64, 128}


def test_optuna_searches_from_the_default_on(tmp_path: Path) -> None:
    pytest.importorskip("optuna")

    done = run(tmp_path, "optuna-tpe", 40)

    assert sizes(done)[0] == 64
    assert sizes(done)[-15:].count(32) > 5


def test_a_missing_torch_is_an_import_error_that_the_command_line_explains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(ModuleNotFoundError, match="torch"):
        run(tmp_path, "optuna-gp", 1)


def test_an_unknown_policy_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ZeusBSOConfigError, match="there are: zeus, surrogate, default"):
        run(tmp_path, "magic")


@pytest.mark.parametrize("policy", [name for name in POLICIES if not name.startswith("optuna")])
def test_every_policy_gets_every_recurrence_to_its_target(tmp_path: Path, policy: str) -> None:
    assert all(each.reached for each in run(tmp_path, policy, 20))
