"""Charts that compare batch sizes: the believed cost of each, and the energy and time of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zeus_bso import units
from zeus_bso.server.dashboard.charts import (
    BAND,
    LABELS_ON_AN_AXIS,
    MUTED,
    TEXT,
    Chart,
    Colours,
    EnergyUnit,
    TimeUnit,
    Trace,
    axis,
    by_size,
    cost_axis,
    evenly,
    pointing,
    short_list,
)
from zeus_bso.server.dashboard.labels import Label, place_labels
from zeus_bso.server.dashboard.queries import TrialPoint

ROOMY = 16
"""With more batch sizes, their marks are narrower."""

MANY_RUNS = 100
"""The dots of more runs are fainter, so that the names of the batch sizes can be read among them."""


@dataclass(frozen=True, slots=True)
class BelievedCostCurve:
    """A job's belief about the cost of a run with one batch size.

    Attributes:
        mean_j: Posterior mean, or median, of the cost [J]. None if there is no belief yet.
        low_j: Lower end of the 95 % interval [J].
        high_j: Upper end of the interval [J].
        observations: Number of runs behind the belief.
    """

    batch_size: int
    mean_j: float | None
    low_j: float | None
    high_j: float | None
    observations: int


@dataclass(frozen=True, slots=True)
class SizeMeans:
    """Means of the converged runs of one batch size."""

    batch_size: int
    converged: int
    energy_j: float
    time_s: float


def belief_chart(
    beliefs: Sequence[BelievedCostCurve], points: Sequence[TrialPoint], chosen: int | None, colours: Colours
) -> Chart:
    """Posterior mean and 95 % interval of the cost at each batch size, with the observations on top."""
    known = [belief for belief in beliefs if belief.mean_j is not None]
    if not known:
        return Chart("There is no belief yet, because no run has ended with a result.")
    seen = [point for point in points if point.cost is not None]
    unit = EnergyUnit.of([*(b.mean_j or 0.0 for b in known), *(point.cost or 0.0 for point in seen)])
    traces: list[Trace] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "observations",
            "showlegend": False,
            "x": [str(point.batch_size) for point in seen],
            "y": [unit(point.cost) for point in seen],
            "marker": {
                "color": [colours(point.batch_size) for point in seen],
                "size": 5,
                "opacity": 0.7,
                "symbol": ["circle" if point.converged else "x-thin-open" for point in seen],
            },
        }
        | pointing(seen),
        {
            "type": "scatter",
            "mode": "markers",
            "name": "belief, 95 % interval",
            "showlegend": False,
            "x": [str(belief.batch_size) for belief in known],
            "y": [unit(belief.mean_j) for belief in known],
            "hovertext": [f"batch size {units.count(b.batch_size)}<br>{_interval(b)}" for b in known],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [unit((b.high_j or 0) - (b.mean_j or 0)) for b in known],
                "arrayminus": [unit((b.mean_j or 0) - (b.low_j or 0)) for b in known],
                "color": TEXT,
                "thickness": 1.5,
                "width": 5 if len(beliefs) <= ROOMY else 2,
            },
            "marker": {
                "symbol": "line-ew",
                "size": 14 if len(beliefs) <= ROOMY else 7,
                "line": {"width": 3, "color": TEXT},
                "color": TEXT,
            },
        },
    ]
    sizes = [str(belief.batch_size) for belief in beliefs]
    best = next((belief for belief in known if belief.batch_size == chosen), None)
    return Chart(
        summary=f"Believed cost of a run{_of_all(len(known), len(beliefs))}."
        + (f" The cheapest, {units.count(chosen)}, is believed to cost {_interval(best)}." if best else ""),
        columns=("Batch size", "Believed cost (J)", "Low (J)", "High (J)", "Observations"),
        rows=[(b.batch_size, b.mean_j, b.low_j, b.high_j, b.observations) for b in beliefs],
        data=traces,
        layout={
            "xaxis": axis(
                "batch size",
                type="category",
                categoryarray=sizes,
                tickvals=evenly(sizes, LABELS_ON_AN_AXIS),
                ticktext=evenly([units.count(belief.batch_size) for belief in beliefs], LABELS_ON_AN_AXIS),
                range=[-0.6, len(sizes) - 0.4],
            ),
            "yaxis": cost_axis(
                (b.low_j for b in known), (b.high_j for b in known), unit, (point.cost for point in seen)
            ),
        },
    )


def plane_chart(
    means: Sequence[SizeMeans],
    points: Sequence[TrialPoint],
    chosen: int | None,
    colours: Colours,
    *,
    eta_knob: float,
    max_power_w: float,
) -> Chart:
    """Energy against time of converged runs, with the Pareto front and the line of equal cost through the chosen size.

    On the line, ``eta_knob * energy + (1 - eta_knob) * max_power * time`` equals the mean cost of the chosen size.
    Points to the lower left of the line are cheaper.
    """
    if not means:
        return Chart("No run has converged yet.")
    seen = [point for point in points if point.converged]
    energy = EnergyUnit.of([*(m.energy_j for m in means), *(point.energy for point in seen)])
    time = TimeUnit.of([*(m.time_s for m in means), *(point.time for point in seen)])
    opacity = 0.6 if len(seen) <= MANY_RUNS else 0.3
    traces: list[Trace] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": f"runs of {size}",
            "showlegend": False,
            "x": [time(point.time) for point in trials],
            "y": [energy(point.energy) for point in trials],
            "marker": {"color": colours(size), "size": 4, "opacity": opacity},
        }
        | pointing(trials)
        for size, trials in by_size(seen).items()
    ]
    front = pareto_front(means)
    places = _label_places(means, front, chosen)
    if len(front) > 1:
        traces.append(_line("Pareto front", [(time(m.time_s), energy(m.energy_j)) for m in front], MUTED, "solid"))
    line = eta_line(means, chosen, eta_knob=eta_knob, max_power_w=max_power_w)
    if line:
        traces.append(_line(f"equal cost (eta {eta_knob:g})", [(time(t), energy(e)) for t, e in line], TEXT, "dot"))
    traces.append(
        {
            "type": "scatter",
            "mode": "markers+text",
            "name": "mean of a batch size",
            "showlegend": False,
            "x": [time(m.time_s) for m in means],
            "y": [energy(m.energy_j) for m in means],
            "text": [units.count(m.batch_size) if places[m.batch_size] else "" for m in means],
            "textposition": [places[m.batch_size] or "top center" for m in means],
            "cliponaxis": False,
            "hovertext": [
                f"batch size {units.count(m.batch_size)}, mean of {units.counted(m.converged, 'run')}<br>"
                f"{units.energy(m.energy_j)}, {units.duration(m.time_s)}"
                for m in means
            ],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "marker": {
                "color": [colours(m.batch_size) for m in means],
                "size": [15 if m.batch_size == chosen else 11 for m in means],
                "line": {"width": 2, "color": [TEXT if m.batch_size == chosen else BAND for m in means]},
            },
        }
    )
    return Chart(
        summary=_means_in_words(means, front),
        columns=("Batch size", "Converged runs", "Mean energy (J)", "Mean time (s)", "On the Pareto front"),
        rows=[(m.batch_size, m.converged, m.energy_j, m.time_s, "yes" if m in front else "no") for m in means],
        data=traces,
        layout={
            "xaxis": axis(f"time ({time.name})", rangemode="tozero"),
            "yaxis": axis(f"energy ({energy.name})", rangemode="tozero"),
        },
    )


def _label_places(means: Sequence[SizeMeans], front: Sequence[SizeMeans], chosen: int | None) -> dict[int, str | None]:
    """Where the name of each size stands. The chosen size and those of the front are named first."""
    most_time, most_energy = max(m.time_s for m in means) or 1.0, max(m.energy_j for m in means) or 1.0
    first = sorted(means, key=lambda m: (m.batch_size != chosen, m not in front))
    labels = [Label(units.count(m.batch_size), m.time_s / most_time, m.energy_j / most_energy) for m in first]
    return dict(zip([m.batch_size for m in first], place_labels(labels), strict=True))


def pareto_front(means: Sequence[SizeMeans]) -> list[SizeMeans]:
    """The sizes that no other size beats in energy and time at once, sorted by time."""
    front: list[SizeMeans] = []
    for candidate in sorted(means, key=lambda m: (m.time_s, m.energy_j)):
        if not front or candidate.energy_j < front[-1].energy_j:
            front.append(candidate)
    return front


def eta_line(
    means: Sequence[SizeMeans], chosen: int | None, *, eta_knob: float, max_power_w: float
) -> list[tuple[float, float]]:
    """The two ends ``(time, energy)`` of the line of equal cost through the chosen size, inside the chart."""
    through = next((m for m in means if m.batch_size == chosen), None)
    weight_of_time = (1 - eta_knob) * max_power_w
    if through is None or (eta_knob == 0 and weight_of_time == 0):
        return []
    most_time, most_energy = 1.1 * max(m.time_s for m in means), 1.1 * max(m.energy_j for m in means)
    if eta_knob == 0:
        return [(through.time_s, 0.0), (through.time_s, most_energy)]
    if weight_of_time == 0:
        return [(0.0, through.energy_j), (most_time, through.energy_j)]
    cost = eta_knob * through.energy_j + weight_of_time * through.time_s
    left = max(0.0, (cost - eta_knob * most_energy) / weight_of_time)
    right = min(most_time, cost / weight_of_time)
    return [(t, max(0.0, (cost - weight_of_time * t) / eta_knob)) for t in (left, right)]


def _line(name: str, ends: Sequence[tuple[float | None, float | None]], colour: str, dash: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [x for x, _ in ends],
        "y": [y for _, y in ends],
        "hoverinfo": "skip",
        "line": {"color": colour, "width": 1.5, "dash": dash},
    }


def _interval(belief: BelievedCostCurve) -> str:
    said = units.energy(belief.mean_j)
    if belief.low_j is None or belief.high_j is None or belief.low_j == belief.high_j:
        return said
    return f"{said} ({units.energy(belief.low_j)} to {units.energy(belief.high_j)})"


def _of_all(known: int, sizes: int) -> str:
    if known < sizes:
        return f" at {known} of {units.counted(sizes, 'batch size')}"
    return f" at each of {sizes} batch sizes" if sizes > 1 else ""


def _means_in_words(means: Sequence[SizeMeans], front: Sequence[SizeMeans]) -> str:
    if len(means) == 1:
        (only,) = means
        runs = f"the mean of {units.counted(only.converged, 'run')}" if only.converged > 1 else "in its only run"
        used = f"{units.energy(only.energy_j)} and {units.duration(only.time_s)}"
        return f"To reach the target, batch size {units.count(only.batch_size)} takes {used}, {runs}."
    return (
        f"Mean energy and time to the target of {len(means)} batch sizes; "
        f"{_sizes_in_words([m.batch_size for m in front])} on the Pareto front: no other size needs less of both."
    )


def _sizes_in_words(sizes: Sequence[int]) -> str:
    return f"{short_list(sorted(sizes))} {'is' if len(sizes) == 1 else 'are'}"
