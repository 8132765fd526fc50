"""The simulator over several processes."""

from __future__ import annotations

from pathlib import Path

from tests.support.traces import tiny_pair

from zeus_bso.simulator.experiment import Simulated, run_tasks, tasks_of
from zeus_bso.simulator.world import SimulatedWorkload


def test_several_processes_come_to_the_same_as_one(tmp_path: Path) -> None:
    tasks = tasks_of([SimulatedWorkload(tiny_pair(tmp_path))], ["zeus", "surrogate"], range(3))
    told: list[Simulated] = []

    assert run_tasks(tasks, jobs=2, on_done=told.append) == run_tasks(tasks)
    assert [each.task.seed for each in told] == [0, 1, 2, 0, 1, 2]
