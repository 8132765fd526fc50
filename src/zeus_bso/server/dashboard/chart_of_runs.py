"""The picture of a job's story: what each run used against the default batch size, and what that has saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Literal

from zeus_bso import units
from zeus_bso.protocol import wording
from zeus_bso.protocol.words import EnergySource, TrialStatus, TrialType
from zeus_bso.server.dashboard.charts import (
    MUTED,
    SIZES_IN_A_LEGEND,
    TEXT,
    Chart,
    Colours,
    EnergyUnit,
    T,
    TimeUnit,
    Trace,
    axis,
    by_size,
    kind_of,
    pointing,
    state_of,
)
from zeus_bso.server.dashboard.queries import SizeCosts, TrialPoint

Quantity = Literal["cost", "energy", "time"]

SAVED, LOST, EXPLORING = "var(--saved)", "var(--lost)", "var(--exploring)"

_HEADROOM = 1.08
_NOT_LEARNT_FROM = "not learnt from"
_SYMBOLS = {
    "stopped": "x-thin",
    _NOT_LEARNT_FROM: "diamond-open",
    "failed": "triangle-down-open",
    "running": "circle-open",
}
_Edges = Mapping[int, tuple[float, float]]
_Outline = list[tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The default batch size, with which each run is compared.

    Attributes:
        batch_size: The batch size.
        mean: Mean of its converged runs [J or s], or None if there is none.
    """

    batch_size: int
    mean: float | None


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs to draw, by number.

    Attributes:
        points: The runs.
        numbers: The trial numbers of these runs and of those between them that a filter leaves out.
        used: What each run used of the quantity, by trial number [J or s].
        exploring: The numbers of the runs that explored.
        energy_source: Source of the energy of the job's runs. Runs with another source are compared with nothing.
    """

    points: Sequence[TrialPoint]
    numbers: Sequence[int]
    used: Mapping[int, float]
    exploring: frozenset[int]
    energy_source: EnergySource | None


def runs_chart(runs: Runs, baseline: Baseline, colours: Colours, *, quantity: Quantity, shown: str) -> Chart:
    """What each run used of a quantity, by number. The area between the runs and the line of the default is filled.

    Args:
        runs: The runs.
        baseline: The default batch size, to compare with.
        colours: The colours of the batch sizes.
        quantity: The quantity.
        shown: A sentence for the summary that says which trials the chart shows.
    """
    if not runs.points:
        return Chart(shown)
    most = max([*runs.used.values(), baseline.mean or 0.0])
    unit = TimeUnit.of([most]) if quantity == "time" else EnergyUnit.of([most])
    edges = _edges(runs.numbers)
    top = _HEADROOM * (unit(most) or 1.0)
    traces = _tints(runs, edges, top) + _areas(runs, baseline, edges, unit) + _marks(runs, colours, unit)
    if baseline.mean is not None:
        traces.append(_line(baseline, edges, unit, quantity))
    return Chart(
        summary=_summary(runs, baseline, quantity, shown),
        columns=("Trial", "Batch size", "State", "Cost (J)", "Energy (J)", "Time (s)", "Exploring"),
        rows=[
            (
                point.trial_number,
                point.batch_size,
                state_of(point),
                None if point.cost is None else _short(point.cost),
                _short(point.energy),
                _short(point.time),
                "yes" if point.trial_number in runs.exploring else "no",
            )
            for point in runs.points
        ],
        data=traces,
        layout={
            "xaxis": axis("run", range=_ends(edges), **({"dtick": 1} if len(runs.numbers) <= 12 else {})),
            "yaxis": axis(f"{quantity} ({unit.name})", range=[0, top]),
        },
    )


def explored(
    points: Sequence[TrialPoint], before: Mapping[int, SizeCosts], *, default_batch_size: int, chosen: int | None
) -> frozenset[int]:
    """The numbers of the runs that explored: they took a size that was not the cheapest known.

    Args:
        points: Runs, by number.
        before: What the batch sizes cost before the first of them, in its generation.
        default_batch_size: The size that is taken as long as no run has converged.
        chosen: The size that the job has chosen now, whose runs are no exploration although another size was luckier.
    """
    found = set()
    costs, generation = dict(before), points[0].generation if points else 0
    for point in points:
        if point.generation != generation:
            costs, generation = {}, point.generation
        usual = {min(costs, key=lambda size: costs[size].mean)} if costs else {default_batch_size}
        if chosen in costs:
            usual.add(chosen)
        if point.type is TrialType.EXPLORATION or point.batch_size not in usual:
            found.add(point.trial_number)
        if point.converged and point.cost is not None:
            costs[point.batch_size] = costs.get(point.batch_size, SizeCosts()) + point.cost
    return frozenset(found)


def _summary(runs: Runs, baseline: Baseline, quantity: Quantity, shown: str) -> str:
    converged = sum(point.converged for point in runs.points)
    said = f"{shown} {units.count(converged)} converged, {units.count(len(runs.exploring))} explored."
    name = units.count(baseline.batch_size)
    if baseline.mean is None:
        return f"{said} There is nothing to compare with: no run with the default batch size {name} has converged."
    figure = units.duration(baseline.mean) if quantity == "time" else units.energy(baseline.mean)
    takes = f"costs {figure}" if quantity == "cost" else f"takes {figure}"
    return f"{said} A run with the default batch size {name} {takes}."


def _edges(numbers: Sequence[int]) -> _Edges:
    """Where the column of each run begins and ends: halfway to its neighbours."""
    halves = [(left + right) / 2 for left, right in pairwise(numbers)]
    begins = [numbers[0] - 0.5, *halves]
    ends = [*halves, numbers[-1] + 0.5]
    return dict(zip(numbers, zip(begins, ends, strict=True), strict=True))


def _ends(edges: _Edges) -> list[float]:
    return [min(begin for begin, _ in edges.values()), max(end for _, end in edges.values())]


def _tints(runs: Runs, edges: _Edges, top: float) -> list[Trace]:
    outline: _Outline = []
    for explores, members in _stretches(runs, lambda point: point.trial_number in runs.exploring):
        if explores:
            begin, end = edges[members[0].trial_number][0], edges[members[-1].trial_number][1]
            outline += [(begin, 0.0), (begin, top), (end, top), (end, 0.0), (None, None)]
    return _filled("exploring", outline, EXPLORING)


def _stretches(runs: Runs, kind: Callable[[TrialPoint], T]) -> Iterator[tuple[T, list[TrialPoint]]]:
    """Runs of the same kind that follow each other, with none between them that a filter leaves out."""
    places = {number: place for place, number in enumerate(runs.numbers)}
    placed = enumerate(runs.points)
    grouped = groupby(placed, key=lambda each: (kind(each[1]), places[each[1].trial_number] - each[0]))
    return ((found, [point for _, point in group]) for (found, _), group in grouped)


def _areas(runs: Runs, baseline: Baseline, edges: _Edges, unit: EnergyUnit | TimeUnit) -> list[Trace]:
    """The area that was saved, and the area that was lost: above the line, or used by a run without a result."""
    mean = baseline.mean or 0.0
    saved: _Outline = []
    lost: _Outline = []
    for side, members in _stretches(runs, lambda point: _side(point, runs, baseline)):
        if side == "saved":
            saved += _steps(members, runs.used, edges, unit, mean)
        elif side == "lost":
            lost += _steps(members, runs.used, edges, unit, mean)
        elif side == "wasted":
            lost += _steps(members, runs.used, edges, unit, 0.0)
    return _filled("saved against the default", saved, SAVED) + _filled("lost", lost, LOST)


def _side(point: TrialPoint, runs: Runs, baseline: Baseline) -> str:
    if point.status is TrialStatus.DISPATCHED or wording.why_left_out(point.energy_source, runs.energy_source):
        return "not compared"
    if not point.converged:
        return "wasted"
    if baseline.mean is None:
        return "not compared"
    if point.batch_size == baseline.batch_size and point.power_limit is None:
        return "not compared"  # The line is the mean of these runs, which save and lose nothing.
    return "saved" if runs.used[point.trial_number] <= baseline.mean else "lost"


def _steps(
    points: Sequence[TrialPoint],
    used: Mapping[int, float],
    edges: _Edges,
    unit: EnergyUnit | TimeUnit,
    line: float,
) -> _Outline:
    """The outline between a line and the steps of some runs."""
    numbers = [point.trial_number for point in points]
    upper = [(edge, unit(used[number])) for number in numbers for edge in edges[number]]
    return [(edges[numbers[0]][0], unit(line)), *upper, (edges[numbers[-1]][1], unit(line)), (None, None)]


def _filled(name: str, outline: _Outline, colour: str) -> list[Trace]:
    if not outline:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [x for x, _ in outline[:-1]],
            "y": [y for _, y in outline[:-1]],
            "fill": "toself",
            "fillcolor": colour,
            "line": {"width": 0, "color": colour},
            "hoverinfo": "skip",
        }
    ]


def _marks(runs: Runs, colours: Colours, unit: EnergyUnit | TimeUnit) -> list[Trace]:
    few = len({point.batch_size for point in runs.points}) <= SIZES_IN_A_LEGEND
    traces = [
        _mark(points, runs, unit, units.count(size), {"color": colours(size), "size": 7}) | {"showlegend": few}
        for size, points in by_size(point for point in runs.points if _kind(point, runs) == "converged").items()
    ]
    for kind, symbol in _SYMBOLS.items():
        points = [point for point in runs.points if _kind(point, runs) == kind]
        if points:
            of_sizes = [colours(point.batch_size) for point in points]
            marker = {"symbol": symbol, "size": 8, "color": of_sizes, "line": {"width": 2, "color": of_sizes}}
            traces.append(_in_legend(kind, marker))
            traces.append(_mark(points, runs, unit, kind, marker) | {"showlegend": False, "legendgroup": kind})
    return traces


def _kind(point: TrialPoint, runs: Runs) -> str:
    """The kind of mark for a run. One that the job learns nothing from looks like no result of its batch size."""
    left_out = point.converged and wording.why_left_out(point.energy_source, runs.energy_source)
    return _NOT_LEARNT_FROM if left_out else kind_of(point)


def _in_legend(kind: str, marker: Mapping[str, Any]) -> Trace:
    """A kind of mark in the legend, in the colour of no batch size."""
    neutral = {"color": MUTED, "line": {"width": 2, "color": MUTED}}
    named = {"name": kind, "legendgroup": kind, "x": [None], "y": [None], "marker": dict(marker) | neutral}
    return {"type": "scatter", "mode": "markers", "hoverinfo": "skip"} | named


def _mark(
    points: Sequence[TrialPoint], runs: Runs, unit: EnergyUnit | TimeUnit, name: str, marker: dict[str, Any]
) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [point.trial_number for point in points],
        "y": [unit(runs.used[point.trial_number]) for point in points],
        "marker": marker,
    } | pointing(points)


def _line(baseline: Baseline, edges: _Edges, unit: EnergyUnit | TimeUnit, quantity: Quantity) -> Trace:
    assert baseline.mean is not None
    figure = units.duration(baseline.mean) if quantity == "time" else units.energy(baseline.mean)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"default {units.count(baseline.batch_size)}: {figure}",
        "x": _ends(edges),
        "y": [unit(baseline.mean)] * 2,
        "hoverinfo": "skip",
        "line": {"color": TEXT, "width": 1.5, "dash": "dash"},
    }


def _short(value: float) -> float:
    return float(f"{value:.6g}")
