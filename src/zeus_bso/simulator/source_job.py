"""What a simulated job takes over from a simulated job that has run before."""

from __future__ import annotations

from zeus_bso.server.job.inheritance import Inheritance
from zeus_bso.simulator.job import PolicyJob
from zeus_bso.simulator.runner import simulate
from zeus_bso.simulator.world import SimulatedWorkload

OTHER_SEED = 1_000_003
"""Added to a job's seed for the job before it, so that the two draw other runs."""


def inherited(world: SimulatedWorkload, seed: int) -> Inheritance | None:
    """Run the source of a job, and take over what it has learnt.

    Args:
        world: The world of the new job.
        seed: Its seed.
    """
    if world.source is None:
        return None
    source = world.source.world
    job = PolicyJob(source, "surrogate", seed + OTHER_SEED)
    simulate(source, job, seed + OTHER_SEED, world.source.recurrences)
    return job.hand_on(world)
