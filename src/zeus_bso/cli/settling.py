"""When repeated runs of a job may stop: its batch size is confirmed, or none can reach the target."""

from __future__ import annotations

from collections.abc import Sequence

from zeus_bso.protocol.views import BatchSizeView, JobView, TrialView

CONFIRMATIONS = 3
"""The choice of a settled job counts as confirmed when so many runs in a row took it."""


def is_confirmed(job: JobView, trials: Sequence[TrialView]) -> bool:
    """Whether the job is settled, and its latest runs took the chosen batch size.

    Args:
        job: The job.
        trials: Its latest trials, in ascending order.
    """
    latest = trials[-CONFIRMATIONS:]
    confirming = [trial for trial in latest if trial.outcome is not None and trial.batch_size == job.chosen_batch_size]
    return not job.exploring and len(confirming) == CONFIRMATIONS


def none_converges(job: JobView) -> bool:
    """Whether every batch size has been tried, and none has reached the target."""
    if job.chosen_batch_size is not None:
        return False
    return job.no_size_converges or all(_has_failed(size) for size in job.batch_sizes)


def _has_failed(size: BatchSizeView) -> bool:
    return not size.converged and (size.unconverged > 0 or size.retired is not None)
