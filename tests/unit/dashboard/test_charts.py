from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from itertools import combinations, groupby
from typing import Any

import pytest
from tests.support.power import BEST_W, LEAST_ENERGY, searched

from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.savings_views import SavedAmount, SavingsPoint
from zeus_bso.protocol.views import PowerProfileView
from zeus_bso.protocol.words import EnergySource, FailReason, Outcome, TrialStatus, TrialType
from zeus_bso.server.dashboard.chart_of_runs import Baseline, Runs, explored, runs_chart
from zeus_bso.server.dashboard.charts import Chart, Colours, EnergyUnit, TimeUnit, log_axis
from zeus_bso.server.dashboard.charts_of_limits import against_full_power, limits_chart
from zeus_bso.server.dashboard.charts_of_sizes import (
    MANY_RUNS,
    BelievedCostCurve,
    SizeMeans,
    belief_chart,
    eta_line,
    pareto_front,
    plane_chart,
)
from zeus_bso.server.dashboard.charts_over_time import savings_chart
from zeus_bso.server.dashboard.data_table import data_columns
from zeus_bso.server.dashboard.labels import Label, boxes_of, place_labels
from zeus_bso.server.dashboard.queries import SizeCosts, TrialPoint

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


def limited(batch_size: int, windows: int = 1000) -> PowerProfileView:
    """What is known about a batch size whose limits were searched for so many windows."""
    profile = PowerProfile.model_validate(searched(windows))
    best = LEAST_ENERGY.best(profile)
    assert best is not None
    return PowerProfileView(**dict(profile), batch_size=batch_size, best_limit=best.limit, finished=windows > 2)


def drawn_limits(sizes: list[int], chosen: int | None, max_slowdown: float | None = None) -> Chart:
    runs = {size: size % 7 for size in sizes}
    return limits_chart([limited(size) for size in sizes], runs, chosen, Colours(sizes), max_slowdown=max_slowdown)


def test_each_limit_is_compared_with_full_power_of_its_own_size() -> None:
    limits = against_full_power(limited(8))

    assert (limits[0].energy, limits[0].time, limits[0].point.limit) == (1.0, 1.0, 300.0)
    (best,) = (limit for limit in limits if limit.best)
    assert best.point.limit == BEST_W
    assert best.energy == min(limit.energy for limit in limits)
    assert best.energy == pytest.approx(0.5 / 0.25 ** (1 / 3))
    assert best.time == pytest.approx(1 / 0.25 ** (1 / 3))


def test_of_many_sizes_the_chosen_one_and_those_used_most_are_drawn_and_the_table_has_all() -> None:
    sizes = list(range(1, 41))
    chart = drawn_limits(sizes, chosen=28)

    shown = [trace["name"] for trace in chart.data if trace["visible"] is True]
    assert shown == ["6", "13", "20", "28"]
    assert len(chart.data) == 10
    assert "of 40 batch sizes" in chart.summary
    assert "6, 13, 20 and 28 are drawn at first" in chart.summary
    assert {row[0] for row in chart.rows} == set(sizes)
    assert "Of 28, 150\xa0W is the best: 21\xa0% less energy, 59\xa0% more time." in chart.summary
    json.dumps(chart.figure, allow_nan=False)


def test_where_full_power_is_best_the_chart_says_so() -> None:
    profile = limited(8)
    summary = limits_chart(
        [profile.model_copy(update={"best_limit": 300.0})], {8: 1}, 8, Colours([8]), max_slowdown=None
    ).summary

    assert summary.endswith("Of 8, full power (300\xa0W) is the best.")


def test_a_bound_on_the_slowdown_is_drawn() -> None:
    *_, bound = drawn_limits([8, 16], None, max_slowdown=1.25).data

    assert bound["x"] == [125.0, 125.0]
    assert bound["text"] == ["", "\u00a0max_slowdown 1.25"]


def test_limits_without_full_power_are_compared_with_nothing() -> None:
    profile = limited(8)
    without = profile.model_copy(update={"points": profile.points[1:]})

    assert against_full_power(without) == []
    assert limits_chart([without], {}, None, Colours([8]), max_slowdown=1.1).data == ()


