"""``zeus-bso simulate``: what each policy would cost, on recorded traces."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zeus_bso.cli.errors import BAD_USE, CommandError

if TYPE_CHECKING:
    from rich.table import Table

    from zeus_bso.simulator.experiment import Simulated
    from zeus_bso.simulator.report import Row
    from zeus_bso.simulator.world import Scenario

_DESCRIPTION = """\
Plays recurring jobs on recorded traces: every policy chooses batch sizes and pays for what the recorded runs cost,
failed tries included. Regret is what it paid beyond an oracle that knew the best batch size and power limit from the
start, in units of one run of the oracle. `zeus-bso record` records such traces from a training script of your own.
"""
_POLICIES = ("zeus", "surrogate", "default", "oracle", "grid", "random", "optuna-tpe", "optuna-gp")
_WIDTH_OF_A_FILE = 150
_LARGEST_DRIFT = 1000.0
_LARGEST_TILT = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = _DESCRIPTION
    parser.add_argument("--traces", type=Path, metavar="DIR", help="trace folder (default: the one of the demo job)")
    parser.add_argument("--gpu", nargs="+", default=["all"], metavar="GPU", help="GPUs of the traces (default: all)")
    parser.add_argument("--workload", nargs="+", default=["all"], metavar="NAME", help="workloads (default: all)")
    parser.add_argument(
        "--policy", nargs="+", choices=_POLICIES, default=["zeus", "surrogate"], metavar="POLICY",
        help=f"any of {', '.join(_POLICIES)} (default: zeus surrogate)",
    )  # fmt: skip
    parser.add_argument("--seeds", type=_positive, default=24, metavar="N", help="simulations of each (default: 24)")
    parser.add_argument("--first-seed", type=_count, default=0, metavar="N", help="the first seed (default: 0)")
    parser.add_argument(
        "--recurrences", type=_positive, metavar="T", help="default: 2 x (batch sizes) x (power limits)"
    )
    parser.add_argument("--eta", type=_share, default=0.5, help="weight of energy against time (default: 0.5)")
    parser.add_argument("--beta", type=float, default=2.0, help="cost bound; 0: none (default: 2)")
    parser.add_argument("--overlap", type=_count, default=0, metavar="K", help="results come K recurrences late")
    parser.add_argument("--drift", type=float, metavar="FACTOR", help="epochs are multiplied by it from half time on")
    parser.add_argument("--tilt", type=float, default=0.0, help="with --drift: larger sizes suffer more; below 0, less")
    parser.add_argument("--crash-rate", type=_share, default=0.0, metavar="SHARE", help="share of tries that die")
    parser.add_argument("--preempt-rate", type=_share, default=0.0, metavar="SHARE", help="share that are preempted")
    parser.add_argument("--no-curve-stop", action="store_true", help="surrogate: stop no run by its learning curve")
    parser.add_argument("--jobs", type=_positive, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="draw figures into this folder, as PNG and SVG")


def run(args: argparse.Namespace) -> int:
    """Run the simulations and print what they came to."""
    if args.figures is not None:
        import matplotlib as mpl  # asked for first, else it is missed only after all simulations

        mpl.use("agg")
        try:
            args.figures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"--figures: {args.figures} cannot be made a folder: {error.strerror}.") from None
    if "optuna-tpe" in args.policy or "optuna-gp" in args.policy:
        import optuna  # noqa: F401
    from zeus_bso.simulator.experiment import run_tasks, tasks_of
    from zeus_bso.simulator.recorded import DIGITS
    from zeus_bso.simulator.report import rows_of
    from zeus_bso.simulator.traces import read_traces

    traces = read_traces(args.traces or DIGITS)
    pairs = traces.pairs(tuple(args.workload), tuple(args.gpu))
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    tasks = [
        task
        for pair in pairs
        for task in tasks_of([pair], args.policy, seeds, _scenario(args, args.recurrences or pair.recurrences))
    ]
    with _progress(len(tasks)) as on_done:
        simulations = run_tasks(tasks, args.jobs, on_done)
    rows = rows_of(simulations)
    if args.json:
        print(json.dumps({"rows": [row.as_json() for row in rows]}, indent=2))
    else:
        _print(rows)
    if args.figures is not None:
        from zeus_bso.simulator.figures import draw_all

        for path in draw_all(args.figures, rows, simulations):
            print(path, file=sys.stderr)
    return 0


def _scenario(args: argparse.Namespace, recurrences: int) -> Scenario:
    from zeus_bso.simulator.world import Drift, Scenario

    if not 0 <= args.beta < math.inf:
        raise CommandError("--beta must be a number of at least 0.", BAD_USE)
    if args.drift is not None and not 0 < args.drift <= _LARGEST_DRIFT:
        raise CommandError(f"--drift must be above 0, and at most {_LARGEST_DRIFT:g}.", BAD_USE)
    if not -_LARGEST_TILT <= args.tilt <= _LARGEST_TILT:
        raise CommandError(f"--tilt must be between -{_LARGEST_TILT:g} and {_LARGEST_TILT:g}.", BAD_USE)
    if args.tilt and args.drift is None:
        raise CommandError("--tilt goes with --drift; --drift 1 for a tilt alone.", BAD_USE)
    return Scenario(
        eta_knob=args.eta,
        beta_knob=args.beta or None,
        recurrences=args.recurrences,
        overlap=args.overlap,
        drift=None if args.drift is None else Drift(recurrences // 2, args.drift, args.tilt),
        crash_rate=args.crash_rate,
        preempt_rate=args.preempt_rate,
        curve_stop=not args.no_curve_stop,
    )


@contextmanager
def _progress(simulations: int) -> Iterator[Callable[[Simulated], None]]:
    """A bar on a terminal, on stderr; elsewhere nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=simulations)
        yield lambda done: bar.advance(task)


def _print(rows: Sequence[Row]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_OF_A_FILE)
    console.print(_table(rows))
    console.print(
        "cost: paid so far over the oracle's; regret: paid beyond the oracle, in its runs, mean of the seeds after T "
        "recurrences;\nx zeus: over zeus's regret; within 5 %: recurrences until a run stays that close to the oracle "
        "(median of the seeds)."
    )


def _table(rows: Sequence[Row]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from zeus_bso.simulator.experiment import LATER
    from zeus_bso.simulator.report import EARLY, ratio_to

    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    for title in ("workload", "gpu", "policy"):
        table.add_column(title)
    titles = ("T", f"cost at {EARLY}", f"at {LATER}", "at T", "regret at T", "95 % interval")
    for title in (*titles, "x zeus", "worst run", "within 5 %"):
        table.add_column(title, justify="right")
    before = None
    for row in rows:
        end = row.recurrences
        if before not in (None, (row.workload, row.gpu)):
            table.add_section()
        before = (row.workload, row.gpu)
        low, high = row.confidence_interval(end)
        table.add_row(
            row.workload,
            row.gpu,
            row.policy,
            str(end),
            *(_number(row.cost_over_oracle(after), 3) for after in (EARLY, LATER, end)),
            _number(row.mean_regret(end), 2),
            f"{low:.2f} to {high:.2f}",
            _number(ratio_to(rows, row, end), 2),
            _number(row.worst_regret(end), 1),
            "never" if row.settled is None else str(row.settled),
        )
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number
