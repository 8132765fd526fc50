"""Charts of results by matplotlib, which is loaded when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from zeus_bso import units
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.savings_views import SavingsPoint
from zeus_bso.protocol.views import BatchSizeView, JobView, TrialView
from zeus_bso.protocol.words import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE_RANGE = 30.0
"""If costs span more than this factor, the chart has a logarithmic scale."""

_MEASURED, _BELIEVED, _CHOSEN = "tab:blue", "0.45", "tab:orange"


def draw_job(job: JobView, ax: Axes | None) -> Axes:
    """The cost of a run by batch size: what converged runs cost, and what the policy believes with its 95 % interval.

    Raises:
        ZeusBSOConfigError: matplotlib is not installed. All functions here raise this error.
    """
    ax = _axes(ax)
    sizes = job.batch_sizes
    places = {size.batch_size: place for place, size in enumerate(sizes)}
    unit, scale = _energy_scale([size.mean_cost or size.believed_cost for size in sizes])
    believed = [size for size in sizes if size.believed_cost is not None]
    converged = [size for size in sizes if size.mean_cost is not None]
    ax.errorbar(
        [places[size.batch_size] for size in believed],
        [(size.believed_cost or 0.0) / scale for size in believed],
        yerr=_reach(believed, scale),
        fmt="_",
        color=_BELIEVED,
        capsize=4,
        label="belief, 95 % interval",
    )
    ax.scatter(
        [places[size.batch_size] for size in converged],
        [(size.mean_cost or 0.0) / scale for size in converged],
        c=[_CHOSEN if size.batch_size == job.chosen_batch_size else _MEASURED for size in converged],
        zorder=3,
        label="mean of converged runs",
    )
    ax.set_xticks(list(places.values()), [str(size) for size in places])
    ax.set_xlabel("batch size")
    _label_cost(ax, unit, [size.mean_cost or size.believed_cost for size in sizes])
    chosen = f"batch size {job.chosen_batch_size}" if job.chosen_batch_size else "none yet"
    ax.set_title(f"{_plain(job.job_id)}: {chosen} chosen, {job.default_batch_size} by default")
    _legend(ax, bool(believed or converged))
    return ax


def draw_trials(job: JobView, trials: Sequence[TrialView], ax: Axes | None) -> Axes:
    """The cost of each run, in the order of trials, and the mean cost of the default size as a line."""
    ax = _axes(ax)
    known = [trial for trial in trials if trial.cost is not None]
    baseline = next((size.mean_cost for size in job.batch_sizes if size.batch_size == job.default_batch_size), None)
    costs = [trial.cost for trial in known]
    unit, scale = _energy_scale([*costs, baseline])
    for converged, marker, label in ((True, "o", "converged"), (False, "x", "did not converge, or runs")):
        chosen = [trial for trial in known if (trial.outcome is Outcome.CONVERGED) is converged]
        numbers = [trial.trial_number for trial in chosen]
        heights = [(trial.cost or 0.0) / scale for trial in chosen]
        colour = _MEASURED if converged else _BELIEVED
        ax.plot(numbers, heights, marker, color=colour, label=label if chosen else None)
        for trial, height in zip(chosen, heights, strict=True):
            ax.annotate(
                str(trial.batch_size),
                (trial.trial_number, height),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize="x-small",
            )
    if baseline is not None:
        ax.axhline(baseline / scale, color=_CHOSEN, linestyle="--", label=f"mean of {job.default_batch_size} (default)")
    ax.set_xlabel("trial, with its batch size")
    _label_cost(ax, unit, [*costs, baseline])
    ax.set_title(f"{_plain(job.job_id)}: cost of each run")
    _legend(ax, bool(known))
    return ax


def draw_savings(job_id: str, history: Sequence[SavingsPoint], ax: Axes | None) -> Axes:
    """The energy saved up to each run, with its 95 % interval."""
    ax = _axes(ax)
    when = [datetime.fromisoformat(point.ended_at.replace("Z", "+00:00")) for point in history]
    ax.axhline(0.0, color=_BELIEVED, linewidth=0.8)
    if history:
        low, high = ([getattr(point.energy_kwh, end) for point in history] for end in ("low", "high"))
        ax.fill_between(when, low, high, color=_MEASURED, alpha=0.2, linewidth=0, label="95 % interval")  # type: ignore[arg-type]
        ax.plot(when, [point.energy_kwh.saved for point in history], color=_MEASURED, label="saved")  # type: ignore[arg-type]
        ax.tick_params(axis="x", labelrotation=30)
    ax.set_xlabel("end of the run (UTC)")
    ax.set_ylabel("energy saved (kWh)")
    ax.set_title(f"{_plain(job_id)}: energy saved")
    _legend(ax, bool(history))
    return ax


def _axes(ax: Axes | None) -> Axes:
    """The given axes, or those of a new figure."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError:
        raise ZeusBSOConfigError("plot() needs matplotlib: pip install matplotlib") from None
    _, made = pyplot.subplots(layout="constrained")
    return made


def _energy_scale(values_j: Sequence[float | None]) -> tuple[str, float]:
    unit = units.energy_unit(values_j)
    return unit, units.JOULES[unit]


def _reach(believed: Sequence[BatchSizeView], scale: float) -> list[list[float]]:
    """How far the intervals reach below and above the beliefs."""
    below = [_distance(size.believed_cost_low, size.believed_cost) / scale for size in believed]
    above = [_distance(size.believed_cost, size.believed_cost_high) / scale for size in believed]
    return [below, above]


def _distance(low: float | None, high: float | None) -> float:
    return 0.0 if low is None or high is None else max(0.0, high - low)


def _label_cost(ax: Axes, unit: str, costs_j: Sequence[float | None]) -> None:
    ax.set_ylabel(f"cost ({unit})")
    known = [cost for cost in costs_j if cost]
    if known and min(known) > 0 and max(known) > _WIDE_RANGE * min(known):
        ax.set_yscale("log")
    else:
        ax.margins(y=0.15)
        ax.set_ylim(bottom=0.0)


def _legend(ax: Axes, has_data: bool) -> None:
    if has_data:
        ax.legend(fontsize="small")
    else:
        ax.text(0.5, 0.5, "There is no result yet.", transform=ax.transAxes, ha="center", va="center")


def _plain(text: str) -> str:
    """A text that matplotlib does not read as a formula."""
    return text.replace("$", r"\$")
