"""Selects the data of a job's charts: few enough points to draw quickly, and a sentence that says which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from zeus_bso import units
from zeus_bso.protocol.views import BatchSizeView
from zeus_bso.protocol.words import EnergySource
from zeus_bso.server import presenter
from zeus_bso.server.dashboard.charts import Chart, Colours, cost_chart
from zeus_bso.server.dashboard.charts_of_limits import limits_chart
from zeus_bso.server.dashboard.charts_of_sizes import BelievedCostCurve, SizeMeans, belief_chart, plane_chart
from zeus_bso.server.dashboard.charts_over_time import curves_chart, savings_chart
from zeus_bso.server.dashboard.queries import TrialPoint
from zeus_bso.server.dashboard.reader import Reader
from zeus_bso.server.job.models import JobState

ChartName = Literal["cost", "belief", "plane", "limits", "curves", "savings"]
Span = Literal["200", "1000", "all"]

MAX_POINTS = 1_000
ALWAYS_SHOWN = 100
"""The charts always show all of the latest trials, up to this number."""

OBSERVATIONS_SHOWN = 400
CURVES_SHOWN = 24


def chart(reader: Reader, job_id: str, name: ChartName, span: Span) -> Chart:
    """Read one chart of a job.

    Raises:
        UnknownJobError: There is no such job.
    """
    job = reader.job(job_id)
    return _CHARTS[name](reader, job, span)


@dataclass(frozen=True, slots=True)
class DataPage:
    """A page with the data of a chart."""

    job_id: str
    name: ChartName
    chart: Chart


def data_page(reader: Reader, job_id: str, name: ChartName, span: Span) -> DataPage:
    """Read the data of a chart.

    Raises:
        UnknownJobError: There is no such job.
    """
    return DataPage(job_id, name, chart(reader, job_id, name, span))


def _cost(reader: Reader, job: JobState, span: Span) -> Chart:
    total = reader.queries.count_trials(job.job_id)
    if span == "all":
        stride = -(-total // MAX_POINTS) or 1
        recent = reader.queries.number_before_latest(job.job_id, ALWAYS_SHOWN)
        points = reader.queries.points(job.job_id, after=0, stride=stride, recent=recent)
        shown = f"Every {stride}{_th(stride)} of {units.counted(total, 'trial')}, and all of the latest {ALWAYS_SHOWN}."
        shown = shown if stride > 1 else f"All {units.counted(len(points), 'trial')}."
    else:
        points = _latest(reader, job, int(span))
        shown = f"The latest {units.count(len(points))} of {units.counted(total, 'trial')}."
    costs = {p.trial_number: job.cost(p.energy, p.time) if p.cost is None else p.cost for p in points}
    return cost_chart(points, costs, Colours(job.spec.batch_sizes), shown=shown)


def _belief(reader: Reader, job: JobState, span: Span) -> Chart:
    view = presenter.show_job(reader.service, job.job_id)
    points = _latest(reader, job, OBSERVATIONS_SHOWN)
    return belief_chart(
        [believed_cost(size) for size in sorted(view.batch_sizes, key=lambda size: size.batch_size)],
        [point for point in points if point.generation == job.progress.generation],
        view.chosen_batch_size,
        Colours(job.spec.batch_sizes),
    )


def _plane(reader: Reader, job: JobState, span: Span) -> Chart:
    view = presenter.show_job(reader.service, job.job_id)
    means = [
        SizeMeans(size.batch_size, size.converged, size.mean_energy, size.mean_time)
        for size in sorted(view.batch_sizes, key=lambda size: size.batch_size)
        if size.mean_energy is not None and size.mean_time is not None
    ]
    return plane_chart(
        means,
        _latest(reader, job, OBSERVATIONS_SHOWN),
        view.chosen_batch_size,
        Colours(job.spec.batch_sizes),
        eta_knob=job.spec.eta_knob,
        max_power_w=job.spec.max_power,
    )


def _limits(reader: Reader, job: JobState, span: Span) -> Chart:
    view = presenter.show_job(reader.service, job.job_id)
    return limits_chart(
        view.power_profiles,
        {size.batch_size: size.trials for size in view.batch_sizes},
        view.chosen_batch_size,
        Colours(job.spec.batch_sizes),
        max_slowdown=job.spec.max_slowdown,
    )


def _curves(reader: Reader, job: JobState, span: Span) -> Chart:
    sizes = {point.trial_number: point.batch_size for point in _latest(reader, job, CURVES_SHOWN)}
    curves = reader.queries.curves(job.job_id, after=reader.queries.number_before_latest(job.job_id, CURVES_SHOWN))
    return curves_chart(curves, sizes, job.spec.target_metric, Colours(job.spec.batch_sizes))


def _savings(reader: Reader, job: JobState, span: Span) -> Chart:
    estimated = job.energy_source is EnergySource.ESTIMATE
    points = reader.overview.savings_over_time(job.job_id)
    return savings_chart(points, job.spec.default_batch_size, estimated=estimated)


_CHARTS: dict[ChartName, Callable[[Reader, JobState, Span], Chart]] = {
    "cost": _cost,
    "belief": _belief,
    "plane": _plane,
    "limits": _limits,
    "curves": _curves,
    "savings": _savings,
}


def believed_cost(size: BatchSizeView) -> BelievedCostCurve:
    """The belief of the job's policy about the cost of a run."""
    return BelievedCostCurve(
        size.batch_size, size.believed_cost, size.believed_cost_low, size.believed_cost_high, size.observations
    )


def _latest(reader: Reader, job: JobState, most: int) -> list[TrialPoint]:
    after = reader.queries.number_before_latest(job.job_id, most)
    return reader.queries.points(job.job_id, after=after, stride=1, recent=0)


def _th(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
