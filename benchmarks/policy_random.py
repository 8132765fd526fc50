"""The policies on workloads drawn at random: what no scenario was made for."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from benchmarks.policy_traces import HEADS, POLICIES, Run, Verdict, by_policy, compared, regret_of, share_of_reference
from zeus_bso.exceptions import ZeusBSOError
from zeus_bso.simulator.made_up import GPU, MAX_POWER_W, TARGET, made_up_run
from zeus_bso.simulator.scenario import Scenario
from zeus_bso.simulator.traces import Pace, Pair, RecordedRun, Workload
from zeus_bso.simulator.world import SimulatedWorkload

WORKLOADS = 60
LENGTHS = (60, 100, 200)
MOST_REGRET = 0.6
MOST_LATE_COST = 1.05
DEAREST_DEFAULT = 6.0
"""A default that costs more than so many times the best size is not taken."""


def on_random_workloads(first: int, _: Sequence[Pair], run: Run) -> list[Verdict]:
    """Sixty workloads: table and verdicts.

    Args:
        first: Number of the first draw; the others follow it.
        run: Simulates.
    """
    ours, theirs = by_policy(run(random_worlds(first, WORKLOADS), POLICIES))
    both = list(zip(ours, theirs, strict=True))
    print(f"\n| workload | {HEADS} |\n|" + "---|" * (2 + HEADS.count("|")))
    for our, other in sorted(both, key=lambda pair: -regret_of(pair[0], pair[0].recurrences)):
        print(f"| {our.scenario} | {compared(our, other)} |")
    verdicts = []
    for name in ("20", "T"):
        mean = share_of_reference(ours, theirs, name)
        claim = f"random workloads: mean regret at {name} at most {MOST_REGRET:.2f} x zeus"
        verdicts.append((mean <= MOST_REGRET, claim, f"{mean:.3f} x"))
    late, other_late = (fmean(row.late_cost for row in rows) for rows in (ours, theirs))
    claim = f"random workloads: the last fifth costs at most {MOST_LATE_COST:.2f} x the oracle's in the mean"
    verdicts.append((late <= MOST_LATE_COST, claim, f"{late:.3f} x, zeus {other_late:.3f} x"))
    return verdicts


def random_worlds(first: int, count: int) -> list[SimulatedWorkload]:
    """So many workloads whose best size always converges, and whose default is not hopeless.

    Args:
        first: Number of the first draw.
        count: How many workloads.
    """
    worlds: list[SimulatedWorkload] = []
    number = first
    while len(worlds) < count:
        world = _drawn(number, random.Random(number))
        number += 1
        if world is not None:
            worlds.append(world)
    return worlds


def _drawn(number: int, rng: random.Random) -> SimulatedWorkload | None:
    """A workload by its number; None: its best size does not always converge, or its default is hopeless.

    An epoch costs more the smaller the batch, and a run takes more epochs the larger it is; with some workloads small
    batches take more epochs too, or large ones never converge. Each size may lie a little off that. A size has four to
    eight recorded runs, of whole epochs.
    """
    sizes = _sizes(rng)
    octaves = math.log2(sizes[-1] / sizes[0])
    critical, overhead = (sizes[0] * 2 ** rng.uniform(*ends) for ends in ((0.0, octaves + 1), (-2.0, octaves - 0.5)))
    steepness, overhead_steepness = rng.uniform(0.7, 1.6), rng.uniform(0.7, 1.1)
    least, noise = rng.choice((3, 5, 10, 15, 30)), rng.choice((0.03, 0.1, 0.15, 0.25, 0.35))
    small = sizes[0] * 2 ** rng.uniform(0.0, octaves / 2) if rng.random() < 0.4 else 0.0
    small_steepness = rng.uniform(0.5, 2.5)
    hopeless = sizes[0] * 2 ** (octaves * rng.uniform(0.6, 1.0)) if rng.random() < 0.3 else math.inf
    off_pace, off_epochs = rng.choice((0.0, 0.02, 0.05)), rng.choice((0.0, 0.03, 0.08))
    max_epochs = max(6, least * rng.choice((2, 4, 10)))
    runs, paces = {}, {}
    for size in sizes:
        epochs = least * (1 + (size / critical) ** steepness) * math.exp(rng.gauss(0.0, off_epochs))
        epochs *= (1 + (small / size) ** small_steepness) * (50.0 if size > hopeless else 1.0)
        needed = [math.ceil(epochs * math.exp(rng.gauss(0.0, noise))) for _ in range(rng.randint(4, 8))]
        runs[size] = tuple(_recorded(each, rng.uniform(1.5, 6.0)) for each in needed)
        rise = (overhead / size) ** overhead_steepness
        time_s = 60.0 * (1 + rise) * math.exp(rng.gauss(0.0, off_pace))
        paces[size] = {MAX_POWER_W: Pace(time_s, 100.0 + 180.0 / (1 + rise))}
    default, name = rng.choice(sizes), f"random {number}"
    workload = Workload(name, (name, GPU, GPU), TARGET, True, max_epochs, default)
    pair = Pair(workload, GPU, runs, paces, MAX_POWER_W, default)
    world = SimulatedWorkload(pair, Scenario(name=name, recurrences=rng.choice(LENGTHS)))
    try:
        world.check()
    except ZeusBSOError:
        return None
    best, at_default = world.oracle(), world.default()
    always = all((run.target_epoch or math.inf) <= max_epochs for run in runs[best.batch_size])
    hopeless_default = at_default is None or at_default.cost_j > DEAREST_DEFAULT * best.cost_j
    return None if hopeless_default or not always else world


def _sizes(rng: random.Random) -> tuple[int, ...]:
    """Powers of two, or two sizes in each octave."""
    low, steps = rng.randint(0, 6), rng.randint(3, 11)
    if rng.random() < 0.7:
        return tuple(2 ** (low + step) for step in range(steps))
    return tuple(sorted({round(2 ** (low + 2 + step / 2)) for step in range(steps)}))


def _recorded(epochs: int, bend: float) -> RecordedRun:
    """A run that was looked at once an epoch."""
    run = made_up_run(float(epochs), bend)
    return replace(run, epochs=tuple(float(max(1, math.ceil((epoch or 0.0) - 1e-9))) for epoch in run.epochs))
