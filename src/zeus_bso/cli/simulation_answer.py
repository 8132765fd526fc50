"""What simulations answer first: what another batch size would save, and at what price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from zeus_bso import units
from zeus_bso.savings import Use, noise, spread
from zeus_bso.simulator.experiment import Simulated
from zeus_bso.simulator.report import ReportRow
from zeus_bso.simulator.world import Optimum, SimulatedWorkload

_FEWEST_RUNS = 5
"""Fewer runs are hardly more than the first tries, whose cost says little about a policy."""


def answers_of(rows: Sequence[ReportRow], simulations: Sequence[Simulated]) -> list[str]:
    """Sentences on every workload, and on every policy that was tried on it.

    Args:
        rows: What the simulations came to.
        simulations: The simulations behind the rows.
    """
    groups: dict[tuple[tuple[str, str, str], str], list[Simulated]] = {}
    for each in simulations:
        groups.setdefault((_key(each.task.world), each.task.policy), []).append(each)
    said: list[str] = []
    before = None
    for row in rows:
        group = groups[row.world, row.policy]
        world = group[0].task.world
        if row.world != before:
            said.append(_on_sizes(world))
        before = row.world
        if row.policy not in ("default", "oracle"):
            said.append(_on_policy(row, group, world))
    return said


def _key(world: SimulatedWorkload) -> tuple[str, str, str]:
    return world.scenario.name, world.pair.workload.name, world.pair.gpu


def _on_sizes(world: SimulatedWorkload) -> str:
    scenario = world.scenario.name
    name = world.name if scenario in ("", world.pair.workload.name) else f"{world.name}, {scenario}"
    size, today, best = world.pair.default_batch_size, world.default(), world.oracle()
    best_name = f"{best.batch_size}" if world.scenario.power == "off" else _with_limit(best)
    if today is None:
        return f"{name}: today's {size} never reaches the target; best {best_name}: {_energy(best.cost_j)} a run."
    if best.batch_size == size and world.scenario.power == "off":
        return f"{name}: today's {size}: {_energy(today.cost_j)} a run; this is the best size."
    saved = 1 - best.cost_j / today.cost_j
    return (
        f"{name}: today's {size}: {_energy(today.cost_j)} a run; best {best_name}: {units.plain(units.less(saved))}"
        f"{_interval(world, best, saved)}."
    )


def _with_limit(best: Optimum) -> str:
    return units.plain(f"{best.batch_size} at {units.watts(best.power_limit_w)}")


def _interval(world: SimulatedWorkload, best: Optimum, saved: float) -> str:
    """The 95 % interval of a saving, by the scatter of the recorded runs."""
    epochs = {
        size: [run.target_epoch for run in runs if run.target_epoch is not None] for size, runs in world.runs.items()
    }
    uses = {size: Use(len(each), sum(each), sum(one * one for one in each)) for size, each in epochs.items()}
    defaults, others = uses[world.pair.default_batch_size].converged, uses[best.batch_size].converged
    if not defaults or not others or best.batch_size == world.pair.default_batch_size:
        return ""
    reach = spread(noise(uses.values()), defaults, others)
    low, high = (100 * (1 - (1 - saved) * math.exp(sign * reach)) for sign in (1, -1))
    return f" ({low:.0f} to {high:.0f})"


def _on_policy(row: ReportRow, group: Sequence[Simulated], world: SimulatedWorkload) -> str:
    end = row.recurrences
    regret = row.mean_regret(end) or 0.0
    best = world.oracle(end - 1).cost_j
    settled = "did not settle" if row.settled is None else f"settled after {units.counted(row.settled, 'run')}"
    rest = f"{settled}{_in_all(group, world, end)}."
    if end < _FEWEST_RUNS:
        return units.plain(f"  With {row.policy}, it {rest}")
    runs, more = units.counted(end, "run"), units.energy(regret * best)
    return units.plain(
        f"  With {row.policy}, {runs} would have cost {more} more than with the best size "
        f"from the first run on, as much as {units.number(regret, 2)} runs of it. It {rest}"
    )


def _in_all(group: Sequence[Simulated], world: SimulatedWorkload, end: int) -> str:
    by_default = [world.default(index) for index in range(end)]
    if any(each is None for each in by_default):
        return ""
    paid = fmean(sum(each.costs_j[:end]) for each in group)
    saved = 1 - paid / sum(each.cost_j for each in by_default if each is not None)
    return f"; exploring included, {units.counted(end, 'run')} would have cost {units.less(saved)} than today"


def _energy(value_j: float) -> str:
    return units.plain(units.energy(value_j))
