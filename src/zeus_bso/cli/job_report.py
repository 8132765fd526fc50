"""What a job has learned from repeated runs, and what it would save from now on."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from zeus_bso.cli.fitted_table import Column, FittedTable, plain_text
from zeus_bso.cli.line_breaks import folded
from zeus_bso.cli.settling import CONFIRMATIONS, is_confirmed, none_converges
from zeus_bso.protocol.views import BatchSizeView, JobView, TrialView
from zeus_bso.protocol.wording import not_given_because, stage_of, why_left_out
from zeus_bso.protocol.words import EnergySource, Outcome, TrialStatus
from zeus_bso.savings import Noise, Use, noise, spread
from zeus_bso.units import counted, duration, energy, less, percent, plain

_NARROW = 60
"""Below this width a table has no room for reasons [characters]."""

_AS_MUCH = 0.005
"""A smaller part of a cost is called none."""


@dataclass(frozen=True, slots=True)
class SizeRow:
    """One batch size: its runs by how they ended, and the means of the converged runs."""

    batch_size: int
    runs: int
    converged: int
    stopped: int
    failed: int
    mean_energy_j: float | None
    mean_time_s: float | None
    mean_cost_j: float | None
    retired: str | None


@dataclass(frozen=True, slots=True)
class RunSaving:
    """Saving per run of the chosen size against the default size: 0.4 means 40 % less, a negative number means more.

    Attributes:
        cost: Saving in cost.
        cost_low: Lower end of its 95 % interval.
        cost_high: Upper end of that interval.
        energy: Saving in energy.
        time: Saving in time.
        chosen_runs: Number of converged runs of the chosen size.
        default_runs: Number of converged runs of the default size.
    """

    cost: float
    cost_low: float
    cost_high: float
    energy: float
    time: float
    chosen_runs: int
    default_runs: int


@dataclass(frozen=True, slots=True)
class Bill:
    """Everything that the job has spent so far, including exploration.

    Attributes:
        models: Runs that reached the target.
        cost_j: Cost of all runs, including failed ones.
        exploration_cost_j: The part of it above what the same number of models costs with the chosen size.
        default_cost_j: Cost of the same number of models with the default size.
    """

    models: int
    cost_j: float
    exploration_cost_j: float
    default_cost_j: float | None


@dataclass(frozen=True, slots=True)
class JobReport:
    """The result of repeated runs.

    Attributes:
        settled: Whether no other size than the chosen one is worth a try.
        confirmed: Whether the job is settled, and its latest runs took the chosen size.
        no_size_converges: Whether every size was tried, and none has reached the target.
        max_epochs: Most epochs of a run.
        estimated: Whether the energy is an estimate because no sensor measured it.
        saving: The saving, or None if there is not enough data.
        bill: The bill, or None if no size has converged yet.
    """

    job_id: str
    stage: str
    recurrences: int
    default_batch_size: int
    chosen_batch_size: int | None
    settled: bool
    confirmed: bool
    no_size_converges: bool
    max_epochs: int
    estimated: bool
    sizes: list[SizeRow]
    saving: RunSaving | None
    bill: Bill | None


def make_report(job: JobView, trials: Sequence[TrialView]) -> JobReport:
    """Summarize a job with all its trials."""
    views = {view.batch_size: view for view in job.batch_sizes}
    default = views[job.default_batch_size]
    chosen = None if job.chosen_batch_size is None else views[job.chosen_batch_size]
    return JobReport(
        job_id=job.job_id,
        stage=job.stage.value,
        recurrences=job.trials,
        default_batch_size=job.default_batch_size,
        chosen_batch_size=job.chosen_batch_size,
        settled=not job.exploring,
        confirmed=is_confirmed(job, trials),
        no_size_converges=none_converges(job),
        max_epochs=job.spec.max_epochs,
        estimated=job.energy_source is EnergySource.ESTIMATE,
        sizes=[_row(view) for view in sorted(job.batch_sizes, key=lambda view: view.batch_size)],
        saving=None if chosen is None else _saving(chosen, default, _noise(trials, job.energy_source)),
        bill=None if chosen is None else _bill(chosen, default, trials),
    )


def _row(view: BatchSizeView) -> SizeRow:
    return SizeRow(
        batch_size=view.batch_size,
        runs=view.trials,
        converged=view.converged,
        stopped=view.unconverged,
        failed=view.failed,
        mean_energy_j=view.mean_energy,
        mean_time_s=view.mean_time,
        mean_cost_j=view.mean_cost,
        retired=view.retired,
    )


def _noise(trials: Sequence[TrialView], source: EnergySource | None) -> Noise:
    costs: dict[int, list[float]] = {}
    for trial in trials:
        compared = why_left_out(trial.energy_source, source) is None
        if trial.outcome is Outcome.CONVERGED and trial.cost is not None and compared:
            costs.setdefault(trial.batch_size, []).append(trial.cost)
    return noise(Use(len(each), sum(each), sum(cost * cost for cost in each)) for each in costs.values())


def _saving(chosen: BatchSizeView, default: BatchSizeView, of_runs: Noise) -> RunSaving | None:
    cost = _saved(chosen.mean_cost, default.mean_cost)
    of_energy = _saved(chosen.mean_energy, default.mean_energy)
    time = _saved(chosen.mean_time, default.mean_time)
    if cost is None or of_energy is None or time is None:
        return None
    factor = 1.0 if chosen is default else math.exp(spread(of_runs, default.converged, chosen.converged))
    return RunSaving(
        cost=cost,
        cost_low=1 - (1 - cost) * factor,
        cost_high=1 - (1 - cost) / factor,
        energy=of_energy,
        time=time,
        chosen_runs=chosen.converged,
        default_runs=default.converged,
    )


def _saved(chosen: float | None, default: float | None) -> float | None:
    return 1 - chosen / default if chosen is not None and default else None


def _bill(chosen: BatchSizeView, default: BatchSizeView, trials: Sequence[TrialView]) -> Bill | None:
    if chosen.mean_cost is None:
        return None
    ended = [trial for trial in trials if trial.status is not TrialStatus.DISPATCHED]
    models = sum(trial.target_reached for trial in ended)
    cost = sum(trial.cost or 0.0 for trial in ended)
    return Bill(
        models=models,
        cost_j=cost,
        exploration_cost_j=cost - models * chosen.mean_cost,
        default_cost_j=None if default.mean_cost is None else models * default.mean_cost,
    )


def print_report(report: JobReport) -> None:
    """Print the report for a person."""
    console = Console(highlight=False)
    runs = plain(counted(report.recurrences, "run"))
    console.print()
    console.print(plain_text(f"Job {report.job_id}: {runs}, {stage_of(exploring=not report.settled)}."), soft_wrap=True)
    console.print()
    console.print(_table(report, narrow=console.width < _NARROW).fitted(console), soft_wrap=True)
    notes = ["Means of the converged runs."]
    if report.estimated:
        notes.append("* Energy is estimated: this machine has no energy sensor.")
    console.print()
    for sentence in [*notes, "", *sentences(report)]:
        console.print(sentence, markup=False)


def print_commands(commands: Sequence[tuple[str, str]]) -> None:
    """Print commands so that each can be copied as a whole: on one line, or folded as a shell takes it."""
    console = Console(highlight=False, soft_wrap=True)
    for what, command in commands:
        shown = folded(command, console.width - 2) if console.is_terminal else command
        console.print(f"\n{what}:\n" + textwrap.indent(shown, "  "), markup=False)


def none_converges_in_words(report: JobReport) -> str:
    """That no batch size reaches the target, and what would help."""
    return (
        f"No batch size reached the target within max_epochs ({report.max_epochs}). A larger max_epochs or an easier "
        "target_metric would help."
    )


def sentences(report: JobReport) -> list[str]:
    """The result in words: the chosen size, its saving, and the cost of exploration."""
    if report.no_size_converges:
        return [none_converges_in_words(report)]
    if report.chosen_batch_size is None:
        return ["No batch size has converged yet: not enough data."]
    chosen = f"Batch size: {report.chosen_batch_size}."
    if not report.settled:
        chosen = f"Best batch size so far: {report.chosen_batch_size}. It is not settled yet."
    elif not report.confirmed:
        chosen += f" The latest {CONFIRMATIONS} runs have not all confirmed it yet."
    return [chosen, _saving_in_words(report), *_cheaper_in_words(report), *_bill_in_words(report)]


def _cheaper_in_words(report: JobReport) -> list[str]:
    """A sentence on the size that has cost least so far, if the job does not believe that it is the cheapest."""
    means = {row.mean_cost_j: row for row in report.sizes if row.mean_cost_j is not None}
    least = means[min(means)] if means else None
    if least is None or least.batch_size == report.chosen_batch_size:
        return []
    why = (
        "which is not certain yet"
        if least.retired is None
        else f"but is {not_given_because(least.retired, least.converged)}"
    )
    return [
        f"{report.chosen_batch_size} is believed to be the cheapest; {least.batch_size} cost less in "
        f"{_runs(least.converged)}, {why}."
    ]


def _saving_in_words(report: JobReport) -> str:
    default = report.default_batch_size
    if report.chosen_batch_size == default:
        better = "" if _cheaper_in_words(report) else " No better size is known so far."
        return f"This is the default size.{better}"
    saving = report.saving
    if saving is None:
        return f"Saving against the default size {default}: not enough data, it has never converged."
    runs = f"{_runs(saving.chosen_runs)} against {_runs(saving.default_runs)} of the default size"
    if saving.cost_low < -1:
        return f"What it saves against your default size {default} is not certain yet, by {runs}."
    mark = " (estimated)" if report.estimated else ""
    return (
        f"Against your default size {default} it would {_change_in_words(saving.cost)} each run from now on{mark}, "
        f"between {_signed(saving.cost_low)} and {_signed(saving.cost_high)} with 95 % confidence: energy "
        f"{plain(less(saving.energy))}, time {plain(less(saving.time))}, by {runs}."
    )


def _change_in_words(saved: float) -> str:
    if abs(saved) < _AS_MUCH:
        return "cost as much in"
    verb, more = ("save", "") if saved > 0 else ("cost", " more")
    return f"{verb} {plain(percent(abs(saved)))}{more} of the cost of"


def _signed(share: float) -> str:
    return plain(percent(share)) if share >= 0 else f"-{plain(percent(-share))}"


def _bill_in_words(report: JobReport) -> list[str]:
    bill = report.bill
    if bill is None:
        return []
    words = (
        f"Finding it: {_runs(report.recurrences)} cost {_joules(bill.cost_j)} and gave "
        f"{plain(counted(bill.models, 'model'))}"
    )
    if bill.exploration_cost_j >= _AS_MUCH * bill.cost_j:
        words += f", {_joules(bill.exploration_cost_j)} of it for exploring"
    if bill.default_cost_j is None:
        return [f"{words}."]
    difference = bill.cost_j - bill.default_cost_j
    if abs(difference) < _AS_MUCH * bill.cost_j:
        return [f"{words}. That is as much as the same number of models costs with the default size."]
    balance = "less" if difference < 0 else "more"
    return [f"{words}. That is {_joules(abs(difference))} {balance} than as many models with the default size."]


def _table(report: JobReport, *, narrow: bool) -> FittedTable:
    mark = "*" if report.estimated else ""
    table = FittedTable(
        Column("batch size", right=True),
        Column("runs", right=True, drop=6),
        Column("converged", right=True, drop=3),
        Column("stopped", right=True, drop=2),
        Column("failed", right=True, drop=1),
        Column(f"energy{mark}", right=True, drop=4),
        Column("time", right=True, drop=5),
        Column(f"cost{mark}", right=True, drop=7),
        Column(""),
    )
    for row in report.sizes:
        table.add_row(
            *(row.batch_size, row.runs, row.converged, row.stopped, row.failed),
            plain(energy(row.mean_energy_j)),
            plain(duration(row.mean_time_s)),
            plain(energy(row.mean_cost_j)),
            ", ".join(_notes(row, report, narrow=narrow)),
            style="bold green" if row.batch_size == report.chosen_batch_size else None,
        )
    return table


def _notes(row: SizeRow, report: JobReport, *, narrow: bool) -> list[str]:
    notes = []
    if row.batch_size == report.chosen_batch_size:
        notes.append("chosen" if report.settled else "best so far")
    if row.batch_size == report.default_batch_size:
        notes.append("default")
    if row.retired is not None:
        notes.append("not given again" if narrow else not_given_because(row.retired, row.converged))
    return notes


def _runs(count: int) -> str:
    return plain(counted(count, "run"))


def _joules(energy_j: float) -> str:
    return plain(energy(energy_j))
