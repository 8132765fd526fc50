"""What was saved: the formula, its interval, and what must hold whatever the runs were."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zeus_bso.savings import (
    EndedRun,
    LimitedUse,
    Saving,
    Use,
    noise,
    over_time,
    saving,
    saving_with_limits,
    t_quantile,
    total,
)

DEFAULT = 16

used = st.floats(min_value=0, max_value=1e15, allow_nan=False)
runs = st.lists(st.builds(EndedRun, st.sampled_from([8, DEFAULT, 32]), st.booleans(), used, used), max_size=30)
histories = st.builds(
    lambda first, rest: [first, *rest], st.builds(EndedRun, st.just(DEFAULT), st.just(True), used), runs
)


def uses_of(history: list[EndedRun]) -> dict[int, Use]:
    return {
        size: Use.of(run for run in history if run.batch_size == size) for size in {run.batch_size for run in history}
    }


def saving_of(history: list[EndedRun]) -> Saving:
    found = saving(uses_of(history), DEFAULT)
    assert found is not None
    return found


def converged(batch_size: int, *figures: float) -> list[EndedRun]:
    return [EndedRun(batch_size, True, figure) for figure in figures]


def test_without_a_converged_default_run_there_is_no_figure() -> None:
    history = [*converged(8, 5.0, 6.0), EndedRun(DEFAULT, False, 30.0)]

    assert saving(uses_of(history), DEFAULT) is None
    assert over_time(history, DEFAULT, [0, 1, 2]) is None


def test_a_run_saves_what_a_default_run_would_have_used_beyond_it() -> None:
    found = saving_of(converged(DEFAULT, 100.0, 140.0) + converged(8, 50.0, 60.0))

    assert found.saved == pytest.approx(2 * 120.0 - 110.0)
    assert found.per_default_run == 120.0
    assert found.fraction == pytest.approx(130.0 / 480.0)


def test_exploration_that_converged_dearly_counts_against_the_saving() -> None:
    assert saving_of(converged(DEFAULT, 100.0) + converged(8, 250.0)).saved == pytest.approx(-150.0)


def test_stopped_failed_and_discarded_work_is_pure_cost() -> None:
    lost = [EndedRun(8, False, 30.0), EndedRun(DEFAULT, False, 20.0, 5.0), EndedRun(32, True, 100.0, 7.0)]

    found = saving_of(converged(DEFAULT, 100.0) + lost)

    assert found.saved == pytest.approx(-(30.0 + 25.0 + 7.0))
    assert found.lost == pytest.approx(62.0)
    assert found.spent == pytest.approx(262.0)


def test_default_runs_alone_save_exactly_nothing() -> None:
    found = saving_of(converged(DEFAULT, 90.0, 100.0, 130.0))

    assert (found.low, found.saved, found.high) == (0.0, 0.0, 0.0)


def test_one_default_run_gives_a_wide_interval_and_more_give_a_narrower_one() -> None:
    one = saving_of(converged(DEFAULT, 100.0) + converged(8, 50.0))
    many = saving_of(converged(DEFAULT, *[99.0, 101.0] * 10) + converged(8, *[49.5, 50.5] * 10))

    assert (one.saved, many.saved) == pytest.approx((50.0, 1000.0))
    assert one.low < 0 < 2 * one.saved < one.high
    assert many.high - many.low < 0.4 * many.saved


def test_noise_is_pooled_over_sizes_on_the_log_scale() -> None:
    generator = random.Random(1)
    uses = {
        size: Use.of(EndedRun(size, True, math.exp(generator.gauss(level, 0.2))) for _ in range(400))
        for size, level in ((8, 2.0), (DEFAULT, 9.0))
    }

    assert noise(uses.values()).scale == pytest.approx(0.2, rel=0.05)
    assert noise(uses.values()).dof == 4 + 798


@pytest.mark.parametrize(("dof", "tabulated"), [(4, 2.776), (5, 2.571), (8, 2.306), (20, 2.086), (100, 1.984)])
def test_the_quantile_is_students(dof: int, tabulated: float) -> None:
    assert t_quantile(dof) == pytest.approx(tabulated, rel=3e-3)


@pytest.mark.parametrize(("default_runs", "spread"), [(1, 0.1), (3, 0.1), (3, 0.3), (10, 0.3)])
def test_the_interval_covers_what_default_runs_would_have_used(default_runs: int, spread: float) -> None:
    """Of many jobs, at least nine in ten have the truth in their interval."""
    generator = random.Random(7)
    covered, jobs = 0, 400
    for _ in range(jobs):
        defaults = [math.exp(generator.gauss(5, spread)) for _ in range(default_runs)]
        others = [math.exp(generator.gauss(4.5, spread)) for _ in range(12)]
        would_have = sum(math.exp(generator.gauss(5, spread)) for _ in others)
        found = saving_of(converged(DEFAULT, *defaults) + converged(8, *others))
        covered += found.low <= would_have - sum(others) <= found.high
    assert covered >= 0.9 * jobs


@given(histories)
@example([EndedRun(DEFAULT, True, 1.1e-308), EndedRun(8, False, 2.0)])
def test_every_figure_is_a_number_and_lies_in_its_interval(history: list[EndedRun]) -> None:
    found = saving_of(history)

    assert all(
        math.isfinite(figure)
        for figure in (found.saved, found.low, found.high, found.spent, found.lost, found.fraction)
    )
    assert found.low <= found.saved <= found.high
    assert 0 <= found.lost <= found.spent * (1 + 1e-9)


@given(histories)
def test_saved_and_spent_are_what_the_default_would_have_used(history: list[EndedRun]) -> None:
    found = saving_of(history)
    would_have = found.per_default_run * sum(run.converged for run in history)

    assert found.saved + found.spent == pytest.approx(would_have, rel=1e-9, abs=1e-9 * found.spent)


@given(histories)
def test_the_last_point_over_time_is_the_saving(history: list[EndedRun]) -> None:
    found, points = saving_of(history), over_time(history, DEFAULT, [len(history) - 1])

    assert points is not None
    assert len(points) == 1
    assert points[-1].saved == pytest.approx(found.saved, rel=1e-9, abs=1e-9 * found.spent)
    assert points[-1].spent == pytest.approx(found.spent)


@given(histories, st.data())
def test_a_point_over_time_is_the_same_whichever_others_are_asked_for(
    history: list[EndedRun], data: st.DataObject
) -> None:
    everywhere = over_time(history, DEFAULT, range(len(history)))
    some = sorted(data.draw(st.sets(st.sampled_from(range(len(history))))))
    there = over_time(history, DEFAULT, some)

    assert everywhere is not None
    assert there is not None
    for index, point in zip(some, there, strict=True):
        assert point.saved == pytest.approx(everywhere[index].saved, rel=1e-9, abs=1e-9 * point.spent)
        assert point.spent == pytest.approx(everywhere[index].spent)


@given(histories, st.sampled_from([8, DEFAULT, 32]), used)
def test_a_run_that_fails_never_raises_the_saving(history: list[EndedRun], batch_size: int, figure: float) -> None:
    before, after = saving_of(history), saving_of([*history, EndedRun(batch_size, False, figure)])

    assert after.saved == pytest.approx(before.saved - figure, rel=1e-9, abs=1e-9 * after.spent)


@given(histories, st.integers(min_value=-20, max_value=20))
def test_another_unit_changes_the_unit_alone(history: list[EndedRun], power: int) -> None:
    scaled = [
        EndedRun(run.batch_size, run.converged, run.used * 2.0**power, run.wasted * 2.0**power) for run in history
    ]
    found, other = saving_of(history), saving_of(scaled)

    assert other.saved == pytest.approx(found.saved * 2.0**power, rel=1e-6, abs=1e-9 * other.spent)
    assert other.fraction == pytest.approx(found.fraction, rel=1e-6, abs=1e-9)


limited = st.builds(
    EndedRun, st.sampled_from([8, DEFAULT, 32]), st.booleans(), used, used, st.floats(0.5, 2.0), st.floats(-1e3, 1e15)
)
limited_histories = st.builds(
    lambda first, rest: [first, *rest],
    st.builds(EndedRun, st.just(DEFAULT), st.just(True), used, used, st.floats(0.5, 2.0)),
    st.lists(limited, max_size=20),
)


def with_limits(history: list[EndedRun]) -> Saving:
    found = saving_with_limits(
        (LimitedUse(run.batch_size, Use.of([run]), run.full_power, run.profiling) for run in history), DEFAULT
    )
    assert found is not None
    return found


@given(limited_histories)
def test_the_saving_by_sizes_is_that_of_the_same_runs_at_full_power(history: list[EndedRun]) -> None:
    alone = saving_of(
        [replace(run, used=run.used * run.full_power, wasted=run.wasted * run.full_power) for run in history]
    )
    found = with_limits(history)

    spent = sum(run.used + run.wasted + run.profiling for run in history)
    scale = 1e-9 * (alone.spent + abs(spent))
    assert found.saved - found.by_limits == pytest.approx(alone.saved, rel=1e-9, abs=scale)
    assert found.by_limits == pytest.approx(alone.spent - spent, rel=1e-9, abs=scale)
    assert found.spent == pytest.approx(spent, rel=1e-9, abs=scale)
    assert found.low <= found.saved <= found.high


@given(limited_histories)
def test_over_time_too_limits_count_as_in_the_end(history: list[EndedRun]) -> None:
    found, points = with_limits(history), over_time(history, DEFAULT, [0, len(history) - 1])

    assert points is not None
    scale = 1e-9 * (abs(found.spent) + abs(found.by_limits))
    assert points[-1].saved == pytest.approx(found.saved, rel=1e-9, abs=scale)
    assert points[-1].by_limits == pytest.approx(found.by_limits, rel=1e-9, abs=scale)


def test_jobs_add_up_and_their_doubts_in_quadrature() -> None:
    one = Saving(saved=10, low=7, high=14, spent=90, lost=1, per_default_run=50, fraction=0.1)

    both = total([one, one])

    assert both is not None
    assert (both.saved, both.spent, both.lost, both.fraction) == (20, 180, 2, 0.1)
    assert both.low == pytest.approx(20 - 3 * math.sqrt(2))
    assert both.high == pytest.approx(20 + 4 * math.sqrt(2))
    assert total([]) is None
