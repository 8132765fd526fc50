"""Jobs that begin with what another job has learnt: tables, and what must hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from benchmarks.policy_traces import Run, Verdict, drifting, regret_of, worst_of
from zeus_bso.simulator.report import EARLY, ReportRow
from zeus_bso.simulator.scenario import Scenario
from zeus_bso.simulator.traces import Pair, RecordedRun, Workload, reaches
from zeus_bso.simulator.world import SimulatedWorkload, SourceJob

RECURRENCES = 50
SOURCE_RUNS, FEW_SOURCE_RUNS = 30, 8

MOST_REGRET, MOST_REGRET_AFTER_FEW = 0.16, 0.20
MOST_OF_A_PAIR, MOST_WORST = 1.5, 5.0
MOST_MISLED = 1.2

Sources = Callable[[SimulatedWorkload, Sequence[Pair]], Iterator[SourceJob]]


def on_relatives(pairs: Sequence[Pair], run: Run) -> list[Verdict]:
    """Every kind of source: table and verdicts."""
    print(
        "\n| the job begins with | pairs | regret at 20 / zeus | / its own without | worst pair / its own "
        "| worst run at 20 | regret at 50 / zeus |\n|" + "---|" * 7
    )
    base = Scenario(recurrences=RECURRENCES)
    verdicts = []
    for name, sources, scenario, judge in (
        ("30 runs on the other GPU", _other_gpu(SOURCE_RUNS), base, _is_good),
        ("8 runs on the other GPU", _other_gpu(FEW_SOURCE_RUNS), base, _is_good_after_few),
        ("30 runs to an easier target", _easier_target, base, _reported),
        ("30 runs of another workload, named as similar", _other_workload, base, _misleads_little),
        ("30 runs with eta 0.5 for a job with eta 1", _other_eta(0.5), replace(base, eta_knob=1.0), _reported),
        ("30 runs with eta 0.5 for a job with eta 0", _other_eta(0.5), replace(base, eta_knob=0.0), _reported),
        ("30 runs on the other GPU, results 4 late", _other_gpu(SOURCE_RUNS), replace(base, overlap=4), _reported),
        ("30 runs on the other GPU, epochs x1.5 at half time", _other_gpu(SOURCE_RUNS), None, _reported),
    ):
        worlds = [SimulatedWorkload(pair, scenario or drifting(pair, 1.5)) for pair in pairs]
        verdicts.append(judge(name, _Compared(name, worlds, pairs, sources, run)))
    return verdicts


class _Compared:
    """What jobs cost with a source, without, and with the reference's policy."""

    def __init__(
        self, name: str, worlds: Sequence[SimulatedWorkload], pairs: Sequence[Pair], sources: Sources, run: Run
    ) -> None:
        both = [(world, source) for world in worlds for source in sources(world, pairs)]
        named = [
            replace(world, scenario=replace(world.scenario, name=f"{name} {index}"))
            for index, (world, _) in enumerate(both)
        ]
        informed = [replace(world, source=source) for world, (_, source) in zip(named, both, strict=True)]
        self.ours = run(informed, ["surrogate"])
        self.scratch, self.theirs = (run(named, [policy]) for policy in ("surrogate", "zeus"))
        self.early = self._ratio(EARLY, self.theirs)
        self.of_own = self._ratio(EARLY, self.scratch)
        both_rows = zip(self.ours, self.scratch, strict=True)
        self.worst_pair = max(regret_of(our, EARLY) / regret_of(own, EARLY) for our, own in both_rows)
        self.worst = max(worst_of(row, EARLY) for row in self.ours)
        print(
            f"| {name} | {len(both)} | {self.early:.3f} | {self.of_own:.2f} | {self.worst_pair:.2f} "
            f"| {self.worst:.1f} | {self._ratio(RECURRENCES, self.theirs):.3f} |"
        )

    def _ratio(self, after: int, others: Sequence[ReportRow]) -> float:
        return fmean(regret_of(row, after) for row in self.ours) / fmean(regret_of(row, after) for row in others)


def _is_good(name: str, found: _Compared) -> Verdict:
    claim = (
        f"{name}: at most {MOST_REGRET:.2f} x zeus at 20, no pair above {MOST_OF_A_PAIR} x its own, "
        f"worst run at most {MOST_WORST:g}"
    )
    holds = found.early <= MOST_REGRET and found.worst_pair <= MOST_OF_A_PAIR and found.worst <= MOST_WORST
    return holds, claim, f"{found.early:.3f} x, {found.worst_pair:.2f} x, {found.worst:.1f}"


def _is_good_after_few(name: str, found: _Compared) -> Verdict:
    claim = f"{name}: at most {MOST_REGRET_AFTER_FEW:.2f} x zeus at 20"
    return found.early <= MOST_REGRET_AFTER_FEW, claim, f"{found.early:.3f} x"


def _misleads_little(name: str, found: _Compared) -> Verdict:
    claim = f"{name}: at most {MOST_MISLED} x the regret without"
    return found.of_own <= MOST_MISLED, claim, f"{found.of_own:.2f} x"


def _reported(name: str, found: _Compared) -> Verdict:
    return True, f"{name} (reported)", f"{found.early:.3f} x zeus, {found.of_own:.2f} x its own"


def _other_gpu(runs: int) -> Sources:
    def sources(world: SimulatedWorkload, pairs: Sequence[Pair]) -> Iterator[SourceJob]:
        for pair in pairs:
            if pair.workload == world.pair.workload and pair.gpu != world.pair.gpu:
                yield SourceJob(SimulatedWorkload(pair, world.scenario), runs)

    return sources


def _easier_target(world: SimulatedWorkload, pairs: Sequence[Pair]) -> Iterator[SourceJob]:
    yield SourceJob(SimulatedWorkload(eased(world.pair), world.scenario), SOURCE_RUNS)


def _other_workload(world: SimulatedWorkload, pairs: Sequence[Pair]) -> Iterator[SourceJob]:
    for pair in pairs:
        if pair.workload != world.pair.workload and pair.gpu == world.pair.gpu:
            yield SourceJob(SimulatedWorkload(pair, world.scenario), SOURCE_RUNS)


def _other_eta(eta: float) -> Sources:
    def sources(world: SimulatedWorkload, pairs: Sequence[Pair]) -> Iterator[SourceJob]:
        yield SourceJob(SimulatedWorkload(world.pair, replace(world.scenario, eta_knob=eta)), SOURCE_RUNS)

    return sources


def eased(pair: Pair) -> Pair:
    """The pair with the recorded level before its target as the target."""
    workload = pair.workload
    levels = {level for runs in pair.runs.values() for run in runs for level in run.levels}
    before = [level for level in levels if not reaches(level, workload)]
    target = max(before) if workload.higher_is_better else min(before)
    easier = replace(workload, target_metric=target)
    runs = {size: tuple(_eased_run(run, easier) for run in every) for size, every in pair.runs.items()}
    return replace(pair, workload=easier, runs=runs)


def _eased_run(run: RecordedRun, workload: Workload) -> RecordedRun:
    both = zip(run.levels, run.epochs, strict=True)
    at = next((epoch for level, epoch in both if reaches(level, workload) and epoch is not None), None)
    return replace(run, target_epoch=at)


PARTS: dict[str, Callable[[Sequence[Pair], Run], list[Verdict]]] = {"transfer": on_relatives}
"""The part of the benchmark that starts jobs with what others have learnt."""