def run(number: int, batch_size: int, cost: float | None, **changes: Any) -> TrialPoint:
    """A converged run, or one that failed if it has no cost."""
    failed = cost is None
    known: dict[str, Any] = {
        "trial_number": number,
        "batch_size": batch_size,
        "generation": 1,
        "type": TrialType.MAB,
        "status": TrialStatus.FAILED if failed else TrialStatus.SUCCEEDED,
        "outcome": None if failed else Outcome.CONVERGED,
        "reason": FailReason.ERROR if failed else None,
        "time": 60.0,
        "energy": 30.0,
        "energy_source": EnergySource.COUNTER,
        "cost": cost,
        "power_limit": None,
        "target_reached": not failed,
        "started_at": datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(days=number - 1),
    }
    return TrialPoint(**known | changes)


@pytest.mark.parametrize(("runs", "fainter"), [(20, False), (MANY_RUNS + 1, True)])
def test_the_dots_of_many_runs_are_fainter_than_the_names_among_them(runs: int, fainter: bool) -> None:
    points = [run(number, 8, 40.0) for number in range(1, runs + 1)]
    dots, *_ = plane_chart(MEANS, points, 8, Colours([8]), eta_knob=0.5, max_power_w=20.0).data

    assert (dots["marker"]["opacity"] < 0.5) is fainter


STORY = [run(1, 16, 100.0), run(2, 32, 40.0), run(3, 8, None), run(4, 32, 45.0), run(5, 32, 120.0)]


def told(mean: float | None = 100.0, points: Sequence[TrialPoint] = STORY) -> Chart:
    used = {p.trial_number: p.cost or 30.0 for p in points}
    runs = Runs(points, [p.trial_number for p in STORY], used, frozenset({2, 3}) & used.keys(), EnergySource.COUNTER)
    return runs_chart(runs, Baseline(16, mean), Colours([8, 16, 32]), quantity="cost", shown="5 trials.")


def area(trace: Mapping[str, Any]) -> float:
    """The area of the polygons of a trace, by the shoelace formula."""
    whole, corners = 0.0, list(zip(trace["x"], trace["y"], strict=True))
    for gap, polygon in groupby(corners, key=lambda corner: corner[0] is None):
        if not gap:
            ring = list(polygon)
            whole += abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))) / 2
    return whole


def test_the_areas_are_what_was_saved_and_lost_against_the_default() -> None:
    traces = {trace["name"]: trace for trace in told().data}

    assert area(traces["saved against the default"]) == pytest.approx((100 - 40) + (100 - 45))
    assert area(traces["lost"]) == pytest.approx(30 + (120 - 100))
    assert traces["exploring"]["x"] == [1.5, 1.5, 3.5, 3.5]
    assert traces["default 16: 100\xa0J"]["y"] == [100.0, 100.0]


def test_a_run_keeps_its_place_and_width_where_a_filter_leaves_others_out() -> None:
    chart = told(points=[STORY[1], STORY[3]])
    traces = {trace["name"]: trace for trace in chart.data}

    assert chart.layout["xaxis"]["range"] == [0.5, 5.5]
    assert area(traces["saved against the default"]) == pytest.approx((100 - 40) + (100 - 45))
    assert traces["exploring"]["x"] == [1.5, 1.5, 2.5, 2.5]


def test_in_the_legend_a_kind_of_mark_has_the_colour_of_no_batch_size() -> None:
    named, marks = (trace for trace in told().data if trace["name"] == "failed")

    assert marks["showlegend"] is False
    assert named["legendgroup"] == marks["legendgroup"]
    assert named["marker"]["color"] == "var(--muted)"


def test_a_run_that_is_not_learnt_from_is_hollow_and_named_in_the_legend() -> None:
    chart = told(points=[*STORY[:3], run(4, 32, 45.0, energy_source=EnergySource.ESTIMATE)])
    named, marks = (trace for trace in chart.data if trace["name"] == "not learnt from")

    assert marks["x"] == [4]
    assert marks["marker"]["symbol"] == named["marker"]["symbol"] == "diamond-open"
    assert [trace["x"] for trace in chart.data if trace["name"] == "32"] == [[2]]


