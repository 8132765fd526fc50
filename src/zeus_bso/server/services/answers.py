"""What a client is told about its trial. Pure."""

from __future__ import annotations

from zeus_bso.protocol.messages import ReportResponse, TrialOffer
from zeus_bso.protocol.words import Outcome
from zeus_bso.server.services.trial_rules import Decision, Step


def answer(decision: Decision) -> ReportResponse:
    """The answer to a report, by what the trial has come to."""
    trial = decision.trial
    message = trial.message or "Go on training."
    return ReportResponse(
        stop_train=decision.step is Step.KEEP or not trial.open,
        converged=trial.outcome is Outcome.CONVERGED,
        message=f"Trial {trial.trial_number} is already reported. {message}" if decision.step is Step.KEEP else message,
        outcome=trial.outcome,
        target_reached=trial.target_reached,
    )


def offer(decision: Decision) -> TrialOffer:
    """The answer to an ask or a heartbeat, by what it came to."""
    job, trial = decision.job, decision.trial
    bounded = job.is_current_generation(trial)
    return TrialOffer(
        job_id=job.job_id,
        batch_size=trial.batch_size,
        trial_number=trial.trial_number,
        lease_s=job.lease_s(trial.heartbeat_s),
        resumed=decision.step is not Step.BEGIN,
        finished=trial.outcome is Outcome.CONVERGED,
        time=trial.time,
        energy=trial.energy,
        current_epoch=trial.current_epoch,
        cost_bound=job.policy.cost_bound(job.knobs, job.state.progress, uncapped=trial.uncapped) if bounded else None,
        epoch_bound=trial.epoch_bound if bounded else None,
        message=trial.message or None,
        power_profile=decision.power_profile,
    )
