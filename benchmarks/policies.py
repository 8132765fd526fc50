"""Is the surrogate policy better than the reference algorithm? Both on recorded traces, by every pair and in the tail.

    python -m benchmarks.policies --traces DIR [--seeds 24] [--first-seed 1000] [--jobs 1]

Runs the paper's experiment (T = 2 x batch sizes x power limits recurrences) on every pair of workload and GPU, then
drift at half time and overlapping runs. Prints tables in Markdown, and what must hold; exits 1 if something does not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, geometric_mean

from zeus_bso.simulator.experiment import run_tasks, tasks_of
from zeus_bso.simulator.report import EARLY, Row, rows_of
from zeus_bso.simulator.traces import Pair, read_traces
from zeus_bso.simulator.world import Drift, Scenario

POLICIES = ("zeus", "surrogate")
SHORTEST = 50
"""Recurrences that drift and overlap need to show anything."""

MOST_REGRET_EARLY, MOST_REGRET = 0.40, 0.42
MOST_TRIES = 5
MOST_LATE_COST = 1.10
ENERGY_SAVED = (0.15, 0.76)


def main() -> int:
    """Run all; print tables and verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    pairs = read_traces(arguments.traces).pairs()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)

    def run(scenario_of: Callable[[Pair], Scenario]) -> list[Row]:
        tasks = [task for pair in pairs for task in tasks_of([pair], POLICIES, seeds, scenario_of(pair))]
        return rows_of(run_tasks(tasks, arguments.jobs))

    verdicts = regret(run(lambda pair: Scenario()))
    for factor in (1.5, 2.5):
        verdicts += drift(run(partial(drifting, factor=factor)), factor)
    for overlap in (1, 4, 8):
        verdicts += overlapping(run(partial(late, overlap=overlap)), overlap)
    print("\n| | what must hold | measured |\n|---|---|---|")
    for holds, claim, measured in verdicts:
        print(f"| {'holds' if holds else '**FAILS**'} | {claim} | {measured} |")
    return 0 if all(holds for holds, _, _ in verdicts) else 1


Verdict = tuple[bool, str, str]


def drifting(pair: Pair, factor: float) -> Scenario:
    """Epochs are multiplied at half time."""
    recurrences = max(SHORTEST, pair.recurrences)
    return Scenario(recurrences=recurrences, drift=Drift(recurrences // 2, factor))


def late(pair: Pair, overlap: int) -> Scenario:
    """Results come late."""
    return Scenario(recurrences=max(SHORTEST, pair.recurrences), overlap=overlap)


def regret(rows: Sequence[Row]) -> list[Verdict]:
    """The experiment itself: table and verdicts."""
    print(
        "| workload | gpu | T | policy | regret at 20 | at 50 | at T | 95 % interval | p99 at T | worst at 20 | at T "
        "| energy saved, last five |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for row in rows:
        end = row.recurrences
        low, high = row.confidence_interval(end)
        print(
            f"| {row.workload} | {row.gpu} | {end} | {row.policy} | {regret_of(row, EARLY):.2f} "
            f"| {regret_of(row, 50):.2f} | {regret_of(row, end):.2f} | {low:.2f} to {high:.2f} "
            f"| {row.regret_quantile(end, 0.99):.1f} | {worst_of(row, EARLY):.1f} | {worst_of(row, end):.1f} "
            f"| {row.energy_saved_last5 or 0.0:.0%} |"
        )
    ours, theirs = by_policy(rows)
    verdicts = []
    for name, bar in (("20", MOST_REGRET_EARLY), ("T", MOST_REGRET)):
        pairs = [
            (regret_of(our, at(our, name)), regret_of(other, at(other, name)))
            for our, other in zip(ours, theirs, strict=True)
        ]
        mean = fmean(our for our, _ in pairs) / fmean(other for _, other in pairs)
        ratios = [our / other for our, other in pairs]
        verdicts.append(
            (
                mean <= bar,
                f"mean regret of surrogate at {name}: at most {bar:.2f} x zeus",
                f"{mean:.3f} x; by pair, geometric mean {geometric_mean(ratios):.3f} x, "
                f"arithmetic mean {fmean(ratios):.3f} x",
            )
        )
        verdicts.append((max(ratios) <= 1, f"no pair worse than zeus at {name}", f"{max(ratios):.2f} x at most"))
    worst, others = max(worst_of(row, EARLY) for row in ours), max(worst_of(row, EARLY) for row in theirs)
    verdicts.append((worst <= others, "worst run at 20: no worse than zeus", f"{worst:.1f}, zeus {others:.1f}"))
    far = max(worst_of(row, row.recurrences) for row in ours), max(worst_of(row, row.recurrences) for row in theirs)
    p99 = [max(row.regret_quantile(row.recurrences, 0.99) for row in group) for group in (ours, theirs)]
    verdicts.append((True, "99th percentile of the worst pair at T (reported)", f"{p99[0]:.1f}, zeus {p99[1]:.1f}"))
    verdicts.append((True, "worst run at T (reported)", f"{far[0]:.1f}, zeus {far[1]:.1f}"))
    saved = [row.energy_saved_last5 or 0.0 for row in theirs if row.gpu == "v100"]
    if saved:
        low, high = ENERGY_SAVED
        inside = all(low <= round(share, 2) <= high for share in saved)
        shown = ", ".join(f"{share:.0%}" for share in saved)
        verdicts.append((inside, f"zeus saves {low:.0%} to {high:.0%} of the energy on V100", shown))
    return verdicts


def drift(rows: Sequence[Row], factor: float) -> list[Verdict]:
    """Every recurrence converges."""
    return [
        (
            max(row.most_tries for row in group) <= MOST_TRIES and not sum(row.unreached for row in group),
            f"drift x{factor}: {group[0].policy} converges within {MOST_TRIES} tries of each recurrence",
            f"{max(row.most_tries for row in group)} tries at most; "
            f"the last fifth costs {fmean(row.late_cost for row in group):.3f} x the oracle's",
        )
        for group in reversed(by_policy(rows))
    ]


def overlapping(rows: Sequence[Row], overlap: int) -> list[Verdict]:
    """The last fifth costs little more than the oracle."""
    return [
        (
            max(row.late_cost for row in group) <= MOST_LATE_COST,
            f"results {overlap} late: {group[0].policy} settles within {MOST_LATE_COST - 1:.0%} of the oracle",
            f"the last fifth costs {max(row.late_cost for row in group):.3f} x the oracle's on the worst pair, "
            f"{fmean(row.late_cost for row in group):.3f} x in the mean",
        )
        for group in reversed(by_policy(rows))
    ]


def by_policy(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Our rows and those of the reference, pair by pair."""
    return [row for row in rows if row.policy == "surrogate"], [row for row in rows if row.policy == "zeus"]


def at(row: Row, name: str) -> int:
    """A number of recurrences by its name."""
    return row.recurrences if name == "T" else int(name)


def regret_of(row: Row, after: int) -> float:
    """Mean regret of a row that is long enough."""
    return row.mean_regret(after) or 0.0


def worst_of(row: Row, after: int) -> float:
    """Regret of the worst run of a row that is long enough."""
    return row.worst_regret(after) or 0.0


if __name__ == "__main__":
    sys.exit(main())
