"""The chart of power limits: what each limit saves, and what it costs in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zeus_bso import units
from zeus_bso.protocol.power import PowerPoint
from zeus_bso.protocol.views import PowerProfileView
from zeus_bso.server.dashboard.charts import (
    BAND,
    MUTED,
    SIZES_IN_A_LEGEND,
    TEXT,
    Chart,
    Colours,
    Trace,
    axis,
    short_list,
)

SHOWN_AT_FIRST = 4
"""So many batch sizes are drawn at first. Others of the legend can be switched on."""


@dataclass(frozen=True, slots=True)
class LimitOfSize:
    """What a power limit makes of a batch size, against full power.

    Attributes:
        batch_size: The batch size.
        point: What was measured at the limit.
        energy: Energy for the same work, 1 at full power.
        time: Time for the same work, 1 at full power.
        best: Whether the limit is the best of this batch size.
    """

    batch_size: int
    point: PowerPoint
    energy: float
    time: float
    best: bool


def limits_chart(
    profiles: Sequence[PowerProfileView],
    runs: Mapping[int, int],
    chosen: int | None,
    colours: Colours,
    *,
    max_slowdown: float | None,
) -> Chart:
    """Energy against time for the same work at each power limit, for the chosen batch size and those used most.

    A step of a larger batch does more work, so each size is compared with itself at full power.

    Args:
        profiles: What is known about batch sizes at each power limit.
        runs: Number of trials of each batch size.
        chosen: The chosen batch size.
        colours: The colours of the batch sizes.
        max_slowdown: How many times longer than at full power an epoch may take, if there is a bound.
    """
    measured = {profile.batch_size: found for profile in profiles if (found := against_full_power(profile))}
    if not measured:
        return Chart("No power limit has been measured yet.")
    by_use = sorted(measured, key=lambda size: (size != chosen, -runs.get(size, 0), size))
    drawn = sorted(by_use[:SIZES_IN_A_LEGEND])
    first = set(by_use[:SHOWN_AT_FIRST])
    traces = [
        _curve(size, measured[size], colours(size), shown=size in first, named=size == by_use[0]) for size in drawn
    ]
    if max_slowdown is not None:
        traces.append(_bound(max_slowdown, [limit for size in first for limit in measured[size]]))
    return Chart(
        summary=_summary(measured, chosen, sorted(first)),
        columns=("Batch size", "Limit (W)", "Power (W)", "Energy (%)", "Time (%)", "Windows", "Best"),
        rows=[
            (
                limit.batch_size,
                limit.point.limit,
                round(limit.point.power, 1),
                round(100 * limit.energy, 1),
                round(100 * limit.time, 1),
                limit.point.windows,
                "yes" if limit.best else "no",
            )
            for size in sorted(measured)
            for limit in measured[size]
        ],
        data=traces,
        layout={
            "xaxis": axis("time for the same work (% of full power)"),
            "yaxis": axis("energy (% of full power)"),
        },
    )


def against_full_power(profile: PowerProfileView) -> list[LimitOfSize]:
    """The measured limits of a batch size, from full power down. Empty before full power was measured."""
    full = profile.at(profile.highest)
    if full is None:
        return []
    return [
        LimitOfSize(
            profile.batch_size,
            point,
            energy=(point.power / point.rate) / (full.power / full.rate),
            time=full.rate / point.rate,
            best=point.limit == profile.best_limit,
        )
        for point in sorted(profile.points, key=lambda point: -point.limit)
    ]


def _curve(size: int, limits: Sequence[LimitOfSize], colour: str, *, shown: bool, named: bool) -> Trace:
    """The limits of a batch size. Its best limit is named, if so wished: of many sizes the names would overlap."""
    return {
        "type": "scatter",
        "mode": "lines+markers+text",
        "name": units.count(size),
        "visible": True if shown else "legendonly",
        "x": [round(100 * limit.time, 2) for limit in limits],
        "y": [round(100 * limit.energy, 2) for limit in limits],
        "text": [units.watts(limit.point.limit) if limit.best and named else "" for limit in limits],
        # The curve falls from full power to the right: there is room below it on the left.
        "textposition": "top right" if limits[0].best else "bottom left",
        "cliponaxis": False,
        "customdata": [f"batch size {units.count(size)}, {units.watts(limit.point.limit)}" for limit in limits],
        "hovertemplate": "%{customdata}<br>%{y} % energy, %{x} % time<extra></extra>",
        "line": {"color": colour, "width": 1.5},
        "marker": {
            "color": colour,
            "size": [13 if limit.best else 6 for limit in limits],
            "line": {"width": 2, "color": [TEXT if limit.best else BAND for limit in limits]},
        },
    }


def _bound(max_slowdown: float, limits: Sequence[LimitOfSize]) -> Trace:
    middle = (min(limit.time for limit in limits) + max(limit.time for limit in limits)) / 2
    right = max_slowdown < middle
    name = f"max_slowdown {max_slowdown:g}"
    return {
        "type": "scatter",
        "mode": "lines+text",
        "name": "max_slowdown",
        "showlegend": False,
        # Above the curves there is room, but not beyond the edge of the chart. A space keeps the line off the name.
        "text": ["", f"{units.SPACE}{name}" if right else f"{name}{units.SPACE}"],
        "textposition": "bottom right" if right else "bottom left",
        "cliponaxis": False,
        "x": [100 * max_slowdown] * 2,
        "y": [100 * min(limit.energy for limit in limits), 100 * max(limit.energy for limit in limits)],
        "hoverinfo": "skip",
        "line": {"color": MUTED, "width": 1.5, "dash": "dot"},
    }


def _summary(measured: Mapping[int, Sequence[LimitOfSize]], chosen: int | None, shown: Sequence[int]) -> str:
    of_sizes = units.counted(len(measured), "batch size")
    said = f"Energy and time at the power limits of {of_sizes}, each against its own full power"
    said += "." if len(shown) == len(measured) else f"; {short_list(shown)} are drawn at first, the table has all."
    best = next((limit for limit in measured.get(chosen or 0, ()) if limit.best), None)
    if best is None:
        return said
    size, limit = units.count(best.batch_size), units.watts(best.point.limit)
    if best.point.limit == max(other.point.limit for other in measured[best.batch_size]):
        return f"{said} Of {size}, full power ({limit}) is the best."
    change = f"{units.less(1 - best.energy)} energy, {units.less(1 - best.time)} time"
    return f"{said} Of {size}, {limit} is the best: {change}."
