"""Figures of an experiment, each as PNG and SVG; one panel for each pair of workload and GPU, and scenario."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, Formatter, FuncFormatter, MaxNLocator, NullFormatter

from zeus_bso.simulator.experiment import Simulated
from zeus_bso.simulator.report import LAST, ReportRow
from zeus_bso.simulator.world import SimulatedWorkload

_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#7f7f7f")
_LINES = ("-", "--", "-.", ":", "-", "--", "-.", ":")
_MARKERS = ("o", "D", "s", "^", "v", "P", "X", "h")
_TIMES = (("h", 3600.0), ("min", 60.0), ("s", 1.0))
_TICKS = 5
_SIZES_NAMED = 12
_SPREAD = 0.7
"""How much of the height between two sizes the policies share."""

_PANEL_INCHES = (4.2, 3.2)
_COLUMNS = 4

Group = dict[str, list[Simulated]]
"""The simulations of one world, by policy."""


def draw_all(folder: Path, rows: Sequence[ReportRow], simulations: Sequence[Simulated]) -> list[Path]:
    """Draw every figure into a folder, which is made where there is none.

    Returns:
        The files, ``regret``, ``energy-time`` and ``sizes``, each as ``.png`` and ``.svg``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_world: dict[tuple[str, str, str], Group] = {}
    for each in simulations:
        by_world.setdefault(_key(each.task.world), {}).setdefault(each.task.policy, []).append(each)
    groups = list(by_world.values())

    def regret(axes: Axes, group: Group) -> None:
        _draw_regret(axes, [row for row in rows if row.world == _key(_world(group))])

    drawings: dict[str, Callable[[Axes, Group], None]] = {
        "regret": regret,
        "energy-time": _draw_energy_time,
        "sizes": _draw_sizes,
    }
    written = []
    for name, draw in drawings.items():
        written += _save(_panels(groups, draw), folder / name)
    return written


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other beats in both coordinates, by the first one ascending."""
    front: list[tuple[float, float]] = []
    for point in sorted(points):
        if not front or point[1] < front[-1][1]:
            front.append(point)
    return front


def _key(world: SimulatedWorkload) -> tuple[str, str, str]:
    return world.scenario.name, world.pair.workload.name, world.pair.gpu


def _title(world: SimulatedWorkload) -> str:
    name = world.scenario.name
    return f"{world.name}, {name}" if name not in ("", world.pair.workload.name) else world.name


def _world(group: Group) -> SimulatedWorkload:
    return next(iter(group.values()))[0].task.world


def _panels(groups: Sequence[Group], draw: Callable[[Axes, Group], None]) -> Figure:
    columns = min(_COLUMNS, len(groups))
    lines = math.ceil(len(groups) / columns)
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(width * columns, height * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).flatten()
    for axes, group in zip(panels, groups, strict=False):
        axes.set_title(_title(_world(group)), fontsize=10)
        axes.grid(visible=True, alpha=0.25)
        draw(axes, group)
    for axes in panels[len(groups) :]:
        axes.set_visible(False)
    panels[0].legend(fontsize=8)
    return figure


def _draw_regret(axes: Axes, rows: Sequence[ReportRow]) -> None:
    for row, colour, line in zip(rows, _COLOURS, _LINES, strict=False):
        regrets = row.regrets[:, : row.recurrences]
        recurrences = np.arange(1, row.recurrences + 1)
        axes.plot(recurrences, regrets.mean(axis=0), color=colour, linestyle=line, label=row.policy)
        low, high = np.quantile(regrets, [0.05, 0.95], axis=0)
        axes.fill_between(recurrences, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(_TICKS, integer=True))
    axes.set_xlabel("recurrences")
    axes.set_ylabel("regret (runs of the oracle)")


def _draw_energy_time(axes: Axes, group: Group) -> None:
    world = _world(group)
    end = min(world.recurrences, len(next(iter(group.values()))[0].costs_j))
    expected = [
        optimum
        for size, limits in world.paces.items()
        for limit in limits
        if (optimum := world.expected(size, limit, end - 1)) is not None
    ]
    points = [(each.time_s, each.energy_j) for each in expected]
    front = pareto_front(points)
    label = "size at full power" if world.scenario.power == "off" else "size and power limit"
    axes.plot(*_columns(points), ".", markersize=6, color="#bbbbbb", label=label)
    axes.plot(*_columns(front), color="#444444", linewidth=1, label="Pareto front")
    oracle, default = world.oracle(end - 1), world.default(end - 1)
    axes.plot(*_at(oracle.time_s, oracle.energy_j), "*", color="black", markersize=11, label="oracle")
    if default is not None:
        axes.plot(*_at(default.time_s, default.energy_j), "s", color="black", label="default, full power")
    for index, ((policy, simulated), colour) in enumerate(zip(group.items(), _COLOURS, strict=False)):
        times = [each.times_s[end - LAST : end] for each in simulated]
        energies = [each.energies_j[end - LAST : end] for each in simulated]
        axes.plot(
            *_at(float(np.mean(times)), float(np.mean(energies))),
            _MARKERS[index],
            # Rings of falling size, so that policies that agree stay visible.
            markersize=8 + 4 * (len(group) - index),
            markerfacecolor="none",
            markeredgewidth=1.5,
            color=colour,
            label=f"{policy}, at the end",
        )
    times_s, energies_j = _columns(points)
    # Over less than a decade a logarithmic axis has too many or too few labels.
    axes.set_xscale("log" if max(times_s) > 10 * min(times_s) else "linear")
    axes.set_yscale("log" if max(energies_j) > 10 * min(energies_j) else "linear")
    unit, length_s = next((each for each in _TIMES if max(times_s) >= each[1]), _TIMES[-1])
    _label(axes.xaxis, FuncFormatter(lambda value, _: f"{value / length_s:g}"))
    _label(axes.yaxis, EngFormatter("J"))
    axes.set_xlabel(f"time to target ({unit})")
    axes.set_ylabel("energy to target")


def _label(axis: Axis, formatter: Formatter) -> None:
    """Label few enough ticks that no two labels overlap."""
    axis.set_major_formatter(formatter)
    axis.set_minor_formatter(NullFormatter())
    if axis.get_scale() == "linear":
        axis.set_major_locator(MaxNLocator(_TICKS))


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _at(x: float, y: float) -> tuple[list[float], list[float]]:
    return [x], [y]


def _draw_sizes(axes: Axes, group: Group) -> None:
    world = _world(group)
    sizes = world.pair.batch_sizes
    end = min(world.recurrences, len(next(iter(group.values()))[0].costs_j))
    for index, ((policy, simulated), colour) in enumerate(zip(group.items(), _COLOURS, strict=False)):
        # Each policy has its own height within a size, so that none hides another.
        height = _SPREAD * ((index + 0.5) / len(group) - 0.5)
        for number, each in enumerate(simulated):
            ranks = [sizes.index(size) + height for size in each.batch_sizes[:end]]
            axes.plot(
                range(1, end + 1),
                ranks,
                ".",
                markersize=4,
                alpha=max(0.1, min(1.0, 3.0 / len(simulated))),
                color=colour,
                label=policy if number == 0 else None,
            )
    best = [sizes.index(world.oracle(index).batch_size) for index in range(end)]
    axes.plot(range(1, end + 1), best, color="black", linewidth=0.6, linestyle="--")
    step = math.ceil(len(sizes) / _SIZES_NAMED)
    axes.set_yticks(range(0, len(sizes), step), [str(size) for size in sizes[::step]], fontsize=7)
    axes.xaxis.set_major_locator(MaxNLocator(_TICKS, integer=True))
    axes.set_xlabel("recurrence")
    axes.set_ylabel("batch size that reached the target")


def _save(figure: Figure, stem: Path) -> list[Path]:
    written = [stem.with_suffix(suffix) for suffix in (".png", ".svg")]
    # Text stays text, and the same experiment gives the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "zeus-bso"}):
        figure.savefig(written[0], dpi=130)
        figure.savefig(written[1], metadata={"Date": None})
    return written
