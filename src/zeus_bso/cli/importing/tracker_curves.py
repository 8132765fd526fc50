"""Learning curves as trackers have them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from zeus_bso.cli.importing.rows import Curve
from zeus_bso.protocol.words import INT32_MAX


def count_batches(histories: Iterable[Iterable[tuple[int, float | None]]], max_epochs: int) -> bool:
    """Whether the steps of a source count batches: one of them would be an epoch beyond ``max_epochs`` of the job.

    Args:
        histories: Steps and metrics of all runs. They are read up to the first such step.
        max_epochs: The largest number of epochs of a run.
    """
    return any(curve[-1][0] > max_epochs for curve in map(as_epochs, histories) if curve)


def as_epochs(points: Iterable[tuple[int, float | None]], *, batches: bool = False) -> Curve:
    """A curve by epochs, from steps and metrics in any order; of a step that comes twice the last metric counts.

    Args:
        points: Steps and metrics.
        batches: Steps count batches, and the n-th evaluation is that of the n-th epoch. Else they are epochs, counted
            from 0 or 1.
    """
    by_step = {step: metric for step, metric in points if 0 <= step < INT32_MAX}
    steps = sorted(by_step)
    begin = 0 if steps and steps[0] > 0 else 1
    epochs = range(1, len(steps) + 1) if batches else [step + begin for step in steps]
    metrics = (by_step[step] for step in steps)
    return [
        (epoch, metric if metric is not None and math.isfinite(metric) else None)
        for epoch, metric in zip(epochs, metrics, strict=True)
    ]


def meaning_of_steps(*, batches: bool) -> str:
    """What the steps of a source were taken for, in a sentence."""
    if not batches:
        return "The steps of all curves are read as epochs."
    return (
        "A step exceeds the job's max_epochs, so the steps of all curves are read as batches: the n-th evaluation of a "
        "run is that of its n-th epoch."
    )
