"""The application: load, decide, save."""

from __future__ import annotations

import logging

from zeus_bso.policy.generation import begin_generation
from zeus_bso.protocol.job_spec import JobSettings, settings
from zeus_bso.protocol.messages import AskForTrial, Heartbeat, ReportResponse, TrainingResult, TrialEnd, TrialOffer
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.job.models import JobState
from zeus_bso.server.job.randomness import generator
from zeus_bso.server.logs import log_fields
from zeus_bso.server.services import power_rules, trial_rules
from zeus_bso.server.services.answers import answer, offer
from zeus_bso.server.services.service import ZeusService
from zeus_bso.server.services.trial_rules import Decision, Step
from zeus_bso.server.unit_of_work import UnitOfWork

logger = logging.getLogger(__name__)


class ZeusBatchSizeOptimizer:
    """Decides what each recurrence of a job runs, and when it ends; every method is one transaction.

    Args:
        service: The state of the jobs.
    """

    def __init__(self, service: ZeusService) -> None:
        self._service = service

    @classmethod
    def of(cls, unit: UnitOfWork) -> ZeusBatchSizeOptimizer:
        """The optimizer within a transaction."""
        return cls(unit.service)

    def ask(self, request: AskForTrial) -> TrialOffer:
        """Give the asking run a trial: its own, if its run id has one that goes on, else a new one.

        Raises:
            UnknownJobError: There is no such job.
            SupersededError: Another process that is alive runs the trial of this run id.
        """
        job = self._service.lock(request.job_id)
        decision = self._save(trial_rules.ask(job, request, generator(job.state)))
        return offer(decision, power_rules.profile_to_offer(decision.job, decision.trial))

    def report(self, result: TrainingResult) -> ReportResponse:
        """Record a report, and decide whether the run ends.

        The first report of an epoch decides; any other gets the stored answer.

        Raises:
            UnknownJobError: There is no such job.
            UnknownTrialError: There is no such trial.
            SupersededError: Another process runs the trial.
            RefusedResultError: A converged run that cost nothing.
        """
        job = self._service.lock(result.job_id)
        return answer(self._save(trial_rules.report(job, job.trial(result), result)))

    def end(self, request: TrialEnd) -> Trial:
        """End a trial without a result; a trial that was decided stays as it is.

        Raises:
            UnknownJobError: There is no such job.
            UnknownTrialError: There is no such trial.
            SupersededError: Another process runs the trial.
        """
        job = self._service.lock(request.job_id, status_code=404)
        return self._save(trial_rules.end(job, job.trial(request, status_code=404), request)).trial

    def heartbeat(self, beat: Heartbeat) -> TrialOffer:
        """Renew a trial's lease; one that was given up is open again.

        Raises:
            UnknownJobError: There is no such job.
            UnknownTrialError: There is no such trial.
            SupersededError: Another process runs the trial.
        """
        job = self._service.lock(beat.job_id, status_code=404)
        return offer(self._save(trial_rules.heartbeat(job, job.trial(beat, status_code=404), beat)))

    def change_settings(self, job_id: str, changes: JobSettings) -> JobState:
        """Change the settings that are given, and leave the others.

        Raises:
            UnknownJobError: There is no such job.
        """
        job = self._service.get_job(job_id, for_update=True, status_code=404)
        changed = settings(job.spec) | changes.model_dump(exclude_unset=True)
        return self._service.change_settings(job, JobSettings.model_validate(changed))

    def reset(self, job_id: str) -> JobState:
        """Forget what was learnt and begin a new generation; trials stay on record, open ones no longer steer.

        Raises:
            UnknownJobError: There is no such job.
        """
        job = self._service.lock(job_id, status_code=404)
        progress, sizes = begin_generation(job.knobs, job.state.progress, job.sizes, forget_oom=True)
        job = job.with_state(progress=progress, rng_state=None).with_sizes(sizes)
        self._service.save(job)
        return job.state

    def delete(self, job_id: str) -> None:
        """Delete a job with its trials.

        Raises:
            UnknownJobError: There is no such job.
        """
        self._service.delete_job(self._service.get_job(job_id, for_update=True, status_code=404))

    def _save(self, decision: Decision) -> Decision:
        self._service.save(decision.job)
        _log(decision)
        return decision


def _log(decision: Decision) -> None:
    """Say what has begun or ended; what only goes on is no news."""
    trial, step = decision.trial, decision.step
    told: dict[str, object]
    if step is Step.BEGIN:
        told = {"type": trial.type.value, "generation": trial.generation}
    elif step is Step.FAIL:
        told = {"failed": trial.reason.value if trial.reason else None}
    elif step is Step.RECORD and trial.outcome is not None:
        told = {"outcome": trial.outcome.value, "cost": trial.cost}
    else:
        return
    log_fields(logger, job=trial.job_id, trial=trial.trial_number, batch_size=trial.batch_size, **told)
