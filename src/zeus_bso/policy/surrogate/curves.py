"""Learning curves: how fast a run passes the metric levels that a reference run has passed."""

from __future__ import annotations

import math
from collections.abc import Iterator

from zeus_bso.policy.state import Curve, Knobs

MAX_LEVELS = 64
"""A reference curve has at most so many points."""

NEW_WEIGHT = 0.3
"""Weight of the latest run in a reference curve."""

EVERY_EPOCH_TO = 100
"""Up to this epoch a curve is looked at whenever it grows; from there on whenever it has grown by one per cent."""

WARM_UP_SHARE = 0.1
"""The first part of the reference's epochs, which tells little about how fast a run converges in the end."""

ReferenceCurve = tuple[tuple[float, float], ...]
"""Metric levels, each with the epoch at which it is passed; later levels are nearer to the target."""


def is_due(epoch_before: int, epoch: int) -> bool:
    """Whether the curve of a run is to be looked at again, at this epoch.

    So a run of any length reads its curve some hundred times, not as often as it reports.

    Args:
        epoch_before: Epoch of the report before.
        epoch: Epoch of this report.
    """
    if epoch <= EVERY_EPOCH_TO:
        return True
    growth = math.log1p(1 / EVERY_EPOCH_TO)
    return int(math.log(epoch) / growth) > int(math.log(max(epoch_before, 1)) / growth)


def reference_curve(knobs: Knobs, curve: Curve) -> ReferenceCurve:
    """The levels that a converged run passed on its way; the last one is the target."""
    points: list[tuple[float, float]] = []
    for epoch, level in _improvements(knobs, curve):
        reached = _at_least(knobs, level, knobs.target_metric)
        points.append((knobs.target_metric if reached else level, float(epoch)))
        if reached:
            break
    if len(points) <= MAX_LEVELS:
        return tuple(points)
    step = (len(points) - 1) / (MAX_LEVELS - 1)
    return tuple(points[round(index * step)] for index in range(MAX_LEVELS))


def blended(knobs: Knobs, reference: ReferenceCurve, curve: Curve) -> ReferenceCurve:
    """The reference after one more converged run: its levels stay, their epochs move towards the run's.

    A run without a curve changes nothing.
    """
    if not curve:
        return reference
    if not reference:
        return reference_curve(knobs, curve)
    passed = list(_improvements(knobs, curve))
    last = float(curve[-1][0])
    blend: list[tuple[float, float]] = []
    for level, epoch in reference:
        new = next((float(at) for at, best in passed if _at_least(knobs, best, level)), last)
        blend.append((level, (1 - NEW_WEIGHT) * epoch + NEW_WEIGHT * new))
    return tuple(blend)


def slowness(knobs: Knobs, reference: ReferenceCurve, curve: Curve) -> float:
    """How many times more epochs a run needs than the reference, as far as can be told: at least so many.

    The largest ratio, over the reference's levels, of the epochs that the run survived without passing the level to
    the epoch at which the reference passed it; 0 where nothing can be told.
    """
    passed = list(_improvements(knobs, curve))
    ratio = 0.0
    warm_up = WARM_UP_SHARE * reference[-1][1] if reference else 0.0
    for level, reference_epoch in reference:
        if reference_epoch < warm_up:
            continue
        survived = 0
        at = next((epoch for epoch, best in passed if _at_least(knobs, best, level)), None)
        for epoch, _ in curve:
            if at is not None and epoch >= at:
                break
            survived = epoch
        ratio = max(ratio, survived / reference_epoch)
    return ratio


def _improvements(knobs: Knobs, curve: Curve) -> Iterator[tuple[int, float]]:
    """The evaluations that were better than all before."""
    best: float | None = None
    for epoch, metric in curve:
        if metric is not None and (best is None or (metric != best and _at_least(knobs, metric, best))):
            best = metric
            yield max(1, epoch), metric


def _at_least(knobs: Knobs, metric: float, level: float) -> bool:
    return metric >= level if knobs.higher_is_better_metric else metric <= level
