"""What a job has learned from repeated runs, and what it would save from now on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from zeus_bso.cli.fitted_table import Column, FittedTable, plain_text
from zeus_bso.protocol.views import BatchSizeView, JobView, TrialView
from zeus_bso.protocol.wording import not_given_because, stage_of, why_left_out
from zeus_bso.protocol.words import EnergySource, Outcome, TrialStatus
from zeus_bso.savings import Noise, Use, noise, spread
from zeus_bso.units import counted, duration, energy, less, percent, plain


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
        exploring: Whether another size than the chosen one is worth a try.
        settled: Whether the latest runs have confirmed the chosen size.
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
    settled: bool
    estimated: bool
    sizes: list[SizeRow]
    saving: RunSaving | None
    bill: Bill | None


def make_report(job: JobView, trials: Sequence[TrialView], *, settled: bool) -> JobReport:
    """Summarize a job."""
    views = {view.batch_size: view for view in job.batch_sizes}
    default = views[job.default_batch_size]
    chosen = None if job.chosen_batch_size is None else views[job.chosen_batch_size]
    return JobReport(
        job_id=job.job_id,
        stage=job.stage.value,
        recurrences=job.trials,
        default_batch_size=job.default_batch_size,
        chosen_batch_size=job.chosen_batch_size,
        exploring=job.exploring,
        settled=settled,
        estimated=job.energy_source is EnergySource.ESTIMATE,
        sizes=[_row(view) for view in sorted(job.batch_sizes, key=lambda view: view.batch_size)],
        saving=None if chosen is None else _saving(chosen, default, _noise(trials, job.energy_source)),
        bill=None if chosen is None else _bill(chosen, default, trials),
    )


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
    console.print(_table(report).fitted(console), soft_wrap=True)
    notes = ["Means of the converged runs; a failed run gave no model within the bounds."]
    if report.estimated:
        notes.append("* Energy is estimated: this machine has no energy sensor.")
    console.print()
    for sentence in [*notes, "", *sentences(report)]:
        console.print(sentence, markup=False)


def print_commands(commands: Sequence[tuple[str, str]]) -> None:
    """Print commands, each on a line of its own, so that it can be copied as a whole."""
    console = Console(highlight=False, soft_wrap=True)
    for what, command in commands:
        console.print(f"\n{what}:\n  {command}", markup=False)


def sentences(report: JobReport) -> list[str]:
    """The result in words: the chosen size, its saving, and the cost of exploration."""
    if report.chosen_batch_size is None:
        return ["No batch size has converged yet: not enough data."]
    chosen = f"Batch size: {report.chosen_batch_size}."
    if not report.settled:
        chosen = f"Best batch size so far: {report.chosen_batch_size}. It is not settled yet."
    return [chosen, _saving_in_words(report), *_bill_in_words(report)]


def _saving_in_words(report: JobReport) -> str:
    if report.chosen_batch_size == report.default_batch_size:
        return "This is the default size. No better size is known so far."
    saving = report.saving
    if saving is None:
        return f"Saving against the default size {report.default_batch_size}: not enough data, it has never converged."
    mark = " (estimated)" if report.estimated else ""
    verb, amount = ("save", saving.cost) if saving.cost >= 0 else ("cost", -saving.cost)
    more = "" if saving.cost >= 0 else " more"
    return (
        f"Against your default size {report.default_batch_size} it would {verb} {plain(percent(amount))}{more} of the "
        f"cost of each run from now on{mark}, between {_signed(saving.cost_low)} and {_signed(saving.cost_high)} with "
        f"95 % confidence: energy {plain(less(saving.energy))}, time {plain(less(saving.time))}, by "
        f"{_runs(saving.chosen_runs)} against {_runs(saving.default_runs)} of the default size."
    )


def _signed(share: float) -> str:
    return plain(percent(share)) if share >= 0 else f"-{plain(percent(-share))}"


def _bill_in_words(report: JobReport) -> list[str]:
    bill = report.bill
    if bill is None:
        return []
    words = (
        f"Finding it: {plain(counted(report.recurrences, 'run'))} cost {_joules(bill.cost_j)} and gave "
        f"{plain(counted(bill.models, 'model'))}, {_joules(bill.exploration_cost_j)} of it for exploring"
    )
    if bill.default_cost_j is None:
        return [f"{words}."]
    balance = "less" if bill.cost_j < bill.default_cost_j else "more"
    difference = _joules(abs(bill.default_cost_j - bill.cost_j))
    return [f"{words}. That is {difference} {balance} than as many models with the default size."]


def _table(report: JobReport) -> FittedTable:
    mark = "*" if report.estimated else ""
    table = FittedTable(
        Column("batch size", right=True),
        Column("runs", right=True),
        Column("failed", right=True, drop=1),
        Column(f"energy{mark}", right=True, drop=2),
        Column("time", right=True, drop=3),
        Column(f"cost{mark}", right=True),
        Column("", drop=4),
    )
    for row in report.sizes:
        table.add_row(
            row.batch_size,
            row.runs,
            row.failed,
            plain(energy(row.mean_energy_j)),
            plain(duration(row.mean_time_s)),
            plain(energy(row.mean_cost_j)),
            ", ".join(_notes(row, report)),
            style="bold green" if row.batch_size == report.chosen_batch_size else None,
        )
    return table


def _notes(row: SizeRow, report: JobReport) -> list[str]:
    notes = []
    if row.batch_size == report.chosen_batch_size:
        notes.append("chosen" if report.settled else "best so far")
    if row.batch_size == report.default_batch_size:
        notes.append("default")
    if row.retired is not None:
        notes.append(not_given_because(row.retired))
    return notes


def _runs(count: int) -> str:
    return plain(counted(count, "run"))


def _joules(energy_j: float) -> str:
    return plain(energy(energy_j))
