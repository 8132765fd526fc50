"""What the demo's job has learned, and what it has saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from zeus_bso.protocol.views import BatchSizeView, JobView, TrialView
from zeus_bso.protocol.wording import stage_of
from zeus_bso.protocol.words import EnergySource, Stage, TrialStatus
from zeus_bso.units import counted, energy, plain

_ENOUGH_RUNS = 3
"""With fewer runs, the report calls a mean rough."""


@dataclass(frozen=True, slots=True)
class SizeRow:
    """One batch size: its runs, the runs without a model, and the means of the converged runs."""

    batch_size: int
    runs: int
    failed: int
    mean_energy_j: float | None
    mean_time_s: float | None
    mean_cost_j: float | None
    retired: str | None


@dataclass(frozen=True, slots=True)
class DemoSaving:
    """Saving per run of the chosen size against the default size: 0.4 means 40 % less, a negative number means more."""

    cost: float
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
class DemoReport:
    """The result of a demo.

    Attributes:
        exploring: Whether the job is still exploring: in Pruning, or about to try a size other than the chosen one.
        estimated: Whether the energy is an estimate because no sensor measured it.
        saving: The saving, or None if there is not enough data.
        bill: The bill, or None if no size has converged yet.
    """

    job_id: str
    stage: str
    recurrences: int
    default_batch_size: int
    chosen_batch_size: int | None
    exploring: bool
    estimated: bool
    sizes: list[SizeRow]
    saving: DemoSaving | None
    bill: Bill | None


def make_report(job: JobView, trials: Sequence[TrialView]) -> DemoReport:
    """Summarize a job."""
    views = {view.batch_size: view for view in job.batch_sizes}
    default = views[job.default_batch_size]
    chosen = None if job.chosen_batch_size is None else views[job.chosen_batch_size]
    return DemoReport(
        job_id=job.job_id,
        stage=job.stage.value,
        recurrences=job.trials,
        default_batch_size=job.default_batch_size,
        chosen_batch_size=job.chosen_batch_size,
        exploring=_exploring(job),
        estimated=job.energy_source is EnergySource.ESTIMATE,
        sizes=[_row(view) for view in sorted(job.batch_sizes, key=lambda view: view.batch_size)],
        saving=None if chosen is None else _saving(chosen, default),
        bill=None if chosen is None else _bill(chosen, default, trials),
    )


def _exploring(job: JobView) -> bool:
    if job.policy == "surrogate":
        return job.next_batch_size != job.chosen_batch_size
    return job.stage is Stage.PRUNING


def _row(view: BatchSizeView) -> SizeRow:
    return SizeRow(
        batch_size=view.batch_size,
        runs=view.trials,
        failed=view.unconverged + view.failed,
        mean_energy_j=view.mean_energy,
        mean_time_s=view.mean_time,
        mean_cost_j=view.mean_cost,
        retired=view.retired,
    )


def _saving(chosen: BatchSizeView, default: BatchSizeView) -> DemoSaving | None:
    cost = _saved(chosen.mean_cost, default.mean_cost)
    of_energy = _saved(chosen.mean_energy, default.mean_energy)
    time = _saved(chosen.mean_time, default.mean_time)
    if cost is None or of_energy is None or time is None:
        return None
    return DemoSaving(cost, of_energy, time, chosen_runs=chosen.converged, default_runs=default.converged)


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


def print_report(report: DemoReport, see_more: Sequence[tuple[str, str]]) -> None:
    """Print the report for a person."""
    console = Console(highlight=False, soft_wrap=True)
    runs = plain(counted(report.recurrences, "recurrence"))
    console.print(f"\nJob {report.job_id}: {runs}, {stage_of(exploring=report.exploring)}\n")
    console.print(_table(report))
    console.print("\nThe means cover converged runs only. Failed runs gave no model within the bounds.")
    if report.estimated:
        console.print("Energy is [italic]estimated[/]: this machine has no energy sensor.")
    console.print()
    for sentence in sentences(report):
        console.print(sentence)
    console.print(
        'A GPU saves more with the best power limit of each batch size: JobSpec(..., power_limit="optimize").'
    )
    console.print("\nTo see more:")
    width = max(len(what) for what, _ in see_more)
    for what, command in see_more:
        console.print(f"  {what:<{width}}   {command}", markup=False)


def sentences(report: DemoReport) -> list[str]:
    """The result in words: the chosen size, its saving, and the cost of exploration."""
    if report.chosen_batch_size is None:
        return ["No batch size has converged yet: not enough data."]
    chosen = f"Chosen batch size: {report.chosen_batch_size}."
    if report.exploring:
        chosen = f"Best batch size so far: {report.chosen_batch_size}; the job is still exploring."
    return [chosen, _saving_in_words(report), *_bill_in_words(report)]


def _saving_in_words(report: DemoReport) -> str:
    if report.chosen_batch_size == report.default_batch_size:
        return "This is the default size. No better size is known so far."
    saving = report.saving
    if saving is None:
        return f"Saving against the default size {report.default_batch_size}: not enough data, it has never converged."
    mark = " (estimated)" if report.estimated else ""
    caution = ", so this is a rough figure" if min(saving.chosen_runs, saving.default_runs) < _ENOUGH_RUNS else ""
    return (
        f"Saved per run against the default size {report.default_batch_size}: "
        f"cost {saving.cost:.0%}{mark}, energy {saving.energy:.0%}{mark}, time {saving.time:.0%}; "
        f"from the means of {_runs(saving.chosen_runs)} and {_runs(saving.default_runs)}{caution}."
    )


def _bill_in_words(report: DemoReport) -> list[str]:
    bill = report.bill
    if bill is None:
        return []
    mark = " (estimated)" if report.estimated else ""
    words = [
        f"Together, {plain(counted(report.recurrences, 'recurrence'))} cost {_joules(bill.cost_j)}{mark} and gave "
        f"{plain(counted(bill.models, 'model'))}. Exploration accounts for {_joules(bill.exploration_cost_j)} of it."
    ]
    if bill.default_cost_j is not None:
        balance = "less" if bill.cost_j < bill.default_cost_j else "more"
        difference = _joules(abs(bill.default_cost_j - bill.cost_j))
        words.append(
            f"As many models with the default size would have cost about {_joules(bill.default_cost_j)}{mark}. "
            f"So far, the job has cost {difference} {balance} in all."
        )
    return words


def _table(report: DemoReport) -> Table:
    mark = "*" if report.estimated else ""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    titles = ("batch size", "runs", f"energy{mark} (J)", "time (s)", f"cost{mark} (J)", "failed")
    for title in titles:
        table.add_column(title, justify="right")
    table.add_column("", no_wrap=True)
    for row in report.sizes:
        figures = (row.mean_energy_j, row.mean_time_s, row.mean_cost_j)
        means = ["-" if figure is None else f"{figure:.2f}" for figure in figures]
        style = "bold green" if row.batch_size == report.chosen_batch_size else None
        cells = [str(row.batch_size), str(row.runs), *means, str(row.failed), ", ".join(_notes(row, report))]
        table.add_row(*cells, style=style)
    return table


def _notes(row: SizeRow, report: DemoReport) -> list[str]:
    notes = []
    if row.batch_size == report.chosen_batch_size:
        notes.append("best so far" if report.exploring else "chosen")
    if row.batch_size == report.default_batch_size:
        notes.append("default")
    if row.retired is not None:
        notes.append(f"retired: {row.retired}")
    return notes


def _runs(count: int) -> str:
    return plain(counted(count, "run"))


def _joules(energy_j: float) -> str:
    return plain(energy(energy_j))
