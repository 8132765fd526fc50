"""Is the surrogate policy better than the reference algorithm? By every pair, in the tail, and where jobs are hard.

    python -m benchmarks.policies --traces DIR [--only PART ...] [--seeds 24] [--first-seed 1000] [--jobs 1]

The parts, all by default:
    traces      the paper's experiment (T = 2 x batch sizes x power limits recurrences) on every pair of workload and
                GPU of the traces; energy saved at full power, with power limits, and with limits that slow no epoch
                by more than 5 %
    defaults    the same with the default moved to every size of the list
    drift       on the traces, epochs multiplied at half time
    history     on the traces, with past runs known before the first recurrence, against the reference without
    late        on the traces, recurrences that overlap
    transfer    on the traces, jobs that begin with what another job has learnt
    random      sixty workloads that are drawn at random, numbered from the first seed on
    scenarios   every scenario of `zeus-bso simulate --scenario list`; or name single ones: `--only cliffs two-minima`

Prints tables in Markdown, and what must hold; exits 1 if something does not. Tells its progress on stderr.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks import policy_history, policy_random, policy_scenarios, policy_traces, policy_transfer
from zeus_bso.exceptions import ZeusBSOError
from zeus_bso.simulator.experiment import Simulated, run_tasks, tasks_of
from zeus_bso.simulator.report import ReportRow, rows_of
from zeus_bso.simulator.scenarios import named_scenarios, worlds_of
from zeus_bso.simulator.traces import read_traces
from zeus_bso.simulator.world import SimulatedWorkload

SCENARIOS = "scenarios"
RANDOM = "random"
PARTS = policy_traces.PARTS | {"history": policy_history.on_known_history} | policy_transfer.PARTS
"""The parts that need traces."""


def main() -> int:
    """Run all; print tables and verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=Path, metavar="DIR")
    parser.add_argument("--only", nargs="+", default=[*PARTS, RANDOM, SCENARIOS], metavar="PART")
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # each table is to be seen when it is done
    if arguments.seeds < 1 or arguments.first_seed < 0 or arguments.jobs < 1:
        parser.error("--seeds and --jobs must be at least 1, --first-seed at least 0")
    every = PARTS | {RANDOM: partial(policy_random.on_random_workloads, arguments.first_seed)}
    parts = [part for part in arguments.only if part in every]
    traced = [part for part in parts if part in PARTS]
    if traced and arguments.traces is None:
        parser.error(f"{', '.join(traced)}: say where the traces are, --traces DIR")
    try:
        hard = [worlds_of([name]) for name in _scenarios(arguments.only)]
    except ZeusBSOError as error:
        parser.error(f"{error} Other parts are: {', '.join([*PARTS, RANDOM, SCENARIOS])}.")
    try:
        pairs = read_traces(arguments.traces).pairs() if traced else ()
    except ZeusBSOError as error:
        parser.error(str(error))
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    run = partial(simulated_rows, seeds=seeds, jobs=arguments.jobs)
    failed = policy_scenarios.table(hard, run) if hard else 0
    verdicts = [verdict for part in parts for verdict in every[part](pairs, run)]
    if verdicts:
        print("\n| | what must hold | measured |\n|---|---|---|")
    for holds, claim, measured in verdicts:
        print(f"| {'holds' if holds else '**FAILS**'} | {claim} | {measured} |")
    return 1 if failed or not all(holds for holds, _, _ in verdicts) else 0


def simulated_rows(
    worlds: Sequence[SimulatedWorkload], policies: Sequence[str], *, seeds: Sequence[int], jobs: int
) -> list[ReportRow]:
    """Simulate, with the progress on stderr."""
    tasks, done = tasks_of(worlds, policies, seeds), 0

    def tell(simulated: Simulated) -> None:
        nonlocal done
        done += 1
        if done % len(seeds) == 0:
            world = simulated.task.world
            name = world.scenario.name or world.name
            print(f"[{done} of {len(tasks)}] {name}, {simulated.task.policy}", file=sys.stderr, flush=True)

    return rows_of(run_tasks(tasks, jobs, tell))


def _scenarios(parts: Sequence[str]) -> list[str]:
    every = [scenario.name for scenario in named_scenarios()]
    return [name for part in parts if part not in (*PARTS, RANDOM) for name in (every if part == SCENARIOS else [part])]


if __name__ == "__main__":
    sys.exit(main())
