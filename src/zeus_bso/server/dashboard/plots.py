"""Selects the data of a job's charts: few enough points to draw quickly, and a sentence that says which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from zeus_bso import units
from zeus_bso.protocol.views import BatchSizeView
from zeus_bso.server import presenter
from zeus_bso.server.dashboard.chart_of_runs import Baseline, Quantity, Runs, explored, runs_chart
from zeus_bso.server.dashboard.charts import Chart, Colours, kind_of
from zeus_bso.server.dashboard.charts_of_limits import limits_chart
from zeus_bso.server.dashboard.charts_of_sizes import BelievedCostCurve, SizeMeans, belief_chart, plane_chart
from zeus_bso.server.dashboard.charts_over_time import curves_chart, savings_chart
from zeus_bso.server.dashboard.data_table import DataColumn, data_columns
from zeus_bso.server.dashboard.queries import CurveSelection, TrainedTrial, TrialFilter, TrialPoint
from zeus_bso.server.dashboard.reader import Reader
from zeus_bso.server.job.models import JobState
from zeus_bso.units import typeset

ChartName = Literal["cost", "belief", "plane", "limits", "curves", "curve", "savings"]
Span = Literal["200", "1000", "all"]

MAX_POINTS = 1_000
ALWAYS_SHOWN = 100
"""The charts always show all of the latest trials, up to this number."""

OBSERVATIONS_SHOWN = 400


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a chart is to show.

    Attributes:
        name: The chart.
        span: The trials that it covers.
        quantity: What the chart of the runs shows of each.
        batch_size: Only trials of this batch size.
        state: Only trials in this state.
        trial: The trial of a single learning curve.
    """

    name: ChartName
    span: Span = "200"
    quantity: Quantity = "cost"
    batch_size: int | None = None
    state: TrialFilter | None = None
    trial: int = 0

    @property
    def filtered(self) -> bool:
        """Whether the chart leaves out trials."""
        return self.batch_size is not None or self.state is not None

    def covers(self, point: TrialPoint) -> bool:
        """Whether the chart shows a trial."""
        return self.batch_size in (None, point.batch_size) and self.state in (None, kind_of(point))


def chart(reader: Reader, job_id: str, wanted: Wanted) -> Chart:
    """Read one chart of a job.

    Raises:
        UnknownJobError: There is no such job.
    """
    return _CHARTS[wanted.name](reader, reader.job(job_id), wanted)


@dataclass(frozen=True, slots=True)
class DataPage:
    """A page with the data of a chart."""

    job_id: str
    name: ChartName
    chart: Chart

    @property
    def columns(self) -> list[DataColumn]:
        """The columns of its table."""
        return data_columns(self.chart)


def data_page(reader: Reader, job_id: str, wanted: Wanted) -> DataPage:
    """Read the data of a chart.

    Raises:
        UnknownJobError: There is no such job.
    """
    return DataPage(job_id, wanted.name, chart(reader, job_id, wanted))


def _runs(reader: Reader, job: JobState, wanted: Wanted) -> Chart:
    points, shown = _spanned(reader, job, wanted.span)
    exploring = _explored(reader, job, points)
    seen = [point for point in points if wanted.covers(point)]
    if wanted.filtered:
        shown += f" {units.count(len(seen))} of them {'matches' if len(seen) == 1 else 'match'} the filter."
    saving = getattr(reader.overview.savings(job.job_id), wanted.quantity)
    return runs_chart(
        Runs(
            seen,
            [point.trial_number for point in points],
            {point.trial_number: _used(job, point, wanted.quantity) for point in seen},
            exploring & {point.trial_number for point in seen},
            job.energy_source,
        ),
        Baseline(job.spec.default_batch_size, saving.per_default_run if saving else None),
        Colours(job.spec.batch_sizes),
        quantity=wanted.quantity,
        shown=shown,
    )


