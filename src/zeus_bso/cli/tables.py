"""Jobs and trials as tables for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console

from zeus_bso import units
from zeus_bso.cli.fitted_table import Column, FittedTable, plain_text
from zeus_bso.protocol import wording
from zeus_bso.protocol.savings_views import JobSavings
from zeus_bso.protocol.views import BatchSizeView, JobSummary, JobView, PowerProfileView, ReportView, TrialView
from zeus_bso.protocol.words import EnergySource

_WIDTH_OF_A_FILE = 250
"""Width if the output is not a terminal [characters], so that no column leaves."""

_LONG_ID = 48
"""An id of more characters is cut in a list. Its beginning is enough to look at the job."""

_NONE_CONVERGES = "No batch size reaches the target within max_epochs."


class Heading(str):
    """A line that is never broken, such as an id."""

    __slots__ = ()


_TRIAL_COLUMNS = (
    Column("trial", right=True),
    Column("batch size", right=True),
    Column("type", drop=1),
    Column("state"),
    Column("epoch", right=True, drop=5),
    Column("metric", right=True, drop=4),
    Column("energy", right=True),
    Column("time", right=True, drop=6),
    Column("limit", right=True, drop=2),
    Column("started", drop=3),
)


def show_jobs(jobs: Sequence[JobSummary]) -> None:
    """Print one line per job."""
    table = FittedTable(
        Column("job", cut_beyond=_LONG_ID),
        Column("stage", drop=5),
        Column("policy", drop=1),
        Column("GPU", drop=2),
        Column("runs", right=True, drop=6),
        Column("running", right=True, drop=3),
        Column("default", right=True, drop=4),
        Column("chosen", right=True),
        Column("energy saved", right=True),
        Column(""),
    )
    for job in jobs:
        table.add_row(
            job.job_id,
            wording.stage_of(exploring=job.exploring),
            job.policy,
            _gpus(job),
            job.trials,
            job.open_trials,
            job.default_batch_size,
            job.chosen_batch_size,
            _saved(job.savings),
            "ALARM" if job.savings and job.savings.alarm else "",
        )
    print_parts(table, units.plain(units.counted(len(jobs), "job")))


def show_job(job: JobView) -> None:
    """Print a job with its next run, its savings, and its batch sizes with what is believed of them."""
    chosen = f"batch size {job.chosen_batch_size} chosen" if job.chosen_batch_size else "no batch size chosen yet"
    limit = f" at {_limit(job.chosen_power_limit)} per GPU" if job.chosen_power_limit else ""
    lines = [
        f"policy {job.policy}, {wording.stage_of(exploring=job.exploring)}, generation {job.generation}",
        units.plain(f"{_gpus(job)}; {units.counted(job.trials, 'run')}, {units.count(job.open_trials)} running"),
        f"{chosen}{limit}, {job.default_batch_size} by default",
    ]
    lines += filter(None, _told_of(job))
    print_parts(Heading(job.job_id), *lines, "", _sizes(job))


def _told_of(job: JobView) -> list[str | None]:
    """What there may be to say on a job, each a sentence. None or nothing where there is not."""
    savings = job.savings
    return [
        job.next_run,
        savings.message if savings else None,
        savings.alarm if savings else None,
        job.left_out and units.plain(job.left_out),
        job.began_with and units.plain(job.began_with),
        wording.past_runs(job.past_runs),
        None if (savings and savings.alarm) or not job.no_size_converges else _NONE_CONVERGES,
    ]


def _sizes(job: JobView) -> FittedTable:
    profiles = {profile.batch_size: profile for profile in job.power_profiles}
    table = FittedTable(
        Column("batch size", right=True),
        Column("runs", right=True),
        Column("converged", right=True, drop=3),
        Column("stopped", right=True, drop=2),
        Column("failed", right=True, drop=4),
        *([Column("not learnt from", right=True, drop=1)] if job.left_out else []),
        Column("energy", right=True, drop=6),
        Column("time", right=True, drop=5),
        Column("cost", right=True),
        Column("believed cost", right=True, drop=7),
        *([Column("best limit", right=True)] if profiles else []),
        Column(""),
    )
    unit = units.column_unit([size.mean_cost for size in job.batch_sizes])
    for size in job.batch_sizes:
        table.add_row(
            *(size.batch_size, size.trials, size.converged, size.unconverged, size.failed),
            *([size.left_out] if job.left_out else []),
            *(
                _energy(size.mean_energy, unit),
                _duration(size.mean_time),
                _energy(size.mean_cost, unit),
                _believed(size),
            ),
            *([_best_limit(profiles.get(size.batch_size))] if profiles else []),
            _note(size, job),
        )
    return table


def show_trials(trials: Sequence[TrialView], how_many: str) -> None:
    """Print one line per trial, and how many there are."""
    table = FittedTable(*_TRIAL_COLUMNS)
    for trial in trials:
        table.add_row(*_trial(trial))
    print_parts(table, units.plain(how_many))


def show_trial(trial: TrialView, reports: Sequence[ReportView]) -> None:
    """Print a trial with its learning curve."""
    heads = FittedTable(*_TRIAL_COLUMNS)
    heads.add_row(*_trial(trial))
    curve = FittedTable(
        Column("epoch", right=True),
        Column("metric", right=True),
        Column("energy", right=True),
        Column("time", right=True, drop=2),
        Column("reported", drop=1),
    )
    unit = units.column_unit([report.energy for report in reports])
    for report in reports:
        curve.add_row(
            report.epoch,
            _number(report.metric),
            _energy(report.energy, unit),
            _duration(report.time),
            _when(report.reported_at),
        )
    print_parts(
        heads,
        "",
        *([trial.message, ""] if trial.message else []),
        *_profiling(trial),
        *([curve] if reports else ["No evaluation is on record."]),
    )


def _gpus(job: JobSummary) -> str:
    return f"{job.number_of_gpus} x {job.gpu_model}" if job.number_of_gpus else job.gpu_model


def _saved(savings: JobSavings | None) -> str:
    if savings is None or savings.energy is None:
        return "not enough data yet"
    energy = savings.energy
    if energy.is_zero:
        return "nothing yet"
    estimated = " estimated" if savings.estimated else ""
    return f"{_energy(energy.saved)} ({units.plain(units.less(energy.fraction))}){estimated}"


def _note(size: BatchSizeView, job: JobView) -> str:
    notes = []
    if size.batch_size == job.chosen_batch_size:
        notes.append("chosen")
    if size.batch_size == job.default_batch_size:
        notes.append("default")
    if size.retired:
        notes.append(wording.not_given_because(size.retired, size.converged))
    return ", ".join(notes)


def _believed(size: BatchSizeView) -> str | None:
    if size.believed_cost is None or size.believed_cost_low is None or size.believed_cost_high is None:
        return None
    unit = units.energy_unit([size.believed_cost_high])
    low, high = (units.number(end / units.JOULES[unit], 2) for end in (size.believed_cost_low, size.believed_cost_high))
    return units.plain(f"{low} to {high} {unit}")


def _best_limit(profile: PowerProfileView | None) -> str | None:
    if profile is None:
        return None
    return _limit(profile.best_limit) + ("" if profile.finished else " so far")


def _limit(limit_w: float | None) -> str:
    return units.plain(units.watts(limit_w))


def _trial(trial: TrialView) -> list[object]:
    estimated = " estimated" if trial.energy_source is EnergySource.ESTIMATE else ""
    return [
        trial.trial_number,
        trial.batch_size,
        wording.TYPES[trial.type],
        wording.state_of(trial.outcome, trial.reason),
        trial.current_epoch,
        _number(trial.metric),
        _energy(trial.energy) + estimated,
        _duration(trial.time),
        _limit(trial.power_limit),
        _when(trial.started_at),
    ]


def _profiling(trial: TrialView) -> list[str]:
    if not (trial.profiling_time or trial.profiling_energy):
        return []
    beyond = f"{_duration(trial.profiling_time)} and {_energy(trial.profiling_energy)}"
    return [f"Measuring power limits took {beyond} beyond these figures.", ""]


def _energy(value_j: float | None, unit: str | None = None) -> str:
    return units.plain(units.energy(value_j, unit))


def _duration(value_s: float | None) -> str:
    return units.plain(units.duration(value_s))


def _number(value: float | None) -> str:
    return units.plain(units.number(value, 4))


def _when(stamp: str) -> str:
    return f"{stamp[:10]} {stamp[11:16]}"


def print_parts(*parts: str | Heading | FittedTable) -> None:
    """Print lines and tables, which fit the terminal."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
    for part in parts:
        if isinstance(part, FittedTable):
            console.print(part.fitted(console), soft_wrap=True)
        else:
            console.print(plain_text(part), soft_wrap=isinstance(part, Heading))
