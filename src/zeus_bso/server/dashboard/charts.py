"""Charts as plain JSON for Plotly. Each chart also has a sentence and a table that say the same.

Colours are names of CSS variables (``var(--...)``), which the page's script replaces with the colours of the theme.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zeus_bso import units
from zeus_bso.protocol import wording
from zeus_bso.protocol.words import TrialStatus
from zeus_bso.server.dashboard.palette import shades, variable
from zeus_bso.server.dashboard.queries import TrialPoint

Trace = dict[str, Any]
Cell = str | int | float | None

TEXT, MUTED, LINE, GOOD, BAD = (f"var(--{name})" for name in ("text", "muted", "line", "good", "bad"))
BAND = "var(--band)"

SIZES_IN_A_LEGEND = 10
"""With more batch sizes, a chart has no legend for them, and the colour ramp above the charts explains the colours."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its description in words and as a table.

    Attributes:
        summary: The content of the chart in one or two sentences.
        columns: Headings of the table.
        rows: The data of the chart as a table.
        data: Plotly's traces.
        layout: Plotly's layout, without the parts that the script adds to all charts.
    """

    summary: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    data: Sequence[Trace] = ()
    layout: Mapping[str, Any] = field(default_factory=dict)

    @property
    def figure(self) -> dict[str, Any]:
        """The JSON for the page's script."""
        return {"summary": self.summary, "data": list(self.data), "layout": dict(self.layout)}


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with a title."""
    return {"title": {"text": title}} | more


class Colours:
    """The colour of each batch size of a job."""

    def __init__(self, batch_sizes: Iterable[int]) -> None:
        self._shades = shades(batch_sizes)

    def __call__(self, batch_size: int) -> str:
        """The colour of a batch size. A size that the job no longer lists is grey."""
        shade = self._shades.get(batch_size)
        return MUTED if shade is None else variable(shade)


def by_size(points: Iterable[TrialPoint]) -> dict[int, list[TrialPoint]]:
    """Points by batch size, ascending."""
    found: dict[int, list[TrialPoint]] = {}
    for point in points:
        found.setdefault(point.batch_size, []).append(point)
    return dict(sorted(found.items()))


def state_of(point: TrialPoint) -> str:
    """The state of a trial in words."""
    return wording.state_of(point.outcome, point.reason)


def kind_of(point: TrialPoint) -> str:
    """The kind of mark for a trial in charts: ``converged``, ``stopped``, ``failed`` or ``running``."""
    if point.status is TrialStatus.SUCCEEDED:
        return "converged" if point.converged else "stopped"
    return "failed" if point.status is TrialStatus.FAILED else "running"


@dataclass(frozen=True, slots=True)
class EnergyUnit:
    """The unit of energies and costs in a chart, chosen so that the axis has short numbers."""

    size_j: float
    name: str

    @classmethod
    def of(cls, values_j: Iterable[float]) -> EnergyUnit:
        """The unit that fits the largest value."""
        most = max((abs(value) for value in values_j if math.isfinite(value)), default=0.0)
        least_of = ((3.6e9, "MWh"), (3.6e5, "kWh"), (3.6e3, "Wh"))
        return next((cls(units.JOULES[name], name) for least, name in least_of if most >= least), cls(1.0, "J"))

    def __call__(self, value_j: float | None) -> float | None:
        """A value in this unit, to five significant digits."""
        return None if value_j is None else float(f"{value_j / self.size_j:.5g}")


@dataclass(frozen=True, slots=True)
class TimeUnit:
    """The unit of times in a chart."""

    size_s: float
    name: str

    @classmethod
    def of(cls, values_s: Iterable[float]) -> TimeUnit:
        """The unit that fits the largest value."""
        most = max((abs(value) for value in values_s if math.isfinite(value)), default=0.0)
        least_of = ((2 * 86_400.0, 86_400.0, "d"), (2 * 3_600.0, 3_600.0, "h"), (120.0, 60.0, "min"))
        return next((cls(size, name) for least, size, name in least_of if most >= least), cls(1.0, "s"))

    def __call__(self, value_s: float | None) -> float | None:
        """A value in this unit, to five significant digits."""
        return None if value_s is None else float(f"{value_s / self.size_s:.5g}")


def cost_chart(points: Sequence[TrialPoint], costs_j: Mapping[int, float], colours: Colours, *, shown: str) -> Chart:
    """Cost of each trial over time, coloured by batch size. Trials that gave no model are marked.

    Args:
        points: The trials.
        costs_j: Cost of each trial, or its cost so far, by trial number [J].
        colours: The colours of the batch sizes.
        shown: A sentence for the summary that says which trials the chart shows.
    """
    if not points:
        return Chart("No trial has begun yet.")
    unit = EnergyUnit.of(costs_j.values())
    traces: list[Trace] = []
    few = len({point.batch_size for point in points}) <= SIZES_IN_A_LEGEND
    for size, trials in by_size(point for point in points if point.converged).items():
        traces.append(
            _marks(trials, costs_j, unit, str(size), {"color": colours(size), "size": 7})
            | {"showlegend": few}
            | {"hovertemplate": f"trial %{{x}}, batch size {size}<br>%{{y}} {unit.name}<extra></extra>"}
        )
    for kind, symbol in (("stopped", "x-thin"), ("failed", "triangle-down-open"), ("running", "circle-open")):
        trials = [point for point in points if kind_of(point) == kind]
        if trials:
            of_sizes = [colours(point.batch_size) for point in trials]
            marker = {"symbol": symbol, "size": 8, "color": of_sizes, "line": {"width": 2, "color": of_sizes}}
            traces.append(
                _marks(trials, costs_j, unit, kind, marker)
                | {"text": [f"batch size {point.batch_size}, {state_of(point)}" for point in trials]}
                | {"hovertemplate": f"trial %{{x}}, %{{text}}<br>%{{y}} {unit.name}<extra></extra>"}
            )
    converged = sum(point.converged for point in points)
    return Chart(
        summary=f"{shown} {converged} of {len(points)} converged.",
        columns=("Trial", "Batch size", "State", "Cost (J)", "Energy (J)", "Time (s)"),
        rows=[
            (
                p.trial_number,
                p.batch_size,
                state_of(p),
                _short(costs_j[p.trial_number]),
                _short(p.energy),
                _short(p.time),
            )
            for p in points
        ],
        data=traces,
        layout={
            "xaxis": axis("trial", **({"dtick": 1} if len(points) <= 12 else {})),
            "yaxis": axis(f"cost ({unit.name})", rangemode="tozero"),
        },
    )


def _marks(
    trials: Sequence[TrialPoint], costs_j: Mapping[int, float], unit: EnergyUnit, name: str, marker: dict[str, Any]
) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [point.trial_number for point in trials],
        "y": [unit(costs_j[point.trial_number]) for point in trials],
        "marker": marker,
    }


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def short_list(sizes: Sequence[int]) -> str:
    """Batch sizes in words."""
    words = [units.count(size) for size in sizes]
    if len(words) > 6:
        words = [*words[:5], f"{len(words) - 5} others"]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
