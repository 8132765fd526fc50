"""Runs that a simulated job knows of before its first recurrence."""

from __future__ import annotations

from collections.abc import Iterator

from zeus_bso.protocol.past_runs import PastRun, PastRuns
from zeus_bso.simulator.draws import Draws, RunOutcome
from zeus_bso.simulator.runner import metrics
from zeus_bso.simulator.world import SimulatedWorkload

_OTHER_SEED = 1_000_003
"""Past runs are drawn with another seed, so that the recurrences are the same with them and without."""


def past_runs_of(world: SimulatedWorkload, job_id: str, seed: int) -> PastRuns | None:
    """The past runs of a scenario, at full power and without a cost bound. None: it has none.

    Args:
        world: Workload, GPU and scenario.
        job_id: The job that is to be told.
        seed: Decides which recorded runs are taken.
    """
    runs = tuple(_runs(world, seed))
    return PastRuns(job_id=job_id, source="simulated", runs=runs) if runs else None


def _runs(world: SimulatedWorkload, seed: int) -> Iterator[PastRun]:
    draws = Draws(world.runs, world.scenario, seed + _OTHER_SEED)
    for size, count in world.scenario.past_runs.items():
        for number in range(count):
            yield _run(world, size, f"{size}-{number}", draws.next_run(size))


def _run(world: SimulatedWorkload, size: int, run_id: str, draw: RunOutcome) -> PastRun:
    workload, curve = world.pair.workload, []
    for epoch, metric in enumerate(metrics(draw.run, world.epochs_factor(size, 0) * draw.epochs_factor), start=1):
        curve.append((epoch, metric))
        reached = metric >= workload.target_metric if workload.higher_is_better else metric <= workload.target_metric
        if reached or epoch >= world.max_epochs:
            break
    pace = world.at_full_power(size).times((len(curve) + world.warm_up(size)) * draw.pace_factor)
    return PastRun(
        run_id=run_id, batch_size=size, epochs=len(curve), time=pace.time_s, energy=pace.energy_j, curve=tuple(curve)
    )
