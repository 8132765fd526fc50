"""Jobs and trials as tables for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zeus_bso import units
from zeus_bso.protocol import wording
from zeus_bso.protocol.views import (
    BatchSizeView,
    JobSavings,
    JobSummary,
    JobView,
    PowerProfileView,
    ReportView,
    TrialView,
)
from zeus_bso.protocol.words import EnergySource

_WIDTH_OF_A_FILE = 250
"""Width if the output is not a terminal [characters], so that nothing is cut off."""

_NOTHING = "-"

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Replaces a character that a terminal would execute instead of showing it."""

_TRIAL_COLUMNS = (
    *(">trial", ">batch size", "type", "state"),
    *(">epoch", ">metric", ">energy", ">time", ">limit", "started"),
)
"""Columns of trials. Names that begin with > are aligned to the right."""


def show_jobs(jobs: Sequence[JobSummary]) -> None:
    """Print one line per job."""
    table = table_of("job", "stage", "policy", "GPU", ">runs", ">running", ">default", ">chosen", ">energy saved", "")
    for job in jobs:
        table.add_row(
            *cells(
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
        )
    print_parts(table, units.plain(units.counted(len(jobs), "job")))


def show_job(job: JobView) -> None:
    """Print a job with its savings and its batch sizes."""
    chosen = f"{job.chosen_batch_size} chosen" if job.chosen_batch_size else "none chosen yet"
    limit = f" at {_limit(job.chosen_power_limit)} per GPU" if job.chosen_power_limit else ""
    lines = [
        f"{job.job_id}: {job.policy}, {wording.stage_of(exploring=job.exploring)}, generation {job.generation}",
        units.plain(f"{_gpus(job)}; {units.counted(job.trials, 'run')}, {units.count(job.open_trials)} running"),
        f"batch size {chosen}{limit}, {job.default_batch_size} by default",
    ]
    if job.savings is not None:
        lines += [job.savings.message, *([job.savings.alarm] if job.savings.alarm else [])]
    if job.left_out:
        lines.append(units.plain(job.left_out))
    if job.began_with:
        lines.append(units.plain(job.began_with))
    if known := wording.past_runs(job.past_runs):
        lines.append(known)
    if job.no_size_converges:
        lines.append("No batch size reaches the target within max_epochs.")
    profiles = {profile.batch_size: profile for profile in job.power_profiles}
    left_out = [">not learnt from"] if job.left_out else []
    limits = [">best limit"] if profiles else []
    table = table_of(
        ">batch size", ">runs", ">converged", ">not", ">failed", *left_out, ">energy", ">time", *limits, ""
    )
    for size in job.batch_sizes:
        table.add_row(
            *cells(size.batch_size, size.trials, size.converged, size.unconverged, size.failed),
            *(cells(size.left_out) if left_out else []),
            *cells(_energy(size.mean_energy), _duration(size.mean_time)),
            *(cells(_best_limit(profiles.get(size.batch_size))) if limits else []),
            *cells(_note(size, job.chosen_batch_size)),
        )
    print_parts(*lines, table)


def show_trials(trials: Sequence[TrialView]) -> None:
    """Print one line per trial."""
    table = table_of(*_TRIAL_COLUMNS)
    for trial in trials:
        table.add_row(*_trial(trial))
    print_parts(table)


def show_trial(trial: TrialView, reports: Sequence[ReportView]) -> None:
    """Print a trial with its learning curve."""
    heads = table_of(*_TRIAL_COLUMNS)
    heads.add_row(*_trial(trial))
    curve = table_of(">epoch", ">metric", ">energy", ">time", "reported")
    for report in reports:
        curve.add_row(
            *cells(
                report.epoch,
                _number(report.metric),
                _energy(report.energy),
                _duration(report.time),
            ),
            _when(report.reported_at),
        )
    print_parts(heads, *([trial.message] if trial.message else []), *_profiling(trial), curve)


def _gpus(job: JobSummary) -> str:
    return f"{job.number_of_gpus} x {job.gpu_model}"


def _saved(savings: JobSavings | None) -> str:
    if savings is None or savings.energy is None:
        return "not enough data yet"
    energy = savings.energy
    if energy.is_zero:
        return "nothing yet"
    estimated = " estimated" if savings.estimated else ""
    return f"{_energy(energy.saved)} ({units.plain(units.less(energy.fraction))}){estimated}"


def _note(size: BatchSizeView, chosen: int | None) -> str:
    return "chosen" if size.batch_size == chosen else f"retired: {size.retired}" if size.retired else ""


def _best_limit(profile: PowerProfileView | None) -> str | None:
    if profile is None:
        return None
    return _limit(profile.best_limit) + ("" if profile.finished else " so far")


def _limit(limit_w: float | None) -> str:
    return units.plain(units.watts(limit_w))


def _trial(trial: TrialView) -> list[Text]:
    estimated = " estimated" if trial.energy_source is EnergySource.ESTIMATE else ""
    return cells(
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
    )


def _profiling(trial: TrialView) -> list[str]:
    if not (trial.profiling_time or trial.profiling_energy):
        return []
    beyond = f"{_duration(trial.profiling_time)} and {_energy(trial.profiling_energy)}"
    return [f"Measuring power limits took {beyond} beyond these figures."]


def table_of(*columns: str) -> Table:
    """A table without lines. Names that begin with > are aligned to the right."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if right else "left", overflow="fold")
    return table


def cells(*values: object) -> list[Text]:
    """Plain texts, because a name may contain characters that rich reads as markup."""
    return [_text(_NOTHING if value is None else str(value)) for value in values]


def _text(text: str) -> Text:
    """A text without control characters for the terminal. The message of an imported trial may contain anything."""
    return Text("".join(letter if letter.isprintable() or letter == "\n" else REPLACEMENT for letter in text))


def _energy(value_j: float | None) -> str:
    return units.plain(units.energy(value_j))


def _duration(value_s: float | None) -> str:
    return units.plain(units.duration(value_s))


def _number(value: float | None) -> str:
    return units.plain(units.number(value, 4))


def _when(stamp: str) -> str:
    return f"{stamp[:10]} {stamp[11:16]}"


def print_parts(*parts: str | Text | Table) -> None:
    """Print lines and tables."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
    for part in _plain(parts):
        console.print(part)


def _plain(parts: Iterable[str | Text | Table]) -> Iterable[Text | Table]:
    return (_text(part) if isinstance(part, str) else part for part in parts)
