"""Learning curves as trackers have them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from zeus_bso.cli.importing.rows import Curve
from zeus_bso.protocol.words import INT32_MAX


def as_epochs(points: Iterable[tuple[int, float | None]], max_epochs: int) -> Curve:
    """A curve by epochs, from steps and metrics in any order; of a step that comes twice the last metric counts.

    Steps are epochs, counted from 0 or 1. If one exceeds ``max_epochs`` of the job, they are taken to count batches,
    and the n-th evaluation is that of the n-th epoch.

    Args:
        points: Steps and metrics.
        max_epochs: The largest number of epochs of a run.
    """
    by_step = {step: metric for step, metric in points if 0 <= step < INT32_MAX}
    steps = sorted(by_step)
    if not steps:
        return ()
    begin = 0 if steps[0] > 0 else 1
    epochs = [step + begin for step in steps] if steps[-1] + begin <= max_epochs else range(1, len(steps) + 1)
    metrics = (by_step[step] for step in steps)
    return [
        (epoch, metric if metric is not None and math.isfinite(metric) else None)
        for epoch, metric in zip(epochs, metrics, strict=True)
    ]
