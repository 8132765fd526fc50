"""The application: load, ask the policy, apply."""

from __future__ import annotations

import logging
from dataclasses import replace

from zeus_bso.common import (
    AskForTrial,
    EnergySource,
    FailReason,
    Heartbeat,
    JobSettings,
    Outcome,
    ReportResponse,
    TrainingResult,
    TrialEnd,
    TrialOffer,
    TrialStatus,
    TrialType,
)
from zeus_bso.exceptions import RefusedResultError, SupersededError
from zeus_bso.policy.early_stop import judge_alone
from zeus_bso.policy.generation import begin_generation
from zeus_bso.policy.values import Run, Sizes
from zeus_bso.server.answers import answer, ended_for_good, foreign_message, stored_answer
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.best_known import best_known
from zeus_bso.server.early_ends import told_of_max_epochs
from zeus_bso.server.job.models import JobState
from zeus_bso.server.job.randomness import generator, state_to_keep
from zeus_bso.server.logs import log_fields
from zeus_bso.server.news import count_non_finite, is_news, takes_metric
from zeus_bso.server.services.commands import RecordResult, Snapshot, TakeUpTrial
from zeus_bso.server.services.lease import silence_left_s
from zeus_bso.server.services.service import RETURNING, ZeusService

logger = logging.getLogger(__name__)

FOREIGN_SOURCES_TO_SWITCH = 3
"""After so many decided trials in a row with readings of another source, the job goes over to that source."""