def test_without_a_run_of_the_default_only_runs_without_a_result_are_filled_and_the_chart_says_why() -> None:
    chart = told(None)
    traces = {trace["name"]: trace for trace in chart.data}

    assert [trace["name"] for trace in chart.data] == ["exploring", "lost", "16", "32", "failed", "failed"]
    assert area(traces["lost"]) == pytest.approx(30.0)
    assert "nothing to compare with" in chart.summary


def test_a_run_whose_energy_has_another_source_is_in_no_area() -> None:
    chart = told(points=[run(1, 32, 40.0, energy_source=EnergySource.ESTIMATE)])

    assert "saved against the default" not in [trace["name"] for trace in chart.data]


def test_runs_of_the_default_batch_size_are_in_an_area_only_at_a_power_limit_or_without_a_result() -> None:
    names = [trace["name"] for trace in told(points=[run(1, 16, 90.0), run(2, 16, 110.0)]).data]
    limited = told(points=[run(1, 16, 60.0, power_limit=200.0), run(2, 16, None)]).data

    assert not {"saved against the default", "lost"} & set(names)
    assert [area(trace) for trace in limited if trace.get("fill") and trace["name"] != "exploring"] == [40.0, 30.0]


def test_each_mark_tells_of_its_run() -> None:
    _, mark = (trace for trace in told().data if trace["name"] == "failed")

    assert mark["customdata"] == [3]
    assert mark["hovertext"] == ["trial 3, batch size 8<br>crashed, 30.0\xa0J, 1\xa0min<br>2026-01-03 00:00 UTC"]
    assert mark["cliponaxis"] is False


def test_a_run_explores_if_it_does_not_take_the_cheapest_known_size() -> None:
    def numbers(
        points: Sequence[TrialPoint], before: Mapping[int, SizeCosts] = {}, chosen: int | None = None
    ) -> set[int]:
        return set(explored(points, before, default_batch_size=16, chosen=chosen))

    assert numbers(STORY) == {2, 3}
    assert numbers(STORY[3:], {32: SizeCosts(1, 40.0), 8: SizeCosts(1, 10.0)}) == {4, 5}
    assert numbers(STORY[3:], {32: SizeCosts(1, 40.0), 8: SizeCosts(1, 10.0)}, chosen=32) == set()
    assert numbers([run(1, 16, 100.0, type=TrialType.EXPLORATION)], {}) == {1}
    assert numbers([run(1, 32, 10.0), run(2, 32, 10.0), run(3, 16, 10.0, generation=2)], {}) == {1}


def test_a_logarithmic_axis_has_figures_with_units() -> None:
    wide = log_axis("cost", 2.0, 9e6, EnergyUnit.of([9e6]))
    narrow = log_axis("cost", 3.7e3, 30 * 3.6e3, EnergyUnit.of([30 * 3.6e3]))

    assert narrow["ticktext"][:4] == ["1\xa0Wh", "2\xa0Wh", "5\xa0Wh", "10\xa0Wh"]
    assert len(wide["ticktext"]) <= 10
    assert wide["ticktext"][-1] in ("1\xa0kWh", "10\xa0kWh")
    assert not [text for text in wide["ticktext"] if "e" in text]


def test_the_figures_of_a_logarithmic_axis_reach_the_runs_that_cost_less_than_is_believed() -> None:
    beliefs = [BelievedCostCurve(8, 100.0, 80.0, 120.0, 4), BelievedCostCurve(16, 1e4, 5e3, 2e4, 1)]
    chart = belief_chart(beliefs, [run(1, 8, 3.0)], 8, Colours([8, 16]))

    assert min(chart.layout["yaxis"]["tickvals"]) <= 3.0


def test_a_single_batch_size_is_told_by_its_figures_and_not_called_the_best() -> None:
    chart = plane_chart(MEANS[:1], [], 8, Colours([8]), eta_knob=0.5, max_power_w=20.0)
    belief = belief_chart([BelievedCostCurve(8, 100.0, 80.0, 120.0, 4)], [], None, Colours([8]))

    assert (
        chart.summary == "To reach the target, batch size 8 takes 900\xa0J and 1\xa0min\xa030\xa0s, the mean of 3 runs."
    )
    assert belief.summary == "Believed cost of a run."


