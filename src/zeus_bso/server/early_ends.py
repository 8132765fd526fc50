"""Runs whose script trains less than ``max_epochs``: each looks like a failure of its batch size."""

from __future__ import annotations

from zeus_bso.common import Outcome
from zeus_bso.policy.early_stop import Verdict
from zeus_bso.server.job.models import JobState
from zeus_bso.server.services.service import ZeusService


def told_of_max_epochs(service: ZeusService, job: JobState, epoch: int, verdict: Verdict) -> str:
    """The verdict's message; that of the second run in a row that ended below ``max_epochs`` names it, once."""
    if not _ended_early(job, verdict.outcome, epoch):
        return verdict.message
    early = [_ended_early(job, trial.outcome, trial.current_epoch) for trial in service.latest_decided(job, 2)]
    if early not in ([True], [True, False]):
        return verdict.message
    return (
        f"{verdict.message} The run before ended below max_epochs ({job.spec.max_epochs}) too: set max_epochs to what "
        "the script trains at most, or let it train longer."
    )


def _ended_early(job: JobState, outcome: Outcome | None, epoch: int) -> bool:
    return outcome is Outcome.TARGET_MISSED and epoch < job.spec.max_epochs