class ZeusBatchSizeOptimizer:
    """Decides what each recurrence of a job runs, and when it ends; every method is one transaction.

    Args:
        service: The state of the jobs.
    """

    def __init__(self, service: ZeusService) -> None:
        self._service = service

    def ask(self, request: AskForTrial) -> TrialOffer:
        """Give the asking recurrence a trial: its own, if its run id has an open one, else a new one.

        Raises:
            UnknownJobError: There is no such job.
            SupersededError: Another process that is alive runs the trial of this run id.
        """
        job = self._service.get_job(request.job_id, for_update=True)
        before = self._service.with_sizes(job)
        after = self._service.expire_leases(before)
        after, trial = self._resume(after, request)
        resumed = trial is not None
        if trial is None:
            after, trial = self._begin(after, request)
        self._service.save(before, after)
        return self._offer(after.job, trial, resumed=resumed)

    def report(self, result: TrainingResult) -> ReportResponse:
        """Take a report in, and decide whether the run ends.

        The first report of an epoch decides; any other gets the stored answer.

        Raises:
            UnknownJobError: There is no such job.
            UnknownTrialError: There is no such trial.
            SupersededError: Another process runs the trial.
            RefusedResultError: A converged run that cost nothing.
        """
        job = self._service.get_job(result.job_id, for_update=True)
        trial = self._service.get_trial(job, result)
        _refuse_superseded(trial, result.instance)
        if trial.status is TrialStatus.SUCCEEDED or ended_for_good(trial):
            return stored_answer(trial)
        if not trial.open:
            before = self._service.with_sizes(job)
            after, trial = self._service.reopen(before, trial)
            self._service.save(before, after)
        if not is_news(trial, result):
            return stored_answer(self._service.renew(job, trial))
        return self._take_in(job, trial, result)

    def end(self, request: TrialEnd) -> Trial:
        """End a trial without a result; a trial that was decided stays as it is.

        Raises:
            UnknownJobError: There is no such job.
            UnknownTrialError: There is no such trial.
            SupersededError: Another process runs the trial.
        """
        job = self._service.get_job(request.job_id, for_update=True, status_code=404)
        trial = self._service.get_trial(job, request, status_code=404)
        _refuse_superseded(trial, request.instance)
        if trial.status is TrialStatus.SUCCEEDED:
            return trial
        before = self._service.with_sizes(job)
        self._service.save(before, self._service.fail(before, trial, FailReason(request.reason)))
        log_fields(logger, job=job.job_id, trial=trial.trial_number, failed=request.reason.value)
        return self._service.get_trial(job, request)

    def heartbeat(self, beat: Heartbeat) -> TrialOffer:
        """Renew a trial's lease; one that was given up is open again.

        Raises:
            UnknownJobError: There is no such job.
            UnknownTrialError: There is no such trial.
            SupersededError: Another process runs the trial.
        """
        job = self._service.get_job(beat.job_id, for_update=True, status_code=404)
        trial = self._service.get_trial(job, beat, status_code=404)
        _refuse_superseded(trial, beat.instance)
        if not trial.open and trial.reason in RETURNING and trial.reason is not FailReason.PREEMPTED:
            before = self._service.with_sizes(job)
            after, trial = self._service.reopen(before, trial)
            self._service.save(before, after)
        if trial.open:
            trial = self._service.beat(job, trial, time=beat.time, energy=beat.energy)
        return self._offer(job, trial, resumed=True)

    def change_settings(self, job_id: str, changes: JobSettings) -> JobState:
        """Change the settings that are given, and leave the others.

        Raises:
            UnknownJobError: There is no such job.
        """
        job = self._service.get_job(job_id, for_update=True, status_code=404)
        given = {name: getattr(changes, name) for name in changes.model_fields_set}
        settings = {name: getattr(job.spec, name) for name in JobSettings.model_fields} | given
        return self._service.change_settings(job, JobSettings(**settings))

    def reset(self, job_id: str) -> JobState:
        """Forget what was learnt and begin a new generation; trials stay on record, open ones no longer steer.

        Raises:
            UnknownJobError: There is no such job.
        """
        job = self._service.get_job(job_id, for_update=True, status_code=404)
        before = self._service.with_sizes(job)
        progress, sizes = begin_generation(job.knobs, job.progress, before.sizes, forget_oom=True)
        after = Snapshot(replace(job, progress=progress, rng_state=None), sizes)
        self._service.save(before, after)
        return after.job

    def delete(self, job_id: str) -> None:
        """Delete a job with its trials.

        Raises:
            UnknownJobError: There is no such job.
        """
        self._service.delete_job(self._service.get_job(job_id, for_update=True, status_code=404))

    def _resume(self, snapshot: Snapshot, request: AskForTrial) -> tuple[Snapshot, Trial | None]:
        """Find the trial that the run id has a right to; None: a new one is due."""
        job = snapshot.job
        trial = self._service.latest_of_run(job, request.run_id) if request.run_id else None
        if trial is None or trial.outcome is Outcome.CONVERGED:
            return snapshot, trial
        anew = None not in (request.instance, trial.instance) and request.instance != trial.instance
        ended_silently = anew and not trial.start_reported
        if trial.open:
            left = silence_left_s(trial, job.read_at)
            if anew and left > 0:
                raise SupersededError(
                    f"Another process still runs trial {trial.trial_number} under run id {trial.run_id!r}. "
                    "Use a run id of your own, or wait until it has ended.",
                    retry_after_s=int(left) + 1,
                )
            if ended_silently:
                # A crash that comes back under the same run id would otherwise meet the same batch size for ever.
                snapshot = self._service.count_silent_end(snapshot, trial)
                if not snapshot.sizes[trial.batch_size].live:
                    return self._service.fail(snapshot, trial, FailReason.EXPIRED), None
        elif trial.reason in (FailReason.EXPIRED, FailReason.PREEMPTED, FailReason.CANCELLED):
            if not snapshot.sizes[trial.batch_size].live:
                return snapshot, None
            snapshot, trial = self._service.reopen(snapshot, trial, forgive=not ended_silently)
        else:
            return snapshot, None
        return snapshot, self._service.take_up(job, trial, TakeUpTrial(ask=request, anew=anew))

    def _begin(self, snapshot: Snapshot, request: AskForTrial) -> tuple[Snapshot, Trial]:
        job = snapshot.job
        rng = generator(job)
        choice = None if request.explore else best_known(job, snapshot.sizes)
        if choice is None:
            choice = job.policy.choose(self._service.situation(snapshot), rng)
        after, trial = self._service.open_trial(snapshot, choice, TakeUpTrial(ask=request, anew=False))
        log_fields(
            logger,
            job=job.job_id,
            trial=trial.trial_number,
            batch_size=trial.batch_size,
            type=trial.type.value,
            generation=trial.generation,
        )
        return replace(after, job=replace(after.job, rng_state=state_to_keep(job, rng))), trial

    def _take_in(self, job: JobState, trial: Trial, result: TrainingResult) -> ReportResponse:
        new_epoch = not trial.reported or result.current_epoch > trial.current_epoch
        new_metric = new_epoch or takes_metric(trial, result)
        time, energy = max(result.time, trial.time), max(result.energy, trial.energy)
        metric = result.metric if new_metric else trial.metric
        epoch = max(result.current_epoch, trial.current_epoch)
        cost = job.cost(energy, time)
        run = Run(
            batch_size=trial.batch_size,
            cost=cost,
            epoch=epoch,
            epoch_before=trial.current_epoch,
            metric=metric,
            non_finite_before=count_non_finite(trial, result) if new_metric else 0,
            uncapped=trial.uncapped or result.decided is Outcome.CONVERGED,
            final=result.final or result.decided is not None,
        )
        if trial.generation == job.progress.generation:
            sizes, run = self._looked_at(job, trial, run)
            verdict = job.policy.judge(job.knobs, job.progress, sizes, run)
        else:
            verdict = judge_alone(job.knobs, run)
        if verdict.outcome is Outcome.CONVERGED and cost <= 0:
            raise RefusedResultError(
                "time, energy: a run that reached its target at no cost cannot be true; check the energy monitor."
            )
        epoch_s = (time - self._service.reported_time_s(trial)) / max(1, epoch - trial.current_epoch)
        recorded = self._service.record(
            job,
            trial,
            RecordResult(
                trial=result,
                time=time,
                energy=energy,
                metric=metric,
                epoch=epoch,
                new_epoch=new_epoch,
                non_finite_in_row=verdict.non_finite_in_row,
                target_reached=verdict.target_reached,
                energy_source=result.energy_source,
                message=told_of_max_epochs(self._service, job, epoch, verdict),
            ),
        )
        after = _with_facts(job, epoch_s, result.energy_source)
        if verdict.outcome is not None:
            after, recorded = self._learn(after, recorded, run, verdict.outcome)
        self._service.save_trial(recorded)
        if after != job:
            self._service.save_job(after)
        return answer(recorded)

    def _looked_at(self, job: JobState, trial: Trial, run: Run) -> tuple[Sizes, Run]:
        """Read what the policy looks at when it judges a run: mostly nothing."""
        wanted = job.policy.sizes_to_judge(job.knobs, job.progress, run)
        sizes = self._service.some_sizes(job, wanted)
        if not wanted or sizes[run.batch_size].converged:
            return sizes, run
        stored = self._service.curve(trial)
        latest = [(run.epoch, run.metric)] if not stored or run.epoch > stored[-1][0] else []
        return sizes, replace(run, curve=[*stored, *latest])

    def _learn(self, job: JobState, trial: Trial, run: Run, outcome: Outcome) -> tuple[JobState, Trial]:
        job = replace(job, last_decision=job.last_decision + 1)
        decided = trial.decided(outcome, run.cost, decision=job.last_decision, now=job.read_at)
        log_fields(
            logger,
            job=job.job_id,
            trial=trial.trial_number,
            batch_size=trial.batch_size,
            outcome=outcome.value,
            cost=run.cost,
        )
        if trial.generation != job.progress.generation:
            return job, decided
        before = self._service.with_sizes(job)
        if trial.energy_source is not None and trial.energy_source is not job.energy_source:
            after = self._foreign_source(before, trial.energy_source)
            self._service.save(before, replace(after, job=job))
            unlearnt = replace(decided, message=f"{decided.message} {foreign_message(job, trial)}")
            if decided.type is TrialType.EXPLORATION:
                unlearnt = replace(unlearnt, type=TrialType.CONCURRENT)
            return after.job, unlearnt
        decided = self._service.fill_place(job, decided)
        curve = self._service.curve(trial) if outcome is Outcome.CONVERGED and job.policy.reads_curves else run.curve
        run = replace(run, uncapped=trial.uncapped, curve=curve)
        conclusion = job.policy.conclude(job.knobs, job.progress, before.sizes, run, outcome)
        self._service.save(before, Snapshot(job, conclusion.sizes))
        since = job.last_decision if conclusion.rebased else job.min_cost_since
        learnt = replace(job, progress=conclusion.progress, min_cost_since=since, foreign_source_in_row=0)
        return learnt, replace(decided, reward=conclusion.reward)

    def _foreign_source(self, snapshot: Snapshot, source: EnergySource) -> Snapshot:
        job = replace(snapshot.job, foreign_source_in_row=snapshot.job.foreign_source_in_row + 1)
        if job.foreign_source_in_row < FOREIGN_SOURCES_TO_SWITCH:
            return replace(snapshot, job=job)
        progress, sizes = begin_generation(job.knobs, job.progress, snapshot.sizes)
        progress = replace(progress, wide=False)
        return Snapshot(replace(job, progress=progress, energy_source=source, foreign_source_in_row=0), sizes)

    def _offer(self, job: JobState, trial: Trial, *, resumed: bool) -> TrialOffer:
        steers = trial.generation == job.progress.generation
        return TrialOffer(
            job_id=job.job_id,
            batch_size=trial.batch_size,
            trial_number=trial.trial_number,
            lease_s=self._service.lease_s(job, trial.heartbeat_s),
            resumed=resumed,
            finished=trial.outcome is Outcome.CONVERGED,
            time=trial.time,
            energy=trial.energy,
            current_epoch=trial.current_epoch,
            cost_bound=job.policy.cost_bound(job.knobs, job.progress, uncapped=trial.uncapped) if steers else None,
            message=trial.message or None,
        )


def _refuse_superseded(trial: Trial, instance: str | None) -> None:
    if None not in (instance, trial.instance) and instance != trial.instance:
        raise SupersededError(
            f"Trial {trial.trial_number} has been taken up by another process; this one's training is not recorded."
        )


def _with_facts(job: JobState, epoch_s: float, source: EnergySource | None) -> JobState:
    if job.energy_source is None and source is not None:
        job = replace(job, energy_source=source)
    # Not at every small rise, so that most reports leave the job's row alone.
    return replace(job, longest_epoch_s=epoch_s) if epoch_s > 1.25 * job.longest_epoch_s else job
