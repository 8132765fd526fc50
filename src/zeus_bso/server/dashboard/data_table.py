"""The data of a chart as a table of texts, whose figures line up in their columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zeus_bso import units
from zeus_bso.server.dashboard.charts import Cell, Chart

DIGITS = 6
"""The largest figure of a column has so many significant digits."""

MOST_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class DataColumn:
    """A column of a table.

    Attributes:
        title: Its heading.
        numeric: Whether it has numbers.
        cells: Its texts.
    """

    title: str
    numeric: bool
    cells: Sequence[str]


def data_columns(chart: Chart) -> list[DataColumn]:
    """The columns of a chart's table."""
    columns = zip(chart.columns, zip(*chart.rows, strict=True), strict=False)
    return [DataColumn(title, any(map(_is_number, cells)), _texts(cells)) for title, cells in columns]


def _texts(cells: Sequence[Cell]) -> list[str]:
    decimals = _decimals([cell for cell in cells if isinstance(cell, float)])
    return [_text(cell, decimals) for cell in cells]


def _text(cell: Cell, decimals: int) -> str:
    if cell is None:
        return units.NOTHING
    if isinstance(cell, float):
        return units.fixed(cell, decimals)
    return units.count(cell) if isinstance(cell, int) else cell


def _decimals(values: Sequence[float]) -> int:
    """The decimals that the largest figure has with its significant digits, without those that are zeros in all."""
    most = max(map(abs, values), default=0.0)
    if not most or not math.isfinite(most):
        return 0
    decimals = min(max(DIGITS - 1 - math.floor(math.log10(most)), 0), MOST_DECIMALS)
    while decimals and all(round(value, decimals) == round(value, decimals - 1) for value in values):
        decimals -= 1
    return decimals


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float)
