from __future__ import annotations

import json

import pytest

from zeus_bso.server.dashboard.charts import Chart, Colours, EnergyUnit, TimeUnit
from zeus_bso.server.dashboard.charts_of_sizes import (
    BelievedCostCurve,
    SizeMeans,
    belief_chart,
    eta_line,
    pareto_front,
    plane_chart,
)

MEANS = [
    SizeMeans(8, 3, energy_j=900.0, time_s=90.0),
    SizeMeans(16, 3, energy_j=500.0, time_s=60.0),
    SizeMeans(32, 3, energy_j=600.0, time_s=40.0),
    SizeMeans(64, 3, energy_j=700.0, time_s=50.0),
]


def test_the_pareto_front_has_the_sizes_that_no_other_beats_in_both() -> None:
    assert [mean.batch_size for mean in pareto_front(MEANS)] == [32, 16]


@pytest.mark.parametrize("eta_knob", [0.0, 0.5, 1.0])
def test_every_point_of_the_eta_line_costs_as_much_as_the_chosen_size(eta_knob: float) -> None:
    line = eta_line(MEANS, 32, eta_knob=eta_knob, max_power_w=20.0)
    costs = [eta_knob * energy_j + (1 - eta_knob) * 20.0 * time_s for time_s, energy_j in line]

    assert len(set(line)) == 2
    assert costs == pytest.approx([eta_knob * 600.0 + (1 - eta_knob) * 20.0 * 40.0] * 2)


def test_without_a_weight_on_anything_there_is_no_line() -> None:
    assert eta_line(MEANS, 32, eta_knob=0.0, max_power_w=0.0) == []
    assert eta_line(MEANS, None, eta_knob=0.5, max_power_w=20.0) == []


def test_a_chart_says_in_words_and_a_table_what_it_shows() -> None:
    beliefs = [BelievedCostCurve(8, 100.0, 80.0, 120.0, 4), BelievedCostCurve(16, None, None, None, 0)]
    chart = belief_chart(beliefs, [], 8, Colours([8, 16]))

    assert chart.summary.startswith("Believed cost of a run at 1 of 2 batch sizes")
    assert "100" in chart.summary
    assert chart.rows == [(8, 100.0, 80.0, 120.0, 4), (16, None, None, None, 0)]
    json.dumps(chart.figure, allow_nan=False)


def test_every_size_has_the_same_colour_in_every_chart() -> None:
    sizes, colours = [8, 16, 32, 64], Colours([64, 32, 8, 16])
    chart = plane_chart(MEANS, [], 32, colours, eta_knob=0.5, max_power_w=20.0)

    assert chart.data[-1]["marker"]["color"] == [colours(size) for size in sizes]
    assert len({colours(size) for size in sizes}) == 4
    assert colours(128) == "var(--muted)"


@pytest.mark.parametrize(
    "chart",
    [belief_chart([], [], None, Colours([8])), plane_chart([], [], None, Colours([8]), eta_knob=0.5, max_power_w=1.0)],
)
def test_a_chart_without_data_says_so_instead_of_drawing_axes(chart: Chart) -> None:
    assert chart.data == ()
    assert chart.summary


def test_units_fit_the_largest_value() -> None:
    assert [EnergyUnit.of([value]).name for value in (0.0, 500.0, 4e3, 4e6, 4e9)] == ["J", "J", "Wh", "kWh", "MWh"]
    assert [TimeUnit.of([value]).name for value in (1.0, 119.0, 600.0, 1e4, 1e6)] == ["s", "s", "min", "h", "d"]
