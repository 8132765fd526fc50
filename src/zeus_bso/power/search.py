"""Which power limit to measure next: from coarse to fine, and the two best twice."""

from __future__ import annotations

import math
from collections.abc import Sequence

from zeus_bso.power.goal import PowerGoal
from zeus_bso.protocol.power import MAX_POINTS, PowerProfile

STEP_W = 25.0
"""Distance of two limits [W]. A GPU with a wide range has wider steps, so that a profile stays small."""

_COARSE = 6
"""Number of limits of the first, coarse pass."""

_CLEARLY = 1.02
"""A limit is clearly worse than the best if a unit of work costs so many times as much."""

_ABOUT = 1.005
"""Limits cost about the same if they differ by no more than this factor."""

_WORSE_IN_ROW = 2
"""The coarse pass ends after so many clearly worse limits in a row."""

_REPEATED = 2
"""The best limits are measured at least so often, because a single window may be noisy."""


_ENOUGH = 24
"""The search ends after so many windows. Only noise that hides the best limit makes it that long."""


def limits_w(lowest_w: float, highest_w: float) -> list[float]:
    """The limits to choose from, in descending order: full power, and below it the multiples of a step [W].

    Args:
        lowest_w: The lowest limit that may be set [W].
        highest_w: The highest one [W].
    """
    step_w = STEP_W * max(1, math.ceil((highest_w - lowest_w) / STEP_W / (MAX_POINTS - 2)))
    below = math.ceil(highest_w / step_w) - 1
    rungs = [step_w * multiple for multiple in range(below, 0, -1)]
    return [highest_w, *(limit for limit in rungs if limit >= lowest_w)]


def next_limit(profile: PowerProfile, goal: PowerGoal) -> float | None:
    """The limit to measure next [W]. None if the best one is known.

    Cost is taken to have one minimum over the limits. The first pass goes down from full power in wide steps, and stops
    where it has become clearly worse. The second halves the steps around the best limit. At the end the two best limits
    are measured again.

    Args:
        profile: What was measured so far.
        goal: How limits are judged.
    """
    if sum(point.windows for point in profile.points) >= _ENOUGH:
        return None
    grid = limits_w(profile.lowest, profile.highest)
    known = {limit: goal.judge(profile, point) for limit in grid if (point := profile.at(limit)) is not None}
    stride = math.ceil(len(grid) / _COARSE)
    coarse = _next_coarse([*grid[::stride], *grid[-1:]], known)
    if coarse is not None:
        return coarse
    fine = _next_fine(grid, known, stride)
    return fine if fine is not None else _next_repeated(profile, known)


def merged(stored: PowerProfile | None, told: PowerProfile, goal: PowerGoal) -> PowerProfile:
    """What is known after a run has told its profile.

    A profile that was measured anew replaces an older one, and one up to a higher limit replaces one that some
    administrator's limit has cut off. Otherwise, a profile in which the best limit is known is not replaced by one that
    has just begun. Two that have both begun are joined, if they speak of the same limits and unit of work.

    Args:
        stored: What was known. None if nothing was.
        told: What the run knows.
        goal: How limits are judged.
    """
    if stored is None:
        return told
    if _rank(stored) != _rank(told):
        return max((stored, told), key=_rank)
    for profile in (told, stored):
        if next_limit(profile, goal) is None:
            return profile
    return _joined(stored, told) if (stored.unit, stored.lowest) == (told.unit, told.lowest) else told


def _rank(profile: PowerProfile) -> tuple[int, float]:
    return profile.revision, profile.highest


def _joined(stored: PowerProfile, told: PowerProfile) -> PowerProfile:
    points = {point.limit: point for point in stored.points}
    for point in told.points:
        if point.limit not in points or points[point.limit].windows <= point.windows:
            points[point.limit] = point
    ordered = sorted(points.values(), key=lambda point: -point.limit)
    return told.model_copy(update={"points": tuple(ordered)})


def _next_coarse(coarse: Sequence[float], known: dict[float, float]) -> float | None:
    worse, best = 0, math.inf
    for limit in coarse:
        if limit not in known:
            return limit
        best = min(best, known[limit])
        worse = worse + 1 if known[limit] > _CLEARLY * best else 0
        if worse == _WORSE_IN_ROW or known[limit] == math.inf:
            return None
    return None


def _next_fine(grid: Sequence[float], known: dict[float, float], stride: int) -> float | None:
    # High limits that a training does not draw cost the same. The best limit lies at the lower end of such a range.
    least = min(known.values())
    place = grid.index(min(limit for limit in known if known[limit] <= _ABOUT * least))
    while stride > 1:
        stride = math.ceil(stride / 2)
        for beside in (place + stride, place - stride):
            if 0 <= beside < len(grid) and grid[beside] not in known:
                return grid[beside]
    return None


def _next_repeated(profile: PowerProfile, known: dict[float, float]) -> float | None:
    usable = sorted((limit for limit in known if known[limit] < math.inf), key=lambda limit: (known[limit], -limit))
    for limit in usable[:2]:
        point = profile.at(limit)
        if point is not None and point.windows < _REPEATED:
            return limit
    return None
