"""Charts over a run and over a job's life: learning curves, and savings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from zeus_bso import units
from zeus_bso.protocol.savings_views import SavingsPoint
from zeus_bso.savings import JOULES_PER_KWH
from zeus_bso.server.dashboard.charts import (
    BAND,
    GOOD,
    MUTED,
    SIZES_IN_A_LEGEND,
    Chart,
    Colours,
    EnergyUnit,
    Trace,
    axis,
)
from zeus_bso.server.dashboard.queries import CurvePoint, TrainedTrial


def curves_chart(
    curves: Sequence[CurvePoint], trials: Mapping[int, TrainedTrial], target_metric: float, colours: Colours
) -> Chart:
    """The metric of each trial after every evaluation, with the target.

    Args:
        curves: Reports, sorted by trial and epoch.
        trials: The trials, by number.
        target_metric: The metric at which a run has converged.
        colours: The colours of the batch sizes.
    """
    if not curves:
        return Chart("No evaluation has been reported.")
    traces: list[Trace] = []
    named: set[int] = set()
    few = len({each.batch_size for each in trials.values()}) <= SIZES_IN_A_LEGEND
    for number, reports in groupby(curves, key=lambda report: report.trial_number):
        size, curve = trials[number].batch_size, list(reports)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(curve) < 40 else "lines",
                "name": units.count(size),
                "legendgroup": str(size),
                "showlegend": few and size not in named,
                "x": [report.epoch for report in curve],
                "y": [report.metric for report in curve],
                "line": {"color": colours(size), "width": 1.5},
                "marker": {"size": 4},
                "opacity": 0.8,
                "customdata": [number] * len(curve),
                "hovertext": [_told(number, size, report) for report in curve],
                "hovertemplate": "%{hovertext}<extra></extra>",
            }
        )
        named.add(size)
    last = max(report.epoch for report in curves)
    traces.sort(key=lambda trace: int(trace["legendgroup"]))
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "target",
            "x": [0, last],
            "y": [target_metric, target_metric],
            "hoverinfo": "skip",
            "line": {"color": MUTED, "width": 1.5, "dash": "dash"},
        }
    )
    return Chart(
        summary=f"Metric after every evaluation of {_trials_in_words(trials)}; "
        f"the target is {units.number(target_metric, 4)}.",
        columns=("Trial", "Batch size", "Epoch", "Metric"),
        rows=[(r.trial_number, trials[r.trial_number].batch_size, r.epoch, r.metric) for r in curves],
        data=traces,
        layout={"xaxis": axis("epoch", **({"dtick": 1} if last <= 12 else {})), "yaxis": axis("metric")},
    )


def savings_chart(points: Sequence[SavingsPoint], message: str, *, estimated: bool) -> Chart:
    """Energy saved so far after each ended trial, against the default batch size, with its 95 % interval.

    Args:
        points: The savings after each trial.
        message: The savings in words, which stand alone as long as there is nothing to draw.
        estimated: Whether some of the energy was estimated.
    """
    if not points or points[-1].energy_kwh.is_zero:
        return Chart(message)
    saved, low, high = (
        [getattr(point.energy_kwh, name) * JOULES_PER_KWH for point in points] for name in ("saved", "low", "high")
    )
    unit = EnergyUnit.of([*low, *high])
    mark = " (estimated)" if estimated else ""
    edge: Trace = {
        "type": "scatter",
        "mode": "lines",
        "x": [point.ended_at for point in points],
        "hoverinfo": "skip",
        "line": {"color": BAND, "width": 0},
    }
    return Chart(
        summary=_saved_in_words(points[-1].trial_number, saved[-1], low[-1], high[-1], mark),
        columns=("After trial", "Ended (UTC)", "Saved (J)", "Low (J)", "High (J)", "Time saved (s)"),
        rows=[
            (point.trial_number, point.ended_at[:19].replace("T", " "), *figures, point.time.saved)
            for point, *figures in zip(points, saved, low, high, strict=True)
        ],
        data=[
            edge | {"y": [unit(value) for value in low], "showlegend": False},
            edge
            | {"y": [unit(value) for value in high], "name": "95 % interval", "fill": "tonexty", "fillcolor": BAND},
            edge
            | {
                "y": [unit(value) for value in saved],
                "name": f"saved{mark}",
                "line": {"color": GOOD, "width": 2},
                "text": [f"after trial {units.count(point.trial_number)}" for point in points],
                "hoverinfo": None,
                "hovertemplate": f"%{{text}}: %{{y}} {unit.name}<extra></extra>",
            },
        ],
        layout={"xaxis": axis("", type="date"), "yaxis": axis(f"energy saved ({unit.name})", zeroline=True)},
    )


def _saved_in_words(trial: int, saved: float, low: float, high: float, mark: str) -> str:
    lost = saved < 0
    ends = (-high, -low) if lost else (low, high)
    interval = units.interval(*map(units.energy, ends))
    said = f"Energy {'lost' if lost else 'saved'} up to trial {units.count(trial)}: {units.energy(abs(saved))}{mark}"
    return f"{said}, 95 % interval {interval}." if interval else f"{said}."


def _told(number: int, size: int, report: CurvePoint) -> str:
    head = f"trial {units.count(number)}, batch size {units.count(size)}"
    return f"{head}<br>epoch {units.count(report.epoch)}: {units.number(report.metric, 4)}"


def _trials_in_words(trials: Mapping[int, TrainedTrial]) -> str:
    if len(trials) == 1:
        return f"trial {units.count(next(iter(trials)))}"
    sizes = {each.batch_size for each in trials.values()}
    of_sizes = f"batch size {units.count(min(sizes))}" if len(sizes) == 1 else f"each of {len(sizes)} batch sizes"
    return f"{units.counted(len(trials), 'trial')}, the latest of {of_sizes}"
