"""The policies on the traces: tables, and what must hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean, geometric_mean

from zeus_bso.simulator.report import EARLY, ReportRow
from zeus_bso.simulator.scenario import Drift, Scenario
from zeus_bso.simulator.traces import Pair
from zeus_bso.simulator.world import SimulatedWorkload

POLICIES = ("zeus", "surrogate")
SHORTEST = 50
"""Recurrences that drift and overlap need to show anything."""

MOST_REGRET_EARLY, MOST_REGRET = 0.28, 0.28
MOST_REGRET_OF_A_PAIR = 0.65
MOST_WORST, MOST_P99 = 5.0, 4.0
MOST_TRIES = 5
MOST_LATE_COST, MOST_LATE_COST_OVERLAP = 1.05, 1.10
ENERGY_SAVED = (0.15, 0.76)
LEAST_SAVED, LEAST_BEYOND, MOST_BEYOND = 0.33, 0.10, 0.015
BOUND = 1.05
"""The largest slowdown of an epoch, where one is set."""

Verdict = tuple[bool, str, str]
Run = Callable[[Sequence[SimulatedWorkload], Sequence[str]], list[ReportRow]]


def on_traces(pairs: Sequence[Pair], run: Run) -> list[Verdict]:
    """The experiment itself."""
    off, limited, bounded = (
        run([SimulatedWorkload(pair, scenario) for pair in pairs], POLICIES)
        for scenario in (Scenario(), Scenario(power="optimize"), Scenario(power="optimize", max_slowdown=BOUND))
    )
    return regret(off) + savings(off, limited, bounded)


def on_drifting_traces(pairs: Sequence[Pair], run: Run) -> list[Verdict]:
    """Epochs that change at half time."""
    return [
        verdict
        for factor in (1.5, 2.5)
        for verdict in drift(run([SimulatedWorkload(pair, drifting(pair, factor)) for pair in pairs], POLICIES), factor)
    ]


def on_late_traces(pairs: Sequence[Pair], run: Run) -> list[Verdict]:
    """Recurrences that overlap."""
    return [
        verdict
        for overlap in (1, 4, 8)
        for verdict in overlapping(
            run([SimulatedWorkload(pair, late(pair, overlap)) for pair in pairs], POLICIES), overlap
        )
    ]


def on_moved_defaults(pairs: Sequence[Pair], run: Run) -> list[Verdict]:
    """The default moved to every size of the list: table and verdicts."""
    worlds = [
        SimulatedWorkload(replace(pair, default_batch_size=size), Scenario(name=f"default {size}"))
        for pair in pairs
        for size in pair.batch_sizes
    ]
    ours, theirs = by_policy(run(worlds, POLICIES))
    both = list(zip(ours, theirs, strict=True))
    print(f"\n| workload | gpu | default | {HEADS} |\n|" + "---|" * (4 + HEADS.count("|")))
    for our, other in both:
        print(f"| {our.workload} | {our.gpu} | {our.scenario.removeprefix('default ')} | {compared(our, other)} |")
    verdicts = []
    for name in ("20", "T"):
        mean = share_of_reference(ours, theirs, name)
        verdicts.append((mean <= 1, f"every default: mean regret at {name} at most that of zeus", f"{mean:.3f} x"))
        ratio, worst = max(
            ((regret_of(our, at(our, name)) / regret_of(other, at(other, name)), our) for our, other in both),
            key=lambda pair: pair[0],
        )
        shown = f"{ratio:.2f} x at most: {worst.workload} on {worst.gpu}, {worst.scenario}"
        verdicts.append((ratio <= 1, f"no default worse than zeus at {name}", shown))
    latest = max(ours, key=lambda row: row.late_cost)
    claim = f"every default: the last fifth costs at most {MOST_LATE_COST:.2f} x the oracle's"
    shown = f"{latest.late_cost:.3f} x at most: {latest.workload} on {latest.gpu}, {latest.scenario}"
    verdicts.append((latest.late_cost <= MOST_LATE_COST, claim, shown))
    return verdicts


def drifting(pair: Pair, factor: float) -> Scenario:
    """Epochs are multiplied at half time."""
    recurrences = max(SHORTEST, pair.recurrences)
    return Scenario(recurrences=recurrences, drift=Drift(recurrences // 2, factor))


def late(pair: Pair, overlap: int) -> Scenario:
    """Results come late."""
    return Scenario(recurrences=max(SHORTEST, pair.recurrences), overlap=overlap)


def regret(rows: Sequence[ReportRow]) -> list[Verdict]:
    """The experiment itself: table and verdicts."""
    print(
        "\n| workload | gpu | T | policy | regret at 20 | at 50 | at T | 95 % interval | p99 at T | worst at 20 "
        "| at T |\n|" + "---|" * 11
    )
    for row in rows:
        end = row.recurrences
        low, high = row.confidence_interval(end)
        print(
            f"| {row.workload} | {row.gpu} | {end} | {row.policy} | {regret_of(row, EARLY):.2f} "
            f"| {regret_of(row, 50):.2f} | {regret_of(row, end):.2f} | {low:.2f} to {high:.2f} "
            f"| {row.regret_quantile(end, 0.99):.1f} | {worst_of(row, EARLY):.1f} | {worst_of(row, end):.1f} |"
        )
    ours, theirs = by_policy(rows)
    verdicts = []
    for name, bar in (("20", MOST_REGRET_EARLY), ("T", MOST_REGRET)):
        pairs = [
            (regret_of(our, at(our, name)), regret_of(other, at(other, name)))
            for our, other in zip(ours, theirs, strict=True)
        ]
        mean = share_of_reference(ours, theirs, name)
        ratios = [our / other for our, other in pairs]
        verdicts.append(
            (
                mean <= bar,
                f"mean regret of surrogate at {name}: at most {bar:.2f} x zeus",
                f"{mean:.3f} x; by pair, geometric mean {geometric_mean(ratios):.3f} x, "
                f"arithmetic mean {fmean(ratios):.3f} x",
            )
        )
        claim = f"no pair worse than {MOST_REGRET_OF_A_PAIR:.2f} x zeus at {name}"
        verdicts.append((max(ratios) <= MOST_REGRET_OF_A_PAIR, claim, f"{max(ratios):.2f} x at most"))
    worst, others = max(worst_of(row, EARLY) for row in ours), max(worst_of(row, EARLY) for row in theirs)
    verdicts.append((worst <= others, "worst run at 20: no worse than zeus", f"{worst:.1f}, zeus {others:.1f}"))
    far, p99 = worst_at_end(ours), worst_at_end(ours, 0.99)
    shown = f"{far:.1f}, zeus {worst_at_end(theirs):.1f}"
    verdicts.append((far <= MOST_WORST, f"worst run at T: at most {MOST_WORST:g}", shown))
    shown = f"{p99:.1f}, zeus {worst_at_end(theirs, 0.99):.1f}"
    verdicts.append((p99 <= MOST_P99, f"99th percentile of the worst pair at T: at most {MOST_P99:g}", shown))
    return verdicts


def savings(off: Sequence[ReportRow], limited: Sequence[ReportRow], bounded: Sequence[ReportRow]) -> list[Verdict]:
    """What is saved with power limits and without: table and verdicts.

    Args:
        off: At full power.
        limited: At the limits of least cost.
        bounded: At the limits of least cost that slow no epoch by more than the bound.
    """
    print(
        "\n| workload | gpu | policy | energy saved at full power | time | with limits | time "
        f"| at most {BOUND - 1:.0%} slower | time |\n|" + "---|" * 9
    )
    for each in zip(off, limited, bounded, strict=True):
        cells = [f"{row.savings.energy or 0.0:.0%} | {row.savings.time or 0.0:.0%}" for row in each]
        print(f"| {each[0].workload} | {each[0].gpu} | {each[0].policy} | {' | '.join(cells)} |")
    verdicts = []
    for alone, both, slower in zip(by_policy(off), by_policy(limited), by_policy(bounded), strict=True):
        shown = (
            f"{fmean(map(saved_of, alone)):.1%}; with power limits {fmean(map(saved_of, both)):.1%}, "
            f"at most {BOUND - 1:.0%} slower {fmean(map(saved_of, slower)):.1%}"
        )
        claim = f"energy that {alone[0].policy} saves at full power, mean of the pairs (reported)"
        verdicts.append((True, claim, shown))
    ours, with_limits, slower = (by_policy(rows)[0] for rows in (off, limited, bounded))
    saved = fmean(map(saved_of, with_limits))
    claim = f"surrogate saves at least {LEAST_SAVED:.0%} of the energy with power limits"
    verdicts.append((saved >= LEAST_SAVED, claim, f"{saved:.1%}"))
    for name, rows in (("limits", with_limits), (f"limits at most {BOUND - 1:.0%} slower", slower)):
        energy, time = beyond(rows, ours)
        claim = f"{name}: at least {LEAST_BEYOND:.0%} of the energy beyond what the size alone saves"
        verdicts.append((energy >= LEAST_BEYOND, claim, f"{energy:.1%} of the energy, for {time:+.1%} of the time"))
    _, time = beyond(slower, ours)
    claim = f"limits at most {BOUND - 1:.0%} slower: at most {MOST_BEYOND:+.1%} time beyond size alone"
    verdicts.append((time <= MOST_BEYOND, claim, f"{time:+.2%}"))
    dearest = max((*with_limits, *slower), key=lambda row: row.profiling.energy_share)
    claim = "measuring power limits costs little of all energy, up to T (reported)"
    shown = f"{dearest.profiling.energy_share:.2%} at most: {dearest.workload} on {dearest.gpu}"
    verdicts.append((True, claim, shown))
    on_v100 = [saved_of(row) for row in by_policy(limited)[1] if row.gpu == "v100"]
    if on_v100:
        low, high = ENERGY_SAVED
        inside = all(low <= round(share, 2) <= high for share in on_v100)
        shown = ", ".join(f"{share:.0%}" for share in on_v100)
        verdicts.append((inside, f"zeus saves {low:.0%} to {high:.0%} of the energy on V100 with power limits", shown))
    return verdicts


def beyond(rows: Sequence[ReportRow], alone: Sequence[ReportRow]) -> tuple[float, float]:
    """Energy saved beyond the size alone, and time spent beyond it: shares, in the mean of the pairs."""
    pairs = list(zip(rows, alone, strict=True))
    energy = fmean((1.0 - saved_of(row)) / (1.0 - saved_of(one)) for row, one in pairs)
    time = fmean((1.0 - (row.savings.time or 0.0)) / (1.0 - (one.savings.time or 0.0)) for row, one in pairs)
    return 1.0 - energy, time - 1.0


def drift(rows: Sequence[ReportRow], factor: float) -> list[Verdict]:
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


def overlapping(rows: Sequence[ReportRow], overlap: int) -> list[Verdict]:
    """The last fifth costs little more than the oracle."""
    return [
        (
            max(row.late_cost for row in group) <= MOST_LATE_COST_OVERLAP,
            f"results {overlap} late: {group[0].policy} settles within {MOST_LATE_COST_OVERLAP - 1:.0%} of the oracle",
            f"the last fifth costs {max(row.late_cost for row in group):.3f} x the oracle's on the worst pair, "
            f"{fmean(row.late_cost for row in group):.3f} x in the mean",
        )
        for group in reversed(by_policy(rows))
    ]


def by_policy(rows: Sequence[ReportRow]) -> tuple[list[ReportRow], list[ReportRow]]:
    """Our rows and those of the reference, pair by pair."""
    return [row for row in rows if row.policy == "surrogate"], [row for row in rows if row.policy == "zeus"]


HEADS = "T | regret at 20 | zeus | at T | zeus | worst at T | zeus | last fifth | zeus"


def compared(our: ReportRow, other: ReportRow) -> str:
    """Cells under :data:`HEADS`."""
    end = our.recurrences
    return (
        f"{end} | {regret_of(our, EARLY):.2f} | {regret_of(other, EARLY):.2f} "
        f"| {regret_of(our, end):.2f} | {regret_of(other, end):.2f} "
        f"| {worst_of(our, end):.1f} | {worst_of(other, end):.1f} | {our.late_cost:.3f} | {other.late_cost:.3f}"
    )


def share_of_reference(ours: Sequence[ReportRow], theirs: Sequence[ReportRow], name: str) -> float:
    """Our mean regret over that of the reference, after so many recurrences."""
    return fmean(regret_of(our, at(our, name)) for our in ours) / fmean(regret_of(row, at(row, name)) for row in theirs)


def at(row: ReportRow, name: str) -> int:
    """A number of recurrences by its name."""
    return row.recurrences if name == "T" else int(name)


def saved_of(row: ReportRow) -> float:
    """Share of energy saved over the last five recurrences."""
    return row.savings.energy or 0.0


def regret_of(row: ReportRow, after: int) -> float:
    """Mean regret of a row that is long enough."""
    return row.mean_regret(after) or 0.0


def worst_at_end(rows: Sequence[ReportRow], share: float = 1.0) -> float:
    """Regret at T that so large a share of the runs does not pass, on the worst pair."""
    return max(row.regret_quantile(row.recurrences, share) for row in rows)


def worst_of(row: ReportRow, after: int) -> float:
    """Regret of the worst run of a row that is long enough."""
    return row.worst_regret(after) or 0.0


PARTS: dict[str, Callable[[Sequence[Pair], Run], list[Verdict]]] = {
    "traces": on_traces,
    "defaults": on_moved_defaults,
    "drift": on_drifting_traces,
    "late": on_late_traces,
}
"""The parts of the benchmark that need traces."""
