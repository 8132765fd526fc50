"""What a client is told about its trial, or its past runs. Pure."""

from __future__ import annotations

from collections import Counter

from zeus_bso.protocol.messages import ReportResponse, TrialOffer
from zeus_bso.protocol.past_runs import PastRunsTaken, PastRunUse
from zeus_bso.protocol.words import Outcome
from zeus_bso.server.services import past_run_rules
from zeus_bso.server.services.past_run_rules import Taken
from zeus_bso.server.services.trial_rules import Decision, Step
from zeus_bso.units import counted, plain


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


def past_runs_taken(taken: Taken, *, dry_run: bool) -> PastRunsTaken:
    """The answer to past runs: what they teach, or would teach."""
    learnt = past_run_rules.learnt(taken.observations)
    return PastRunsTaken(
        job_id=taken.job.job_id,
        dry_run=dry_run,
        added=len(taken.observations),
        known=taken.known,
        learnt=dict(learnt),
        estimated=sum(each.estimated for each in taken.observations),
        batch_sizes=past_run_rules.by_size(taken.observations),
        message=_lessons_message(taken, learnt, dry_run=dry_run),
        note=_FOR_ZEUS if taken.job.state.spec.policy == "zeus" else None,
    )


_FOR_ZEUS = (
    "The policy zeus learns from its own trials only. Past runs of the default batch size serve the baseline of its "
    "savings."
)

_LESSONS = {
    PastRunUse.RUN: "like the job's own runs",
    PastRunUse.EPOCHS: "for the belief about epochs only",
    PastRunUse.COST: "for the baseline of the savings only",
    PastRunUse.NOTHING: "on record only",
}
"""What runs are used for, in words."""


def _lessons_message(taken: Taken, learnt: Counter[PastRunUse], *, dry_run: bool) -> str:
    known = f" {plain(counted(taken.known, 'run'))} known already." if taken.known else ""
    if not taken.observations:
        return f"No run is new.{known}"
    used = "; ".join(f"{learnt[lesson]} {what}" for lesson, what in _LESSONS.items() if learnt[lesson])
    would = "would be added" if dry_run else "added"
    return f"{plain(counted(len(taken.observations), 'run'))} {would}: {used}.{known}"
