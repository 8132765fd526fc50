"""The requests about one trial: which rows they lock, which rule decides them, and what is answered. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from zeus_bso.protocol.messages import AskForTrial, Heartbeat, ReportResponse, TrainingResult, TrialEnd, TrialOffer
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.job.randomness import generator
from zeus_bso.server.services import answers, power_rules, trial_rules
from zeus_bso.server.services.locked_job import LockedJob
from zeus_bso.server.services.trial_rules import Decision

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TrialRequest(Generic[T]):
    """A request about one trial.

    Attributes:
        job_id: The job.
        trial_number: The trial, or None where the rule finds it.
        decide: The rule.
        answer: What the client is told of the decision.
        status_code: The answer if there is no such job.
    """

    job_id: str
    trial_number: int | None
    decide: Callable[[LockedJob], Decision]
    answer: Callable[[Decision], T]
    status_code: int = 400


def ask(request: AskForTrial) -> TrialRequest[TrialOffer]:
    """Give the asking run a trial: its own, if its run id has one that goes on, else a new one."""

    def decide(job: LockedJob) -> Decision:
        decision = trial_rules.ask(job, request, generator(job.state))
        # It is read now, within the transaction.
        return replace(decision, power_profile=power_rules.profile_to_offer(decision.job, decision.trial))

    return TrialRequest(request.job_id, None, decide, answers.offer)


def report(result: TrainingResult) -> TrialRequest[ReportResponse]:
    """Record a report, and decide whether the run ends. The first report of an epoch decides."""

    def decide(job: LockedJob) -> Decision:
        return trial_rules.report(job, job.trial(result), result)

    return TrialRequest(result.job_id, result.trial_number, decide, answers.answer)


def end(request: TrialEnd) -> TrialRequest[Trial]:
    """End a trial without a result. A trial that was decided stays as it is."""

    def decide(job: LockedJob) -> Decision:
        return trial_rules.end(job, job.trial(request, status_code=404), request)

    return TrialRequest(request.job_id, request.trial_number, decide, lambda decision: decision.trial, 404)


def heartbeat(beat: Heartbeat) -> TrialRequest[TrialOffer]:
    """Renew a trial's lease. A trial that was given up is open again."""

    def decide(job: LockedJob) -> Decision:
        return trial_rules.heartbeat(job, job.trial(beat, status_code=404), beat)

    return TrialRequest(beat.job_id, beat.trial_number, decide, answers.offer, 404)