def _spanned(reader: Reader, job: JobState, span: Span) -> tuple[list[TrialPoint], str]:
    """The trials of a span, and a sentence that says which they are."""
    total = reader.queries.count_trials(job.job_id)
    if not total:
        return [], "No trial has begun yet: the first one begins when the script asks for a batch size."
    if span != "all":
        points = _latest(reader, job, int(span))
        some = f"The latest {units.count(len(points))} of " if len(points) < total else ""
        return points, f"{some}{units.counted(total, 'trial')}."
    stride = -(-total // MAX_POINTS)
    recent = reader.queries.number_before_latest(job.job_id, ALWAYS_SHOWN)
    points = reader.queries.points(job.job_id, after=0, stride=stride, recent=recent)
    if stride == 1:
        return points, f"{units.counted(total, 'trial')}."
    every = f"Every {stride}{_th(stride)} of {units.counted(total, 'trial')}"
    return points, f"{every}, and all of the latest {ALWAYS_SHOWN}."


def _explored(reader: Reader, job: JobState, points: list[TrialPoint]) -> frozenset[int]:
    if not points:
        return frozenset()
    return explored(
        points,
        reader.costs_before(job.job_id, points[0]),
        default_batch_size=job.spec.default_batch_size,
        chosen=reader.chosen(job),
    )


def _used(job: JobState, point: TrialPoint, quantity: Quantity) -> float:
    """What a trial used so far of a quantity [J or s]."""
    if quantity != "cost":
        return point.energy if quantity == "energy" else point.time
    return job.cost(point.energy, point.time) if point.cost is None else point.cost


def _belief(reader: Reader, job: JobState, wanted: Wanted) -> Chart:
    view = presenter.show_job(reader.service, job.job_id)
    points = _latest(reader, job, OBSERVATIONS_SHOWN)
    return belief_chart(
        [believed_cost(size) for size in sorted(view.batch_sizes, key=lambda size: size.batch_size)],
        [point for point in points if point.generation == job.progress.generation and wanted.covers(point)],
        view.chosen_batch_size,
        Colours(job.spec.batch_sizes),
    )


def _plane(reader: Reader, job: JobState, wanted: Wanted) -> Chart:
    view = presenter.show_job(reader.service, job.job_id)
    means = [
        SizeMeans(size.batch_size, size.converged, size.mean_energy, size.mean_time)
        for size in sorted(view.batch_sizes, key=lambda size: size.batch_size)
        if size.mean_energy is not None and size.mean_time is not None
    ]
    return plane_chart(
        means,
        [point for point in _latest(reader, job, OBSERVATIONS_SHOWN) if wanted.covers(point)],
        view.chosen_batch_size,
        Colours(job.spec.batch_sizes),
        eta_knob=job.spec.eta_knob,
        max_power_w=job.spec.max_power,
    )


def _limits(reader: Reader, job: JobState, wanted: Wanted) -> Chart:
    view = presenter.show_job(reader.service, job.job_id)
    return limits_chart(
        view.power_profiles,
        {size.batch_size: size.trials for size in view.batch_sizes},
        view.chosen_batch_size,
        Colours(job.spec.batch_sizes),
        max_slowdown=job.spec.max_slowdown,
    )


def _curves(reader: Reader, job: JobState, wanted: Wanted) -> Chart:
    selection = CurveSelection.of(job.job_id, len(job.spec.batch_sizes), wanted.batch_size, wanted.state)
    trials = reader.queries.latest_of_each_size(selection)
    curves = reader.queries.curves(job.job_id, trials)
    if wanted.filtered and not curves:
        return Chart("No trial with an evaluation matches the filter.")
    return curves_chart(curves, trials, job.spec.target_metric, Colours(job.spec.batch_sizes))


def _curve(reader: Reader, job: JobState, wanted: Wanted) -> Chart:
    trial = reader.trial(job.job_id, wanted.trial)
    trials = {trial.trial_number: TrainedTrial(trial.batch_size, trial.current_epoch)}
    return curves_chart(
        reader.queries.curves(job.job_id, trials), trials, job.spec.target_metric, Colours(job.spec.batch_sizes)
    )


def _savings(reader: Reader, job: JobState, wanted: Wanted) -> Chart:
    savings = reader.overview.savings(job.job_id)
    points = reader.overview.savings_over_time(job.job_id)
    return savings_chart(points, typeset(savings.message), estimated=savings.estimated)


_CHARTS: dict[ChartName, Callable[[Reader, JobState, Wanted], Chart]] = {
    "cost": _runs,
    "belief": _belief,
    "plane": _plane,
    "limits": _limits,
    "curves": _curves,
    "curve": _curve,
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
