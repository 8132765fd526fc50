"""``zeus-bso simulate``: what each policy would cost, on recorded traces or made-up workloads."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zeus_bso.cli.errors import CommandError
from zeus_bso.cli.parser import share, whole_number
from zeus_bso.cli.simulation_options import (
    LIST,
    add_power_options,
    add_scenario_options,
    add_workload_options,
    list_scenarios,
    worlds_of,
)

if TYPE_CHECKING:
    from zeus_bso.cli.fitted_table import FittedTable
    from zeus_bso.simulator.experiment import Simulated
    from zeus_bso.simulator.report import ReportRow

_DESCRIPTION = """\
Plays recurring jobs on recorded traces or made-up workloads: every policy chooses batch sizes and pays for what the
runs cost, failed tries included. Regret is what it paid beyond an oracle that knew the best batch size (with `--power
optimize`, and its best power limit) from the start, in units of one run of the oracle. First it says what the best size
would save, and what finding it would have cost. `zeus-bso record` records traces from a training script of your own.
"""
_POLICIES = ("zeus", "surrogate", "default", "oracle", "grid", "random", "optuna-tpe", "optuna-gp")
_WIDTH_OF_A_FILE = 220
_MEANINGS = (
    ("at T", "cost: paid so far over the oracle's"),
    ("regret at T", "regret: paid beyond the oracle, in its runs, mean of the seeds after T recurrences"),
    ("x zeus", "x zeus: over zeus's regret"),
    ("within 5 %", "within 5 %: recurrences until a run stays that close to the oracle (median of the seeds)"),
    ("energy", "energy, time: of the last five recurrences against the default size at full power"),
    ("size alone", "size alone: the same epochs at full power"),
)
"""What the columns of the table mean that say too little by their titles."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = _DESCRIPTION
    add_workload_options(parser)
    parser.add_argument(
        "--policy", nargs="+", choices=_POLICIES, default=["zeus", "surrogate"], metavar="POLICY",
        help=f"any of {', '.join(_POLICIES)} (default: zeus surrogate)",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=whole_number(1), default=24, metavar="N", help="simulations of each (default: 24)"
    )
    parser.add_argument(
        "--first-seed", type=whole_number(0), default=0, metavar="N", help="the first seed (default: 0)"
    )
    parser.add_argument(
        "--recurrences", type=whole_number(1), metavar="T", help="default: 2 x (batch sizes) x (power limits)"
    )
    parser.add_argument("--eta", type=share, help="weight of energy against time (default: 0.5)")
    parser.add_argument("--beta", type=float, help="cost bound; 0: none (default: 2)")
    parser.add_argument("--no-curve-stop", action="store_true", help="surrogate: stop no run by its learning curve")
    parser.add_argument("--jobs", type=whole_number(1), default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--verbose", action="store_true", help="also print the table that compares the policies")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="draw figures into this folder, as PNG and SVG")
    add_power_options(parser)
    add_scenario_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run the simulations and print what they came to."""
    if args.scenario and LIST in args.scenario:
        print(list_scenarios(as_json=args.json))
        return 0
    _load_early(args)
    from zeus_bso.simulator.experiment import run_tasks, tasks_of
    from zeus_bso.simulator.report import rows_of

    seeds = range(args.first_seed, args.first_seed + args.seeds)
    tasks = tasks_of(worlds_of(args), args.policy, seeds)
    with _progress(len(tasks)) as on_done:
        simulations = run_tasks(tasks, args.jobs, on_done)
    rows = rows_of(simulations)
    if args.json:
        print(json.dumps({"rows": [row.as_json() for row in rows]}, indent=2))
    else:
        _print(rows, simulations, with_table=args.verbose)
    if args.figures is not None:
        from zeus_bso.simulator.figures import draw_all

        for path in draw_all(args.figures, rows, simulations):
            print(path, file=sys.stderr)
    return 0


def _load_early(args: argparse.Namespace) -> None:
    """Load packages that may be missing now, and not after all simulations."""
    if "optuna-tpe" in args.policy or "optuna-gp" in args.policy:
        import optuna  # noqa: F401
    if args.figures is not None:
        import matplotlib as mpl

        mpl.use("agg")
        try:
            args.figures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"--figures: {args.figures} cannot be made a folder: {error.strerror}.") from None


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


def _print(rows: Sequence[ReportRow], simulations: Sequence[Simulated], *, with_table: bool) -> None:
    from rich.console import Console

    from zeus_bso.cli.simulation_answer import answers_of

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_OF_A_FILE)
    for sentence in answers_of(rows, simulations):
        console.print(sentence, markup=False)
    if not with_table:
        console.print(
            "A cost is eta * energy + (1 - eta) * max_power * time. --verbose compares the policies in a table."
        )
        return
    console.print()
    table = _table(rows).fitted(console)
    console.print(table, soft_wrap=True)
    console.print()
    shown = {str(column.header) for column in table.columns}
    console.print(";\n".join(meaning for title, meaning in _MEANINGS if title in shown) + ".")


def _chooses_limits(rows: Sequence[ReportRow]) -> bool:
    return any(row.power == "optimize" for row in rows)


def _table(rows: Sequence[ReportRow]) -> FittedTable:
    from zeus_bso.cli.fitted_table import Column, FittedTable
    from zeus_bso.simulator.experiment import LATER
    from zeus_bso.simulator.report import EARLY, ratio_to

    # A made-up workload has its scenario's name.
    laid_over = any(row.scenario not in ("", row.workload) for row in rows)
    limited = _chooses_limits(rows)
    table = FittedTable(
        *([Column("scenario")] if laid_over else []),
        Column("workload"),
        Column("gpu"),
        Column("policy"),
        Column("T", right=True, drop=4),
        Column(f"cost at {EARLY}", right=True, drop=3),
        Column(f"at {LATER}", right=True, drop=2),
        Column("at T", right=True, drop=10),
        Column("regret at T", right=True, drop=9),
        Column("95 % interval", right=True, drop=5),
        Column("x zeus", right=True, drop=7),
        Column("worst run", right=True, drop=1),
        Column("within 5 %", right=True, drop=8),
        Column("energy", right=True),
        *([Column("size alone", right=True, drop=6)] if limited else []),
        Column("time", right=True),
    )
    for row in rows:
        end = row.recurrences
        low, high = row.confidence_interval(end)
        table.add_row(
            *([row.scenario] if laid_over else []),
            row.workload,
            row.gpu,
            row.policy,
            end,
            *(_number(row.cost_over_oracle(after), 3) for after in (EARLY, LATER, end)),
            _number(row.mean_regret(end), 2),
            f"{low:.2f} to {high:.2f}",
            _number(ratio_to(rows, row, end), 2),
            _number(row.worst_regret(end), 1),
            "never" if row.settled is None else row.settled,
            _change(row.savings.energy),
            *([_change(row.savings.full_power_energy)] if limited else []),
            _change(row.savings.time),
        )
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _change(saved: float | None) -> str:
    if saved is None:
        return "-"
    percent = round(-100 * saved)
    return f"{percent:+} %" if percent else "0 %"
