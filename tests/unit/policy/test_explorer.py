"""Pruning: the walk of one round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from zeus_bso.policy.state import Retirement, RoundSlot, SlotState, nearest
from zeus_bso.policy.zeus.explorer import Explore, Explorer, RoundOver, Wait

MISS = "miss"
ERRORS = "errors"
OOM = "oom"

Result = float | str
"""What a size's exploration comes to: its cost if it converges, or why it does not."""


@dataclass
class Walk:
    """What came of a round: the sizes in the order of their exploration, and its end."""

    explored: list[int] = field(default_factory=list)
    end: RoundOver = field(default_factory=lambda: RoundOver((), None))


def walk(explorer: Explorer, results: Mapping[int, Result], retired: Mapping[int, Retirement] | None = None) -> Walk:
    walked, places, out = Walk(), dict[int, RoundSlot](), dict(retired or {})
    for _ in range(len(explorer.sizes) + 1):
        match explorer.decide(places.values(), out):
            case Explore(size):
                walked.explored.append(size)
                result = results[size]
                if isinstance(result, float):
                    places[size] = RoundSlot(size, SlotState.CONVERGED, result)
                elif result == MISS:
                    places[size] = RoundSlot(size, SlotState.UNCONVERGED, 500.0)
                    out[size] = Retirement.MISSED
                elif result == ERRORS:
                    out[size] = Retirement.FAILURES
                else:
                    out |= {larger: Retirement.OOM for larger in explorer.sizes if larger >= size}
            case RoundOver() as end:
                walked.end = end
                return walked
            case Wait():
                pytest.fail("waits, though no exploration is open")
    pytest.fail(f"the walk does not end: {walked.explored}")


def converging(*sizes: int) -> dict[int, Result]:
    return {size: float(1000 + size) for size in sizes}


SIZES = (8, 16, 32, 64, 128)
ALL = converging(*SIZES)


@pytest.mark.parametrize(
    ("start", "results", "explored", "survivors"),
    [
        pytest.param(32, ALL, [32, 16, 8, 64, 128], SIZES, id="down, then up"),
        pytest.param(8, ALL, [8, 16, 32, 64, 128], SIZES, id="from the smallest, up"),
        pytest.param(128, ALL, [128, 64, 32, 16, 8], SIZES, id="from the largest, down"),
        pytest.param(32, {**ALL, 16: MISS}, [32, 16, 64, 128], (32, 64, 128), id="a miss ends the way down"),
        pytest.param(32, {**ALL, 64: MISS}, [32, 16, 8, 64], (8, 16, 32), id="a miss ends the way up"),
        pytest.param(32, {**ALL, 16: MISS, 64: MISS}, [32, 16, 64], (32,), id="misses on both sides"),
        pytest.param(32, {**ALL, 32: MISS}, [32, 64, 128], (64, 128), id="the start belongs to the way down"),
        pytest.param(32, {**ALL, 32: MISS, 64: MISS}, [32, 64], (), id="nothing is left"),
        pytest.param(8, {**ALL, 8: MISS}, [8, 16, 32, 64, 128], SIZES[1:], id="a missing start at the lower end"),
        pytest.param(8, {**ALL, 8: MISS, 16: MISS}, [8, 16], (), id="a start that missed is not replaced"),
        pytest.param(128, {**ALL, 128: MISS}, [128], (), id="a missing start at the upper end"),
        pytest.param(32, {**ALL, 16: ERRORS}, [32, 16, 8, 64, 128], (8, 32, 64, 128), id="errors on the way down"),
        pytest.param(32, {**ALL, 64: ERRORS}, [32, 16, 8, 64], (8, 16, 32), id="errors end the way up"),
        pytest.param(32, {**ALL, 32: ERRORS}, [32, 16, 8, 64, 128], (8, 16, 64, 128), id="errors at the start"),
        pytest.param(32, {**ALL, 64: OOM}, [32, 16, 8, 64], (8, 16, 32), id="oom ends the way up"),
        pytest.param(32, {**ALL, 32: OOM}, [32, 16, 8], (8, 16), id="oom at the start"),
        pytest.param(32, {**ALL, 16: OOM}, [32, 16, 8], (8,), id="oom on the way down leaves the smaller ones"),
    ],
)
def test_the_walk_goes_down_then_up(
    start: int, results: dict[int, Result], explored: list[int], survivors: tuple[int, ...]
) -> None:
    walked = walk(Explorer(SIZES, start), results)

    assert (walked.explored, walked.end.survivors) == (explored, survivors)


@pytest.mark.parametrize(
    ("start", "retired", "explored"),
    [
        pytest.param(32, {32: Retirement.FAILURES}, [16, 8, 64, 128], id="smaller first"),
        pytest.param(32, {32: Retirement.MISSED}, [16, 8, 64, 128], id="retired by a Concurrent miss"),
        pytest.param(32, {32: Retirement.FAILURES, 16: Retirement.FAILURES}, [8, 64, 128], id="two out, smaller first"),
        pytest.param(8, {8: Retirement.FAILURES}, [16, 32, 64, 128], id="none smaller: the next larger"),
        pytest.param(
            16, dict.fromkeys((8, 16, 32), Retirement.FAILURES), [64, 128], id="none smaller: the nearest live larger"
        ),
        pytest.param(128, {64: Retirement.OOM, 128: Retirement.OOM}, [32, 16, 8], id="oom"),
    ],
)
def test_a_retired_start_is_replaced_by_the_nearest_live_size(
    start: int, retired: dict[int, Retirement], explored: list[int]
) -> None:
    assert walk(Explorer(SIZES, start), ALL, retired).explored == explored


