"""Read model of the page of one trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zeus_bso import units
from zeus_bso.protocol import wording
from zeus_bso.protocol.savings_views import JobSavings
from zeus_bso.protocol.views import ReportView
from zeus_bso.protocol.words import TrialType
from zeus_bso.server.dashboard.chart_of_runs import explored
from zeus_bso.server.dashboard.palette import shades
from zeus_bso.server.dashboard.queries import Neighbours, SizeCosts, TrialRow
from zeus_bso.server.dashboard.reader import Reader
from zeus_bso.server.job.models import JobState
from zeus_bso.server.overview.commands import ReadReports

REPORTS_ON_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class UsedQuantity:
    """What a trial used of a quantity.

    Attributes:
        used: The figure [J or s].
        saved: Share of what a run with the default batch size uses. None if there is nothing to compare: the trial has
            no result yet, or the default size itself.
    """

    used: float
    saved: float | None


@dataclass(frozen=True, slots=True)
class TrialDetails:
    """One trial.

    Attributes:
        job: Its job.
        trial: The trial.
        neighbours: The numbers of the trials before and after.
        cost: Its cost, or its cost so far.
        energy: Its energy.
        time: Its training time.
        why: Why it got its batch size.
        left_out: Why it is compared with no other run. None if it is compared.
        shades: The shades of the batch sizes.
        reports: A page of its reports, by epoch.
        after: The page lists reports of epochs after this one.
        later: The next page lists reports of epochs after this one. None if this is the last page.
    """

    job: JobState
    trial: TrialRow
    neighbours: Neighbours
    cost: UsedQuantity
    energy: UsedQuantity
    time: UsedQuantity
    why: str
    left_out: str | None
    shades: Mapping[int, int]
    reports: list[ReportView]
    after: int
    later: int | None


def trial_page(reader: Reader, job_id: str, number: int, *, after: int) -> TrialDetails:
    """Read one trial with a page of its reports.

    Raises:
        UnknownJobError: There is no such job.
        UnknownTrialError: The job has no such trial.
    """
    job = reader.job(job_id)
    trial = reader.trial(job_id, number)
    savings = reader.overview.savings(job_id)
    running = trial.outcome is None and trial.reason is None
    left_out = None if running else wording.why_left_out(trial.energy_source, job.energy_source)
    cost = job.cost(trial.energy, trial.time) if trial.cost is None else trial.cost
    compared = trial.converged and left_out is None and trial.batch_size != job.spec.default_batch_size
    reports = reader.overview.reports(
        ReadReports(job_id=job_id, trial_number=number, after=after - 1, limit=REPORTS_ON_A_PAGE + 1)
    )
    shown = reports[:REPORTS_ON_A_PAGE]
    return TrialDetails(
        job=job,
        trial=trial,
        neighbours=reader.queries.neighbours(job_id, number),
        cost=_compared(cost, savings, "cost", compared=compared),
        energy=_compared(trial.energy, savings, "energy", compared=compared),
        time=_compared(trial.time, savings, "time", compared=compared),
        why=why_chosen(job, trial, reader.costs_before(job_id, trial), reader.chosen(job)),
        left_out=left_out,
        shades=shades(job.spec.batch_sizes),
        reports=shown,
        after=after,
        later=shown[-1].epoch + 1 if len(reports) > len(shown) else None,
    )


def why_chosen(job: JobState, trial: TrialRow, before: Mapping[int, SizeCosts], chosen: int | None) -> str:
    """Why a trial got its batch size, from what was known about the costs of batch sizes when it began.

    Args:
        job: The job.
        trial: The trial.
        before: What the batch sizes had cost in its generation before it.
        chosen: The size that the job has chosen now.
    """
    default, size = job.spec.default_batch_size, trial.batch_size
    said = _why(trial, before, default, chosen)
    if trial.type is TrialType.CONCURRENT:
        said += " It ran beside the exploration and took no part in it."
    if trial.uncapped:
        said += " It had no cost bound."
    return said if size in job.spec.batch_sizes else f"{said} The job does not list this batch size any more."


def _why(trial: TrialRow, before: Mapping[int, SizeCosts], default: int, chosen: int | None) -> str:
    size = units.count(trial.batch_size)
    if not before and trial.batch_size == default:
        return f"It took the default batch size {size}: no run had converged yet."
    if not before:
        return f"It tried batch size {size}: no run had converged yet."
    cheapest = min(before, key=lambda each: before[each].mean)
    known = f"a mean of {units.energy(before[cheapest].mean)} over {units.counted(before[cheapest].runs, 'run')}"
    if explored([trial], before, default_batch_size=default, chosen=chosen):
        own = before.get(trial.batch_size)
        so_far = f"whose own mean was {units.energy(own.mean)}" if own else "which had not converged before"
        other = "the batch size" if cheapest == trial.batch_size else units.count(cheapest)
        return f"It explored {size}, {so_far}. The cheapest known then was {other}, with {known}."
    if cheapest == trial.batch_size:
        return f"It took {size}, the cheapest known then, with {known}."
    return f"It took {size}, which the job has chosen. By its runs alone, {units.count(cheapest)} was cheaper: {known}."


def _compared(used: float, savings: JobSavings, quantity: str, *, compared: bool) -> UsedQuantity:
    saving = getattr(savings, quantity)
    known = compared and saving is not None and saving.per_default_run > 0
    return UsedQuantity(used, 1 - used / saving.per_default_run if known else None)
