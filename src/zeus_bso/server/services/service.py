"""Business operations on jobs and trials; the only user of both repositories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from zeus_bso.common import (
    FailReason,
    JobSettings,
    JobSpecFromClient,
    Stage,
    TrialId,
    TrialType,
)
from zeus_bso.exceptions import UnknownJobError, UnknownTrialError
from zeus_bso.policy.retirement import after_failure, after_return
from zeus_bso.policy.values import Choice, Curve, PlaceState, Progress, Situation, SizeState
from zeus_bso.server.batch_size_state.commands import CreateTrial, ReadTrials, RecordReport
from zeus_bso.server.batch_size_state.models import SizeTotals, Trial
from zeus_bso.server.batch_size_state.repository import BatchSizeStateRepository
from zeus_bso.server.job.commands import CreateJob, SaveProgress, UpdateSettings
from zeus_bso.server.job.models import JobState, Tombstone
from zeus_bso.server.job.repository import JobStateRepository
from zeus_bso.server.services.commands import RecordResult, Snapshot, TakeUpTrial
from zeus_bso.server.services.lease import expiry_after_beat, lease_s
from zeus_bso.server.services.recompute import recompute
from zeus_bso.server.services.situation import situation_of

_STRENGTH = {FailReason.OOM: 2, FailReason.ERROR: 1}

RETURNING = frozenset({FailReason.EXPIRED, FailReason.CANCELLED, FailReason.ERROR, FailReason.PREEMPTED})
"""Trials that Failed for these reasons are open again when they are heard of."""


class ZeusService:
    """Business operations within one transaction; it never commits.

    Args:
        jobs: The jobs.
        states: The trials and batch size states.
        trial_lease_s: Lease of a client that sends no heartbeats [s].
    """

    def __init__(self, jobs: JobStateRepository, states: BatchSizeStateRepository, *, trial_lease_s: float) -> None:
        self._jobs = jobs
        self._states = states
        self._trial_lease_s = trial_lease_s

    def find_job(self, job_id: str, *, for_update: bool = False) -> JobState | None:
        """Read a job."""
        return self._jobs.get(job_id, for_update=for_update)

    def get_job(self, job_id: str, *, for_update: bool = False, status_code: int = 400) -> JobState:
        """Read a job that must exist; ``for_update`` locks it.

        Raises:
            UnknownJobError: It does not; answered with ``status_code``.
        """
        job = self._jobs.get(job_id, for_update=for_update)
        if job is None:
            raise UnknownJobError(f"There is no job {job_id!r}; register it first.", status_code=status_code)
        return job

    def jobs(self, job_ids: Sequence[str] | None = None) -> list[JobState]:
        """Read these jobs, or all."""
        return self._jobs.all(job_ids)

    def sizes_of(self, job_ids: Sequence[str]) -> dict[str, dict[int, SizeState]]:
        """Read the states of the batch sizes of several jobs."""
        return self._states.sizes_of(job_ids)

    def create_job(self, spec: JobSpecFromClient, *, derived_id: bool) -> JobState:
        """Store a new job; where a namesake was deleted, its numbers run on."""
        job_id = spec.job_id or ""
        tombstone = self._jobs.tombstone(job_id) or Tombstone(last_trial_number=0, generation=0)
        self._jobs.clear_tombstone(job_id)
        progress = Progress.begin(
            tuple(sorted(spec.batch_sizes)), spec.default_batch_size, generation=tombstone.generation + 1
        )
        self._jobs.create(
            CreateJob(
                spec=spec,
                derived_id=derived_id,
                progress=progress,
                last_trial_number=tombstone.last_trial_number,
            )
        )
        self._states.create_sizes(job_id, spec.batch_sizes)
        return self.get_job(job_id)

    def change_settings(self, job: JobState, settings: JobSettings) -> JobState:
        """Replace a job's settings; a changed ``eta_knob`` recomputes costs and arms, a changed seed starts anew."""
        self._jobs.update_settings(UpdateSettings(job_id=job.job_id, settings=settings))
        changed = replace(job, spec=job.spec.model_copy(update=dict(settings)))
        if job.spec.mab_seed != changed.spec.mab_seed:
            changed = replace(changed, rng_state=None)
        before = self.with_sizes(job)
        after = replace(before, job=changed)
        if job.spec.eta_knob != changed.spec.eta_knob:
            after, trials = recompute(after, self._states.decided_trials(job.job_id))
            self._states.save_costs(job.job_id, trials)
        self.save(before, after)
        return after.job

    def delete_job(self, job: JobState) -> None:
        """Delete a job with its trials; a tombstone keeps its numbers from being given again."""
        self._jobs.bury(job.job_id, Tombstone(job.last_trial_number, job.progress.generation))
        self._jobs.delete(job.job_id)

    def forget_deleted(self, job_id: str) -> int:
        """Remove what a deleted job of this id left behind; tells its last trial number, or 0."""
        tombstone = self._jobs.tombstone(job_id)
        self._jobs.clear_tombstone(job_id)
        return tombstone.last_trial_number if tombstone else 0

    def with_sizes(self, job: JobState) -> Snapshot:
        """Read the states of a job's batch sizes."""
        return Snapshot(job, self._states.sizes(job.job_id))

    def some_sizes(self, job: JobState, sizes: Sequence[int]) -> dict[int, SizeState]:
        """Read the states of some of a job's batch sizes."""
        return self._states.some_sizes(job.job_id, sizes) if sizes else {}

    def curve(self, trial: Trial) -> Curve:
        """Read the evaluations of a trial that count, in order."""
        return self._states.curve(trial.job_id, trial.trial_number)

    def save(self, before: Snapshot, after: Snapshot) -> None:
        """Write what a request has changed."""
        changed = [state for size, state in after.sizes.items() if before.sizes.get(size) != state]
        self._states.save_sizes(after.job.job_id, changed)
        if after.job != before.job:
            self.save_job(after.job)

    def save_job(self, job: JobState) -> None:
        """Write a job's progress."""
        values = {name: getattr(job, name) for name in SaveProgress.model_fields if name != "job_id"}
        self._jobs.save_progress(SaveProgress(job_id=job.job_id, **values))

    def situation(self, snapshot: Snapshot) -> Situation:
        """Read what the job's policy looks at when it chooses."""
        return situation_of(self._states, snapshot)

    def get_trial(self, job: JobState, trial_id: TrialId, *, status_code: int = 400) -> Trial:
        """Read a trial that must exist.

        Raises:
            UnknownTrialError: It does not, or has another batch size; answered with ``status_code``.
        """
        trial = self._states.trial(job.job_id, trial_id.trial_number)
        if trial is None or trial.batch_size != trial_id.batch_size:
            raise UnknownTrialError(
                f"Job {job.job_id!r} has no trial {trial_id.trial_number} of batch size {trial_id.batch_size}.",
                status_code=status_code,
            )
        return trial

    def latest_of_run(self, job: JobState, run_id: str) -> Trial | None:
        """Read the latest trial of a run id."""
        return self._states.latest_of_run(job.job_id, run_id)

    def trials(self, command: ReadTrials) -> list[Trial]:
        """Read a page of trials by number."""
        return self._states.page(command)

    def totals(self, job: JobState) -> dict[int, SizeTotals]:
        """Count the trials of each batch size."""
        return self._states.totals(job.job_id)

    def latest_decided(self, job: JobState, limit: int) -> list[Trial]:
        """Read the latest trials that were decided, the latest first."""
        return self._states.latest_decided(job.job_id, limit)

    def lease_s(self, job: JobState, heartbeat_s: float | None) -> float:
        """Length of a lease [s]."""
        return lease_s(heartbeat_s, self._trial_lease_s, job.longest_epoch_s)

    def expire_leases(self, snapshot: Snapshot) -> Snapshot:
        """Give up the trials whose lease has ended, by the database's clock."""
        now = snapshot.job.read_at
        for trial in self._states.open_trials(snapshot.job.job_id):
            if trial.lease_expires_at < now:
                snapshot = self.fail(snapshot, trial, FailReason.EXPIRED)
        return snapshot

    def open_trial(self, snapshot: Snapshot, choice: Choice, command: TakeUpTrial) -> tuple[Snapshot, Trial]:
        """Begin the trial that was chosen."""
        job, ask = snapshot.job, command.ask
        number = job.last_trial_number + 1
        trial = self._states.create_trial(
            CreateTrial(
                job_id=job.job_id,
                trial_number=number,
                batch_size=choice.batch_size,
                generation=choice.progress.generation,
                type=choice.trial_type,
                round=choice.round,
                uncapped=choice.uncapped,
                message=choice.message or "",
                run_id=ask.run_id,
                instance=ask.instance,
                heartbeat_s=ask.heartbeat_s,
                started_at=job.read_at,
                lease_expires_at=self._lease_end(job, ask.heartbeat_s),
            )
        )
        return Snapshot(replace(job, progress=choice.progress, last_trial_number=number), choice.sizes), trial

    def take_up(self, job: JobState, trial: Trial, command: TakeUpTrial) -> Trial:
        """Hand an open trial to the process that asks; one that starts anew discards work beyond its checkpoint."""
        ask = command.ask
        taken = replace(
            trial, heartbeat_s=ask.heartbeat_s or trial.heartbeat_s, instance=ask.instance or trial.instance
        )
        taken = self._heard_of(job, taken)
        if command.anew:
            start = command.checkpoint
            taken = taken.restarted(start)
            self._states.discard_reports(job.job_id, trial.trial_number, start.current_epoch or -1)
        self._states.save_trial(taken)
        return taken

    def reopen(self, snapshot: Snapshot, trial: Trial, *, forgive: bool = True) -> tuple[Snapshot, Trial]:
        """Open a Failed trial again, since it was heard of.

        An Exploration whose place is taken, or whose round is over, becomes Concurrent.

        Args:
            snapshot: The job.
            trial: The trial; it Failed for one of the ``RETURNING`` reasons.
            forgive: Its end does not count against its size.
        """
        job, reason = snapshot.job, trial.reason
        assert reason in RETURNING
        steers = trial.generation == job.progress.generation
        if steers and forgive:
            snapshot = replace(snapshot, sizes=after_return(snapshot.sizes, trial.batch_size, reason))
        opened = replace(
            trial.reopened(self._type_after_return(job, trial)),
            last_seen_at=job.read_at,
            lease_expires_at=self._lease_end(job, trial.heartbeat_s),
        )
        self._states.save_trial(opened)
        return snapshot, opened

    def fail(self, snapshot: Snapshot, trial: Trial, reason: FailReason) -> Snapshot:
        """End a trial without a decision; of one that has Failed already, a stronger reason replaces a weaker one."""
        sizes = snapshot.sizes
        steers = trial.generation == snapshot.job.progress.generation
        if not trial.open:
            assert trial.reason is not None
            if _STRENGTH.get(reason, 0) <= _STRENGTH.get(trial.reason, 0):
                return snapshot
            if steers:
                sizes = after_return(sizes, trial.batch_size, trial.reason)
        self._states.save_trial(trial.failed(reason, snapshot.job.read_at))
        if steers or reason is FailReason.OOM:
            sizes = after_failure(sizes, trial.batch_size, reason)
        return replace(snapshot, sizes=sizes)

    def count_silent_end(self, snapshot: Snapshot, trial: Trial) -> Snapshot:
        """Count that the process of an open trial is gone without a report, though the trial goes on."""
        if trial.generation != snapshot.job.progress.generation:
            return snapshot
        return replace(snapshot, sizes=after_failure(snapshot.sizes, trial.batch_size, FailReason.EXPIRED))

    def beat(self, job: JobState, trial: Trial, *, time: float, energy: float) -> Trial:
        """Renew the lease of an open trial."""
        length = self.lease_s(job, trial.heartbeat_s)
        beaten = replace(
            trial,
            time=max(trial.time, time),
            energy=max(trial.energy, energy),
            last_seen_at=job.read_at,
            lease_expires_at=expiry_after_beat(trial, job.read_at, length, job.longest_epoch_s),
        )
        self._states.save_trial(beaten)
        return beaten

    def renew(self, job: JobState, trial: Trial) -> Trial:
        """Renew the lease of an open trial whose report is no news."""
        renewed = self._heard_of(job, trial)
        self._states.save_trial(renewed)
        return renewed

    def reported_time_s(self, trial: Trial) -> float:
        """Training time at the trial's latest report, without what heartbeats have told since [s]."""
        if trial.last_seen_at <= trial.last_report_at:
            return trial.time
        return self._states.reported_time_s(trial.job_id, trial.trial_number)

    def record(self, job: JobState, trial: Trial, command: RecordResult) -> Trial:
        """The trial after a report that is news; the report is stored, the trial is not yet."""
        if command.new_epoch:
            self._states.record_report(
                RecordReport(
                    job_id=job.job_id,
                    trial_number=trial.trial_number,
                    epoch=command.epoch,
                    time=command.time,
                    energy=command.energy,
                    metric=command.metric,
                    reported_at=job.read_at,
                )
            )
        recorded = replace(
            trial,
            time=command.time,
            energy=command.energy,
            metric=command.metric,
            current_epoch=command.epoch,
            non_finite_in_row=command.non_finite_in_row,
            target_reached=command.target_reached,
            energy_source=command.energy_source or trial.energy_source,
            message=command.message,
            reported=True,
            start_reported=True,
        )
        return self._heard_of(job, recorded)

    def save_trial(self, trial: Trial) -> None:
        """Write a trial."""
        self._states.save_trial(trial)

    def fill_place(self, job: JobState, trial: Trial) -> Trial:
        """Let a decided trial fill its place in the walk, if that is still to be filled.

        A reopened Exploration had become Concurrent because its place was handed out again; if it is decided first, it
        fills the place after all, and the other becomes Concurrent.
        """
        progress = job.progress
        if trial.type is not TrialType.CONCURRENT or trial.round is None:
            return trial
        if progress.stage is not Stage.PRUNING or trial.round != progress.round:
            return trial
        held = self._states.places(job.job_id, progress.generation, progress.round).get(trial.batch_size)
        if held is not None:
            place, other = held
            if place.state is not PlaceState.OPEN:
                return trial
            self._states.save_trial(replace(other, type=TrialType.CONCURRENT))
        return replace(trial, type=TrialType.EXPLORATION)

    def _type_after_return(self, job: JobState, trial: Trial) -> TrialType:
        progress = job.progress
        if trial.type is not TrialType.EXPLORATION:
            return trial.type
        if (trial.generation, trial.round) != (progress.generation, progress.round):
            return TrialType.CONCURRENT
        if progress.stage is not Stage.PRUNING:
            return TrialType.CONCURRENT
        taken = self._states.places(job.job_id, progress.generation, progress.round)
        held = any(place.state is PlaceState.OPEN for place, _ in taken.values())
        return TrialType.CONCURRENT if held or trial.batch_size in taken else TrialType.EXPLORATION

    def _heard_of(self, job: JobState, trial: Trial) -> Trial:
        return trial.heard_of(job.read_at, self._lease_end(job, trial.heartbeat_s))

    def _lease_end(self, job: JobState, heartbeat_s: float | None) -> datetime:
        return job.read_at + timedelta(seconds=self.lease_s(job, heartbeat_s))