def test_the_size_that_replaces_a_retired_start_is_the_start_and_so_its_miss_ends_the_way_down_only() -> None:
    walked = walk(Explorer(SIZES, 8), {**ALL, 16: MISS}, {8: Retirement.FAILURES})

    assert walked.explored == [16, 32, 64, 128]


def test_a_start_that_retires_while_it_is_tried_is_replaced_too() -> None:
    walked = walk(Explorer(SIZES, 8), {**ALL, 8: ERRORS, 16: MISS})

    assert walked.explored == [8, 16, 32, 64, 128]


@pytest.mark.parametrize("out", [16, 64], ids=["on the way down", "on the way up"])
def test_a_size_that_a_concurrent_miss_retired_is_skipped(out: int) -> None:
    walked = walk(Explorer(SIZES, 32), ALL, {out: Retirement.MISSED})

    assert walked.explored == [size for size in (32, 16, 8, 64, 128) if size != out]


def test_a_round_in_which_every_size_is_retired_is_over() -> None:
    assert walk(Explorer(SIZES, 32), ALL, dict.fromkeys(SIZES, Retirement.OOM)).end == RoundOver((), None)


def test_a_job_of_one_size_explores_it() -> None:
    assert walk(Explorer((32,), 32), converging(32)).end == RoundOver((32,), 32)


def test_the_cheapest_survivor_is_told() -> None:
    results: dict[int, Result] = {8: 700.0, 16: 300.0, 32: 500.0, 64: 301.0, 128: MISS}

    assert walk(Explorer(SIZES, 32), results).end == RoundOver((8, 16, 32, 64), 16)


def test_of_equally_cheap_survivors_the_smallest_is_told() -> None:
    assert walk(Explorer((8, 16, 32), 32), dict.fromkeys((8, 16, 32), 100.0)).end.cheapest == 8


def test_a_size_that_converged_and_was_retired_since_is_no_survivor() -> None:
    places = [RoundSlot(16, SlotState.CONVERGED, 100.0), RoundSlot(32, SlotState.CONVERGED, 200.0)]

    assert Explorer((16, 32), 32).decide(places, {16: Retirement.MISSED}) == RoundOver((32,), 32)


@pytest.mark.parametrize("wide", [False, True])
def test_while_an_exploration_is_open_the_walk_waits_for_it(wide: bool) -> None:
    places = [RoundSlot(32, SlotState.CONVERGED, 100.0), RoundSlot(16, SlotState.OPEN)]

    assert Explorer(SIZES, 32, wide).decide(places, {}) == Wait(16)


def test_an_open_exploration_of_a_retired_size_still_holds_its_place() -> None:
    assert Explorer(SIZES, 32).decide([RoundSlot(32, SlotState.OPEN)], {32: Retirement.MISSED}) == Wait(32)


@pytest.mark.parametrize(
    "results",
    [
        pytest.param(ALL, id="all converge"),
        pytest.param(dict.fromkeys(SIZES, MISS), id="all miss"),
        pytest.param(dict.fromkeys(SIZES, ERRORS), id="all fail"),
        pytest.param({**ALL, 32: MISS, 16: ERRORS, 64: MISS}, id="mixed"),
    ],
)
def test_a_wide_round_tries_every_size_outward_from_its_start(results: dict[int, Result]) -> None:
    assert walk(Explorer(SIZES, 32, try_all_sizes=True), results).explored == [32, 16, 64, 8, 128]


def test_a_wide_round_skips_what_does_not_fit_into_memory() -> None:
    walked = walk(Explorer(SIZES, 32, try_all_sizes=True), {**ALL, 64: OOM})

    assert walked.explored == [32, 16, 64, 8]


def test_a_wide_round_keeps_what_converged() -> None:
    results: dict[int, Result] = {8: 90.0, 16: MISS, 32: MISS, 64: MISS, 128: 80.0}

    assert walk(Explorer(SIZES, 32, try_all_sizes=True), results).end == RoundOver((8, 128), 128)


@pytest.mark.parametrize(
    ("anchor", "sizes", "order"),
    [
        (32, [16, 24, 32, 48, 64], [32, 24, 48, 16, 64]),
        (100, [1, 90, 100, 111, 10_000], [100, 111, 90, 1, 10_000]),
        (6, [9, 4], [4, 9]),
        (12, [16, 9], [9, 16]),
        (45, [81, 25], [25, 81]),
    ],
)
def test_nearness_is_in_octaves_and_the_smaller_of_two_equally_near_sizes_is_nearer(
    anchor: int, sizes: list[int], order: list[int]
) -> None:
    assert nearest(sizes, anchor) == order
