"""A job that begins with what is known: past runs of its batch sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from benchmarks.policy_traces import Run, Verdict, by_policy, regret_of, worst_of
from zeus_bso.simulator.report import EARLY, ReportRow
from zeus_bso.simulator.scenario import Scenario
from zeus_bso.simulator.traces import Pair
from zeus_bso.simulator.world import SimulatedWorkload

LATER = 50


def neighbours(pair: Pair) -> Mapping[int, int]:
    """One run of the default and of each neighbour."""
    sizes, at = pair.batch_sizes, pair.batch_sizes.index(pair.default_batch_size)
    return dict.fromkeys(sizes[max(0, at - 1) : at + 2], 1)


def every_second(pair: Pair) -> Mapping[int, int]:
    """One run of every second size, counted from the default."""
    return dict.fromkeys(pair.batch_sizes[pair.batch_sizes.index(pair.default_batch_size) % 2 :: 2], 1)


def ten_of_the_default(pair: Pair) -> Mapping[int, int]:
    """Ten runs of the default."""
    return {pair.default_batch_size: 10}


HISTORIES: Mapping[str, tuple[Callable[[Pair], Mapping[int, int]], float]] = {
    "one run of the default and of each neighbour": (neighbours, 0.17),
    "one run of every second size": (every_second, 0.12),
    "ten runs of the default": (ten_of_the_default, 0.25),
}
"""What is known, and the most regret at 20 recurrences, as a multiple of the reference's without any."""


def on_known_history(pairs: Sequence[Pair], run: Run) -> list[Verdict]:
    """Past runs are known: table and verdicts."""
    cold, reference = by_policy(run([SimulatedWorkload(pair) for pair in pairs], ("zeus", "surrogate")))
    theirs = {after: _mean(reference, after) for after in (EARLY, LATER)}
    print(f"\n| known before | regret at {EARLY} | at {LATER} | worst run at {EARLY} |\n|---|---|---|---|")
    print(_line("nothing", cold, theirs))
    verdicts: list[Verdict] = []
    for name, (past_runs, bar) in HISTORIES.items():
        worlds = [SimulatedWorkload(pair, Scenario(name=name, past_runs=past_runs(pair))) for pair in pairs]
        rows = run(worlds, ("surrogate",))
        print(_line(name, rows, theirs))
        ratio, worst, before = _mean(rows, EARLY) / theirs[EARLY], _worst(rows), _worst(cold)
        claim = f"{name}: mean regret at {EARLY} at most {bar:.2f} x zeus without"
        verdicts.append((ratio <= bar, claim, f"{ratio:.3f} x"))
        claim = f"{name}: worst run at {EARLY} no worse than without"
        verdicts.append((worst <= before, claim, f"{worst:.1f}, without {before:.1f}"))
    return verdicts


def _line(name: str, rows: Sequence[ReportRow], theirs: Mapping[int, float]) -> str:
    ratios = " | ".join(f"{_mean(rows, after) / theirs[after]:.3f} x" for after in (EARLY, LATER))
    return f"| {name} | {ratios} | {_worst(rows):.1f} |"


def _mean(rows: Sequence[ReportRow], after: int) -> float:
    return fmean(regret_of(row, after) for row in rows)


def _worst(rows: Sequence[ReportRow]) -> float:
    return max(worst_of(row, EARLY) for row in rows)
