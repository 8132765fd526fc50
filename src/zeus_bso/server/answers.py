"""What a client is told about its trial."""

from __future__ import annotations

from zeus_bso.common import Outcome, ReportResponse, TrialStatus
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.job.models import JobState
from zeus_bso.server.services.service import RETURNING


def answer(trial: Trial) -> ReportResponse:
    """The answer to a report, by what the trial has come to."""
    return ReportResponse(
        stop_train=trial.status is TrialStatus.SUCCEEDED or ended_for_good(trial),
        converged=trial.outcome is Outcome.CONVERGED,
        message=trial.message or "Go on training.",
        outcome=trial.outcome,
        target_reached=trial.target_reached,
    )


def stored_answer(trial: Trial) -> ReportResponse:
    """The answer to a report that is no news."""
    told = answer(trial)
    if not told.stop_train:
        return told
    return told.model_copy(update={"message": f"Already reported: {told.message}"})


def ended_for_good(trial: Trial) -> bool:
    """Whether a trial Failed and stays so, even if it is heard of."""
    return trial.status is TrialStatus.FAILED and trial.reason not in RETURNING


def foreign_message(job: JobState, trial: Trial) -> str:
    """Why a decided trial taught nothing."""
    theirs, ours = trial.energy_source, job.energy_source
    return (
        f"Not learnt from: its energy rests on '{theirs.value if theirs else None}', "
        f"the job's on '{ours.value if ours else None}'."
    )
