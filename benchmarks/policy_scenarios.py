"""The policies in scenarios that are hard: one line for each, with what must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from zeus_bso.simulator.report import ReportRow
from zeus_bso.simulator.world import SimulatedWorkload

NAMES = {"surrogate": "surrogate", "zeus": "zeus", "grid": "grid, then commit"}
POLICIES = tuple(NAMES)

MOST_LATE_COST, MOST_LATE_COST_IN_NOISE = 1.05, 1.10
NOISY = 0.5
MOST_REGRET = 60.0
MOST_RECURRENCES_AT_DEFAULT = 8
STEEP = "steep"
"""Here the first run alone may cost more than :data:`MOST_REGRET`; leaving the default is what counts."""

WARM_UP = "warm-up"
"""Here the grid happens to begin with the better of two sizes; settling on it is what counts."""


def table(
    named: Sequence[Sequence[SimulatedWorkload]],
    run: Callable[[Sequence[SimulatedWorkload], Sequence[str]], list[ReportRow]],
) -> int:
    """Print a line for each world, as soon as its scenario is done; returns how many of them fail.

    Args:
        named: The worlds of each scenario.
        run: Simulates.
    """
    peers = " | ".join(NAMES[policy] for policy in POLICIES[1:])
    print(f"\n| | scenario | last fifth | {peers} | regret at T | {peers} | worst run | astray | what does not hold |")
    print("|" + "---|" * 11)
    failed = 0
    for worlds in named:
        rows = run(worlds, POLICIES)
        for index, world in enumerate(worlds):
            by_policy = {row.policy: row for row in rows[index * len(POLICIES) : (index + 1) * len(POLICIES)]}
            broken = broken_bars(by_policy, world)
            failed += bool(broken)
            print(_line(by_policy, world, broken))
    print(f"\n{sum(map(len, named)) - failed} of {sum(map(len, named))} hold.")
    return failed


def _line(rows: Mapping[str, ReportRow], world: SimulatedWorkload, broken: Sequence[str]) -> str:
    ours = rows["surrogate"]
    cells = [
        "**FAILS**" if broken else "holds",
        world.scenario.name,
        *(f"{rows[policy].late_cost:.3f}" for policy in POLICIES),
        *(f"{regret_of(rows[policy]):.2f}" for policy in POLICIES),
        f"{ours.worst_regret(ours.recurrences):.1f}",
        f"{ours.astray} of {ours.seeds}",
        "; ".join(broken),
    ]
    return f"| {' | '.join(cells)} |"


def broken_bars(rows: Mapping[str, ReportRow], world: SimulatedWorkload) -> list[str]:
    """What does not hold of the surrogate in one world, each in a few words."""
    ours, scenario = rows["surrogate"], world.scenario
    family = scenario.name.partition("/")[0]
    most_late = MOST_LATE_COST_IN_NOISE if max(scenario.noise, scenario.pace_noise) >= NOISY else MOST_LATE_COST
    broken = []
    if ours.late_cost > most_late:
        broken.append(f"last fifth above {most_late:.2f}")
    if family == WARM_UP:
        return [*broken, *(["a run settles on the worse size"] if ours.astray else [])]
    better = [NAMES[policy] for policy in POLICIES[1:] if regret_of(rows[policy]) < regret_of(ours)]
    broken += [f"regret above that of {name}" for name in better]
    if family == STEEP:
        if ours.left_default is None or ours.left_default > MOST_RECURRENCES_AT_DEFAULT:
            broken.append(f"at the default for more than {MOST_RECURRENCES_AT_DEFAULT} recurrences")
    elif regret_of(ours) > MOST_REGRET:
        broken.append(f"regret above {MOST_REGRET:g}")
    return broken


def regret_of(row: ReportRow) -> float:
    """Mean regret after all recurrences."""
    return float(row.regrets[:, row.recurrences - 1].mean())
