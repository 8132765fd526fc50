"""Two jobs side by side: which ones, and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zeus_bso import units
from zeus_bso.exceptions import UnknownJobError
from zeus_bso.protocol.job_spec import SETTINGS_OF_POLICIES
from zeus_bso.protocol.savings_views import JobSavings
from zeus_bso.protocol.views import BatchSizeView, JobSummary, JobView
from zeus_bso.server.dashboard.all_jobs import ReachableJobs
from zeus_bso.server.dashboard.charts import (
    LABELS_ON_AN_AXIS,
    Cell,
    Chart,
    EnergyUnit,
    Trace,
    axis,
    cost_axis,
    evenly,
)
from zeus_bso.server.dashboard.palette import shades
from zeus_bso.server.dashboard.reader import Reader

JOBS_OFFERED = 30

_LOOKS = (("var(--accent)", "circle", -0.13), ("var(--second)", "square", 0.13))


@dataclass(frozen=True, slots=True)
class JobsOffered:
    """Jobs of which one can be chosen for a comparison.

    Attributes:
        job_id: The job that is chosen already, or empty.
        search: The text that was searched for.
        jobs: The jobs: those whose ids begin alike first, then those that were active last.
        found: Number of jobs that match the search.
    """

    job_id: str
    search: str
    jobs: Sequence[JobSummary]
    found: int


@dataclass(frozen=True, slots=True)
class ComparedJob:
    """One of two jobs."""

    view: JobView
    savings: JobSavings

    @property
    def sizes(self) -> dict[int, BatchSizeView]:
        """What is known about each batch size."""
        return {size.batch_size: size for size in self.view.batch_sizes}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two jobs.

    Attributes:
        jobs: The jobs.
        batch_sizes: The batch sizes of either.
        shades: The shades of these batch sizes.
        differences: The fields of the specs that differ, with both values. The ids are left out, and settings that
            neither policy reads.
    """

    jobs: tuple[ComparedJob, ComparedJob]
    batch_sizes: Sequence[int]
    shades: dict[int, int]
    differences: dict[str, tuple[object, object]]


def offer_jobs(reachable: ReachableJobs, *, job_id: str, search: str) -> JobsOffered:
    """Offer jobs for a comparison.

    Args:
        reachable: All jobs within the caller's reach.
        job_id: The job that is chosen already, or empty.
        search: The text to search for.

    Raises:
        UnknownJobError: There is no such job.
    """
    if job_id and all(line.summary.job_id != job_id for line in reachable.lines):
        raise UnknownJobError(f"There is no job {job_id!r}.", status_code=404)
    wanted = search.strip().casefold()
    found = [
        line.summary
        for line in reachable.lines
        if line.summary.job_id != job_id and wanted in f"{line.summary.job_id} {line.summary.gpu_model}".casefold()
    ]
    found.sort(key=lambda job: job.updated_at, reverse=True)
    found.sort(key=lambda job: -_alike(job.job_id, job_id))
    return JobsOffered(job_id, search, found[:JOBS_OFFERED], len(found))


def compare(reader: Reader, job_id: str, other: str) -> Comparison:
    """Read two jobs.

    Raises:
        UnknownJobError: One of them does not exist.
    """
    one, two = (_compared(reader, each) for each in (job_id, other))
    sizes = sorted({*one.sizes, *two.sizes})
    policies = {one.view.policy, two.view.policy}
    of_others = {name for policy, names in SETTINGS_OF_POLICIES.items() if policy not in policies for name in names}
    excluded = {"job_id", "batch_sizes", *of_others}
    specs = [job.view.spec.model_dump(mode="json", exclude=excluded) for job in (one, two)]
    differences = {name: (value, specs[1][name]) for name, value in specs[0].items() if specs[1][name] != value}
    return Comparison((one, two), sizes, shades(sizes), differences)


def comparison_chart(comparison: Comparison) -> Chart:
    """What a run of each batch size is believed to cost in either job, with the 95 % intervals."""
    known = [size for job in comparison.jobs for size in job.view.batch_sizes if size.believed_cost is not None]
    if not known:
        return Chart("There is no belief yet in either job, because no run has ended with a result.")
    unit = EnergyUnit.of([size.believed_cost or 0.0 for size in known])
    names = [units.count(size) for size in comparison.batch_sizes]
    chosen = [f"Job {letter} {_chosen_in_words(job)}" for letter, job in zip("AB", comparison.jobs, strict=True)]
    return Chart(
        summary=f"Believed cost of a run. {'. '.join(chosen)}.",
        columns=("Batch size", *(f"{name} in {job.view.job_id} (J)" for job in comparison.jobs for name in _FIGURES)),
        rows=[
            (size, *_figures(comparison.jobs[0], size), *_figures(comparison.jobs[1], size))
            for size in comparison.batch_sizes
        ],
        data=[
            _beliefs(job, comparison.batch_sizes, unit, look) for job, look in zip(comparison.jobs, _LOOKS, strict=True)
        ],
        layout={
            "xaxis": axis(
                "batch size",
                tickvals=evenly(range(len(names)), LABELS_ON_AN_AXIS),
                ticktext=evenly(names, LABELS_ON_AN_AXIS),
                range=[-0.6, len(names) - 0.4],
            ),
            "yaxis": cost_axis((s.believed_cost_low for s in known), (s.believed_cost_high for s in known), unit),
        },
    )


_FIGURES = ("Believed", "low", "high")


def _figures(job: ComparedJob, batch_size: int) -> tuple[Cell, Cell, Cell]:
    size = job.sizes.get(batch_size)
    if size is None:
        return None, None, None
    return size.believed_cost, size.believed_cost_low, size.believed_cost_high


def _beliefs(job: ComparedJob, batch_sizes: Sequence[int], unit: EnergyUnit, look: tuple[str, str, float]) -> Trace:
    colour, symbol, aside = look
    known = [
        (place, size)
        for place, batch_size in enumerate(batch_sizes)
        if (size := job.sizes.get(batch_size)) is not None and size.believed_cost is not None
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"job {'A' if symbol == 'circle' else 'B'}",
        "x": [place + aside for place, _ in known],
        "y": [unit(size.believed_cost) for _, size in known],
        "hovertext": [f"batch size {units.count(size.batch_size)}<br>{_interval(size)}" for _, size in known],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "cliponaxis": False,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [unit((size.believed_cost_high or 0.0) - (size.believed_cost or 0.0)) for _, size in known],
            "arrayminus": [unit((size.believed_cost or 0.0) - (size.believed_cost_low or 0.0)) for _, size in known],
            "color": colour,
            "thickness": 1.5,
            "width": 3,
        },
        "marker": {
            "symbol": symbol,
            "color": colour,
            "size": [11 if size.batch_size == job.view.chosen_batch_size else 7 for _, size in known],
        },
    }


def _interval(size: BatchSizeView) -> str:
    low, high = units.energy(size.believed_cost_low), units.energy(size.believed_cost_high)
    return f"{units.energy(size.believed_cost)} ({low} to {high})"


def _chosen_in_words(job: ComparedJob) -> str:
    size = job.sizes.get(job.view.chosen_batch_size or 0)
    if size is None:
        return "has chosen nothing yet"
    costs = f", {units.energy(size.believed_cost)}" if size.believed_cost is not None else ""
    return f"has chosen {units.count(size.batch_size)}{costs}"


def _compared(reader: Reader, job_id: str) -> ComparedJob:
    view = reader.overview.job(job_id)
    assert view.savings is not None
    return ComparedJob(view, view.savings)


def _alike(one: str, other: str) -> int:
    """Number of characters with which two texts begin alike."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
