"""Many simulations: every pair of workload and GPU, every policy, every seed; on one process or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

from zeus_bso.simulator.peers import decider_of
from zeus_bso.simulator.runner import SimulatedRecurrence, simulate
from zeus_bso.simulator.world import SimulatedWorkload

LATER = 50
"""Regret is told after so many recurrences too, so no experiment is shorter."""


@dataclass(frozen=True, slots=True)
class Task:
    """One simulation to be run.

    Attributes:
        world: Workload, GPU and scenario.
        policy: Who decides.
        seed: The seed.
    """

    world: SimulatedWorkload
    policy: str
    seed: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """One simulation that was run: what each recurrence came to, in order.

    Attributes:
        task: What was asked.
        costs_j: Cost, with its failed tries [J].
        energies_j: Energy, with its failed tries [J].
        times_s: Time, with its failed tries [s].
        batch_sizes: The size of its last try.
        tries: How many tries it took.
        reached: Whether it reached the target.
        profiling_energies_j: Energy of it that measuring power limits has cost, beyond the best limit [J].
        profiling_times_s: Time of it likewise [s].
        full_power_energies_j: Energy of the same epochs at full power [J].
        full_power_times_s: Their time at full power [s].
    """

    task: Task
    costs_j: tuple[float, ...]
    energies_j: tuple[float, ...]
    times_s: tuple[float, ...]
    batch_sizes: tuple[int, ...]
    tries: tuple[int, ...]
    reached: tuple[bool, ...]
    profiling_energies_j: tuple[float, ...]
    profiling_times_s: tuple[float, ...]
    full_power_energies_j: tuple[float, ...]
    full_power_times_s: tuple[float, ...]


def tasks_of(worlds: Sequence[SimulatedWorkload], policies: Sequence[str], seeds: Sequence[int]) -> list[Task]:
    """All simulations of an experiment, in the order in which they are reported."""
    return [Task(world, policy, seed) for world in worlds for policy in policies for seed in seeds]


def run_task(task: Task) -> Simulated:
    """Run one simulation; at least :data:`LATER` recurrences, unless the scenario says how many."""
    world = task.world
    recurrences = world.recurrences if world.scenario.recurrences else max(LATER, world.recurrences)
    done = simulate(world, decider_of(task.policy, world, task.seed), task.seed, recurrences)
    return _simulated(task, done)


def run_tasks(
    tasks: Sequence[Task], jobs: int = 1, on_done: Callable[[Simulated], None] = lambda done: None
) -> list[Simulated]:
    """Run simulations.

    Args:
        tasks: What to run.
        jobs: Processes to run on; with 1, this one.
        on_done: Told of each that is done.

    Returns:
        What they came to, in the order of the tasks.
    """
    results = []
    with _mapping(jobs) as run:
        for simulated in run(tasks):
            results.append(simulated)
            on_done(simulated)
    return results


@contextmanager
def _mapping(jobs: int) -> Iterator[Callable[[Sequence[Task]], Iterator[Simulated]]]:
    if jobs <= 1:
        yield lambda tasks: map(run_task, tasks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield lambda tasks: pool.map(run_task, tasks, chunksize=4)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _simulated(task: Task, done: Sequence[SimulatedRecurrence]) -> Simulated:
    return Simulated(
        task=task,
        costs_j=tuple(task.world.cost(each.energy_j, each.time_s) for each in done),
        energies_j=tuple(each.energy_j for each in done),
        times_s=tuple(each.time_s for each in done),
        batch_sizes=tuple(each.attempts[-1].batch_size for each in done),
        tries=tuple(len(each.attempts) for each in done),
        reached=tuple(each.reached for each in done),
        profiling_energies_j=tuple(sum(one.profiling.energy_j for one in each.attempts) for each in done),
        profiling_times_s=tuple(sum(one.profiling.time_s for one in each.attempts) for each in done),
        full_power_energies_j=tuple(sum(one.at_full_power.energy_j for one in each.attempts) for each in done),
        full_power_times_s=tuple(sum(one.at_full_power.time_s for one in each.attempts) for each in done),
    )