def test_a_batch_size_is_written_alike_in_charts_and_tables() -> None:
    means = [SizeMeans(1024, 3, energy_j=900.0, time_s=90.0), SizeMeans(2048, 3, energy_j=500.0, time_s=60.0)]
    plane = plane_chart(means, [], 1024, Colours([1024, 2048]), eta_knob=0.5, max_power_w=20.0)
    belief = belief_chart([BelievedCostCurve(1024, 100.0, 80.0, 120.0, 4)], [], None, Colours([1024]))
    runs = told(points=[run(1, 1024, 100.0)])

    assert plane.data[-1]["text"] == ["1\u202f024", "2\u202f048"]
    assert belief.layout["xaxis"]["ticktext"] == ["1\u202f024"]
    assert "1\u202f024" in [trace["name"] for trace in runs.data]


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        (
            (2.0, 1.0, 3.0),
            "Energy saved up to trial 1\u202f234: 2.00\xa0kWh, 95 % interval 1.00\xa0kWh to 3.00\xa0kWh.",
        ),
        ((-2.0, -2.0, -2.0), "Energy lost up to trial 1\u202f234: 2.00\xa0kWh."),
    ],
)
def test_a_loss_is_called_a_loss_below_the_savings_over_time(saved: tuple[float, float, float], said: str) -> None:
    amount = SavedAmount(**dict(zip(("saved", "low", "high"), saved, strict=True)))
    point = SavingsPoint(
        trial_number=1234, batch_size=8, ended_at="2026-01-01T00:00:00Z", energy_kwh=amount, time=amount
    )

    assert savings_chart([point], "", estimated=False).summary == said


def test_before_there_are_savings_to_draw_the_chart_says_what_the_job_says() -> None:
    assert savings_chart([], "Not enough data yet.", estimated=False) == Chart("Not enough data yet.")


def test_the_name_of_the_best_limit_stands_where_no_curve_runs() -> None:
    def place(best_limit: float) -> object:
        profile = limited(8).model_copy(update={"best_limit": best_limit})
        return limits_chart([profile], {8: 1}, 8, Colours([8]), max_slowdown=None).data[0]["textposition"]

    assert (place(BEST_W), place(300.0)) == ("bottom left", "top right")


def test_beliefs_that_span_more_than_a_decade_have_a_logarithmic_scale() -> None:
    beliefs = [BelievedCostCurve(8, 100.0, 90.0, 110.0, 4), BelievedCostCurve(16, 500.0, 200.0, 950.0, 1)]

    assert belief_chart(beliefs, [], 8, Colours([8, 16])).layout["yaxis"]["type"] == "log"


def test_a_logarithmic_axis_has_no_exponent() -> None:
    assert log_axis("cost", 0.1, 1e12, EnergyUnit.of([1e12]))["ticktext"][0] == "0.00001\xa0Wh"


def test_the_figures_of_a_data_table_line_up() -> None:
    table = data_columns(Chart("", ("Limit", "Time (s)", "State"), [(1, 300.0, "a"), (20, 91.25, "b"), (3, None, "c")]))

    assert [column.cells for column in table] == [["1", "20", "3"], ["300.00", "91.25", "\u2013"], ["a", "b", "c"]]
    assert [column.numeric for column in table] == [True, True, False]


def test_labels_overlap_neither_each_other_nor_a_mark_and_stay_inside() -> None:
    labels = [Label(str(8 << n), 0.5 + 0.02 * (n % 3), 0.03 + 0.1 * (n // 2)) for n in range(9)]
    boxes = [boxes_of(label)[place] for label, place in zip(labels, place_labels(labels), strict=True) if place]

    assert len(boxes) >= 6
    assert not [one for one, other in combinations(boxes, 2) if one.overlaps(other)]
    assert all(box.low >= 0 for box in boxes)
    assert place_labels([Label("64", 0.5, 0.5)] * 9) == [
        "top center",
        "bottom center",
        "middle right",
        "middle left",
        "top right",
        "top left",
        "bottom right",
        "bottom left",
        None,
    ]
