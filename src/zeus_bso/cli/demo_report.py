"""What the demo's job has learnt, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from zeus_bso.common import EnergySource, Stage, TrialStatus
from zeus_bso.views import BatchSizeView, JobView, TrialView

_ENOUGH_RUNS = 3
"""A mean over fewer runs is called rough."""


@dataclass(frozen=True, slots=True)
class SizeRow:
    """One batch size: its runs, those that gave no model within the bounds, and the means of those that converged."""

    batch_size: int
    runs: int
    failed: int
    mean_energy_j: float | None
    mean_time_s: float | None
    mean_cost_j: float | None
    retired: str | None


@dataclass(frozen=True, slots=True)
class Saving:
    """The chosen size against the default size, per run: 0.4 means that 40 % are saved; a negative one costs more."""

    cost: float
    energy: float
    time: float
    chosen_runs: int
    default_runs: int


@dataclass(frozen=True, slots=True)
class Bill:
    """Everything that the job has spent so far, exploring included.

    Attributes:
        models: Runs that reached the target.
        cost_j: Cost of all runs, failed ones included.
        exploration_cost_j: How much of it the same number of models would not have cost with the chosen size.
        default_cost_j: What the same number of models would have cost with the default size.
    """

    models: int
    cost_j: float
    exploration_cost_j: float
    default_cost_j: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a demo.

    Attributes:
        exploring: The job still looks for its batch size: in Pruning, or about to try another size than the chosen one.
        estimated: Energy was not measured by a sensor.
        saving: None: not enough data.
        bill: None: no size has converged yet.
    """

    job_id: str
    stage: str
    recurrences: int
    default_batch_size: int
    chosen_batch_size: int | None
    exploring: bool
    estimated: bool
    sizes: list[SizeRow]
    saving: Saving | None
    bill: Bill | None


def make_report(job: JobView, trials: Sequence[TrialView]) -> Report:
    """Sum up what the server knows about a job."""
    views = {view.batch_size: view for view in job.batch_sizes}
    default = views[job.default_batch_size]
    chosen = None if job.chosen_batch_size is None else views[job.chosen_batch_size]
    return Report(
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


def _saving(chosen: BatchSizeView, default: BatchSizeView) -> Saving | None:
    cost = _saved(chosen.mean_cost, default.mean_cost)
    energy = _saved(chosen.mean_energy, default.mean_energy)
    time = _saved(chosen.mean_time, default.mean_time)
    if cost is None or energy is None or time is None:
        return None
    return Saving(cost, energy, time, chosen_runs=chosen.converged, default_runs=default.converged)


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


def print_report(report: Report, see_more: Sequence[tuple[str, str]]) -> None:
    """Print the report for a person."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\nJob {report.job_id}: {report.recurrences} recurrences, stage {report.stage}\n")
    console.print(_table(report))
    console.print("\nMeans are over the runs that converged; failed runs gave no model within the bounds.")
    if report.estimated:
        console.print("Energy is [italic]estimated[/]: this machine offers no energy sensor.")
    console.print()
    for sentence in sentences(report):
        console.print(sentence)
    console.print("\nTo see more:")
    width = max(len(what) for what, _ in see_more)
    for what, command in see_more:
        console.print(f"  {what:<{width}}   {command}", markup=False)


def sentences(report: Report) -> list[str]:
    """The result in words: what was chosen, what it saves, and what it cost to find out."""
    if report.chosen_batch_size is None:
        return ["No batch size has converged yet: not enough data."]
    chosen = f"Chosen batch size: {report.chosen_batch_size}."
    if report.exploring:
        chosen = f"Best batch size so far: {report.chosen_batch_size}; the job is still exploring."
    return [chosen, _saving_in_words(report), *_bill_in_words(report)]


def _saving_in_words(report: Report) -> str:
    if report.chosen_batch_size == report.default_batch_size:
        return "That is the default: no better size is known so far."
    saving = report.saving
    if saving is None:
        return f"Saving against the default size {report.default_batch_size}: not enough data, it has never converged."
    mark = " (estimated)" if report.estimated else ""
    caution = ", so take it as rough" if min(saving.chosen_runs, saving.default_runs) < _ENOUGH_RUNS else ""
    return (
        f"Saved per run against the default size {report.default_batch_size}: "
        f"cost {saving.cost:.0%}{mark}, energy {saving.energy:.0%}{mark}, time {saving.time:.0%}; "
        f"by the means of {_runs(saving.chosen_runs)} and {_runs(saving.default_runs)}{caution}."
    )


def _bill_in_words(report: Report) -> list[str]:
    bill = report.bill
    if bill is None:
        return []
    mark = " (estimated)" if report.estimated else ""
    words = [
        f"All {report.recurrences} recurrences together cost {_joules(bill.cost_j)}{mark} and gave "
        f"{bill.models} models; {_joules(bill.exploration_cost_j)} of it is the price of exploring."
    ]
    if bill.default_cost_j is not None:
        balance = "less" if bill.cost_j < bill.default_cost_j else "more, so far,"
        difference = _joules(abs(bill.default_cost_j - bill.cost_j))
        words.append(
            f"As many models with the default size would have cost about {_joules(bill.default_cost_j)}{mark}: "
            f"that is {difference} {balance} in all."
        )
    return words


def _table(report: Report) -> Table:
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


def _notes(row: SizeRow, report: Report) -> list[str]:
    notes = []
    if row.batch_size == report.chosen_batch_size:
        notes.append("best so far" if report.exploring else "chosen")
    if row.batch_size == report.default_batch_size:
        notes.append("default")
    if row.retired is not None:
        notes.append(f"retired: {row.retired}")
    return notes


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _joules(energy_j: float) -> str:
    return f"{energy_j / 1000:.2f} kJ" if abs(energy_j) >= 1000 else f"{energy_j:.0f} J"
