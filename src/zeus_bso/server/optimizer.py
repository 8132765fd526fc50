"""The application: load, decide, save."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from zeus_bso.exceptions import ZeusBSOServerError
from zeus_bso.policy.generation import begin_generation
from zeus_bso.protocol.job_spec import JobSettings, settings
from zeus_bso.protocol.past_runs import PastRuns, PastRunsTaken
from zeus_bso.server.job.models import JobState
from zeus_bso.server.logs import log_fields
from zeus_bso.server.services import answers, past_run_rules
from zeus_bso.server.services.locked_job import LockedJob
from zeus_bso.server.services.service import ZeusService
from zeus_bso.server.services.trial_requests import TrialRequest
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

    def decide(self, request: TrialRequest[Any]) -> Decision:
        """Decide a request about a trial.

        Raises:
            UnknownJobError: There is no such job.
            UnknownTrialError: There is no such trial.
            SupersededError: Another process runs the trial.
            RefusedResultError: A converged run that cost nothing.
        """
        job = self._service.lock(request.job_id, trial_number=request.trial_number, status_code=request.status_code)
        decision = request.decide(job)
        self._service.save([decision.job])
        return decision

    def decide_together(self, requests: Sequence[TrialRequest[Any]]) -> list[Decision | ZeusBSOServerError | None]:
        """Decide requests about different jobs, without waiting for a lock.

        Returns:
            The decision about each, or why it was refused. None: its job or its trial is locked, or not there.
        """
        jobs = self._service.lock_free({request.job_id: request.trial_number for request in requests})
        found = [_decided(request, jobs.get(request.job_id)) for request in requests]
        self._service.save([decision.job for decision in found if isinstance(decision, Decision)])
        return found

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
        self._service.save([job])
        return job.state

    def take_past_runs(self, told: PastRuns) -> PastRunsTaken:
        """Take past runs in, or say only what they would teach.

        Raises:
            UnknownJobError: There is no such job.
            RefusedRunsError: Runs cannot be of this job, or say nothing. Nothing is stored.
        """
        found = self._service.unlocked if told.dry_run else self._service.lock
        job = found(told.job_id, status_code=404)
        taken = past_run_rules.take(job, told, self._service.known_past_runs(told))
        if not told.dry_run and taken.observations:
            self._service.save_past_runs(taken)
        return answers.past_runs_taken(taken, dry_run=told.dry_run)

    def delete(self, job_id: str) -> None:
        """Delete a job with its trials.

        Raises:
            UnknownJobError: There is no such job.
        """
        self._service.delete_job(self._service.get_job(job_id, for_update=True, status_code=404))


def _decided(request: TrialRequest[Any], job: LockedJob | None) -> Decision | ZeusBSOServerError | None:
    try:
        return None if job is None else request.decide(job)
    except ZeusBSOServerError as error:
        return error


def log_decision(decision: Decision) -> None:
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
