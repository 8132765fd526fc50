"""What a report says that is not known yet."""

from __future__ import annotations

from zeus_bso.common import Outcome, TrainingResult
from zeus_bso.policy.early_stop import NON_FINITE_LIMIT
from zeus_bso.server.batch_size_state.models import Trial


def is_news(trial: Trial, result: TrainingResult) -> bool:
    """Whether a report is taken in; any other gets the stored answer."""
    new_epoch = not trial.reported or result.current_epoch > trial.current_epoch
    return result.final or new_epoch or takes_metric(trial, result)


def takes_metric(trial: Trial, result: TrainingResult) -> bool:
    """Whether a report of a known epoch is judged by its own metric.

    It is when the client has decided by it, and when it is a further evaluation by the process that runs the trial.
    """
    if result.decided is not None:
        return True
    same = result.within_epoch and result.current_epoch == trial.current_epoch and result.instance == trial.instance
    # What is sent again has taken no more time.
    return same and result.instance is not None and result.time > trial.time


def count_non_finite(trial: Trial, result: TrainingResult) -> int:
    """Metrics in a row before this one that were not finite; those of an outage only the client has counted."""
    return NON_FINITE_LIMIT - 1 if result.decided is Outcome.DIVERGED else trial.non_finite_in_row
