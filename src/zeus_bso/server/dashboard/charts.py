"""Charts as plain JSON for Plotly. Each chart also has a sentence and a table that say the same.

Colours are names of CSS variables (``var(--...)``), which the page's script replaces with the colours of the theme.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from zeus_bso import units
from zeus_bso.protocol import wording
from zeus_bso.protocol.words import TrialStatus
from zeus_bso.server.dashboard.palette import shades, variable
from zeus_bso.server.dashboard.queries import TrialPoint

T = TypeVar("T")
Trace = dict[str, Any]
Cell = str | int | float | None

TEXT, MUTED, LINE, GOOD, BAD = (f"var(--{name})" for name in ("text", "muted", "line", "good", "bad"))
BAND = "var(--band)"

LABELS_ON_AN_AXIS = 10
"""So many labels of batch sizes or decades fit below a chart of half a page."""

WIDE_RANGE = 10.0
"""If beliefs span more than this factor, the chart has a logarithmic scale."""

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


def literal(text: str) -> str:
    """A text of a user, of which Plotly reads nothing as markup."""
    return html.escape(text, quote=False)


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


def log_axis(title: str, low_j: float, high_j: float, unit: EnergyUnit) -> dict[str, Any]:
    """A logarithmic axis of energies from 1, 2 and 5 times powers of ten, each with a unit that fits."""
    begin, end = math.floor(math.log10(low_j / unit.size_j)), math.ceil(math.log10(high_j / unit.size_j))
    steps = (1, 2, 5) if end - begin <= 3 else (1,)
    decades = range(begin, end + 1, max(1, (end - begin) // LABELS_ON_AN_AXIS + 1))
    ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
    return axis(
        title,
        type="log",
        tickvals=ticks,
        ticktext=[_tick(tick, unit) for tick in ticks],
        minor={"ticks": ""},
    )


def _tick(value: float, unit: EnergyUnit) -> str:
    """A round figure on an axis. Its unit is the axis' own or 1,000 times as large or small, so that it stays round."""
    if unit.name == "J":
        return _round(value, unit.name)
    watt_hours = value * unit.size_j / units.JOULES["Wh"]
    size, name = next((each for each in ((1e6, "MWh"), (1e3, "kWh")) if watt_hours >= each[0] * 0.999), (1.0, "Wh"))
    return _round(watt_hours / size, name)


def _round(value: float, unit: str) -> str:
    text = f"{value:,g}" if value >= 1e-4 else f"{value:.15f}".rstrip("0")
    return text.replace(",", units.NARROW) + units.SPACE + unit


def cost_axis(
    lows_j: Iterable[float | None],
    highs_j: Iterable[float | None],
    unit: EnergyUnit,
    marks_j: Iterable[float | None] = (),
) -> dict[str, Any]:
    """An axis of intervals of costs. If they are so wide that it would show only the widest, it is logarithmic.

    Args:
        lows_j: The lower ends of the intervals [J].
        highs_j: The upper ends [J].
        unit: The unit of the axis.
        marks_j: Costs that are drawn beside the intervals [J].
    """
    least, most = min(low or 0.0 for low in lows_j), max(high or 0.0 for high in highs_j)
    if least > 0 and most > WIDE_RANGE * least:
        marks = [mark for mark in marks_j if mark]
        return log_axis("cost", min([least, *marks]), max([most, *marks]), unit)
    return axis(f"cost ({unit.name})", rangemode="tozero")


def evenly(values: Sequence[T], most: int) -> list[T]:
    """Every second, third or so of the values, so that there are at most so many."""
    return list(values[:: -(-len(values) // most) or 1])


def by_size(points: Iterable[TrialPoint]) -> dict[int, list[TrialPoint]]:
    """Points by batch size, ascending."""
    found: dict[int, list[TrialPoint]] = {}
    for point in points:
        found.setdefault(point.batch_size, []).append(point)
    return dict(sorted(found.items()))


def state_of(point: TrialPoint) -> str:
    """The state of a trial in words."""
    return wording.state_of(point.outcome, point.reason)


def told(point: TrialPoint) -> str:
    """A trial in the words that a chart shows on its mark, in lines."""
    said = (
        f"trial {units.count(point.trial_number)}, batch size {units.count(point.batch_size)}",
        f"{state_of(point)}, {units.energy(point.energy)}, {units.duration(point.time)}",
        f"{point.started_at:%Y-%m-%d %H:%M} UTC",
    )
    return "<br>".join(said)


def pointing(points: Sequence[TrialPoint]) -> Trace:
    """The parts of a trace whose marks are trials: what each tells, and the number behind its link."""
    return {
        "customdata": [point.trial_number for point in points],
        "hovertext": [told(point) for point in points],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "cliponaxis": False,
    }


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


def short_list(sizes: Sequence[int]) -> str:
    """Batch sizes in words."""
    words = [units.count(size) for size in sizes]
    if len(words) > 6:
        words = [*words[:5], f"{len(words) - 5} others"]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
