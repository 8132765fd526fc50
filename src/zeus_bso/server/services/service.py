"""Business operations on jobs and trials; the only user of the repositories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zeus_bso.exceptions import UnknownJobError
from zeus_bso.policy.state import ChoiceInput, Progress, SizeState
from zeus_bso.protocol.job_spec import JobSettings, JobSpecFromClient
from zeus_bso.protocol.past_runs import PastRuns
from zeus_bso.protocol.power import PowerProfile
from zeus_bso.server.batch_size_state.commands import CreateTrial, ReadTrials, RecordReport
from zeus_bso.server.batch_size_state.models import NOTHING_USED, SizeTotals, Trial
from zeus_bso.server.batch_size_state.repository import BatchSizeStateRepository
from zeus_bso.server.job.commands import CreateJob, SaveProgress, UpdateSettings
from zeus_bso.server.job.inheritance import Inheritance
from zeus_bso.server.job.models import JobState, Tombstone
from zeus_bso.server.job.repository import JobStateRepository
from zeus_bso.server.observations.models import KnownRuns, PastTotals
from zeus_bso.server.observations.repository import ObservationRepository
from zeus_bso.server.services import ancestors
from zeus_bso.server.services.locked_job import LockedJob
from zeus_bso.server.services.past_run_rules import Taken
from zeus_bso.server.services.recompute import recompute
from zeus_bso.server.services.trial_rules import expire_leases


class ZeusService:
    """Business operations within one transaction; it never commits.

    Args:
        jobs: The jobs.
        states: The trials and batch size states.
        observations: The past runs.
        trial_lease_s: Lease of a client that sends no heartbeats [s].
    """

    def __init__(
        self,
        jobs: JobStateRepository,
        states: BatchSizeStateRepository,
        observations: ObservationRepository,
        *,
        trial_lease_s: float,
    ) -> None:
        self._jobs = jobs
        self._states = states
        self._observations = observations
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
            advice = "; register it first" if status_code == 400 else ""  # for a client, which is about to train
            raise UnknownJobError(f"There is no job {job_id!r}{advice}.", status_code=status_code)
        return job

    def jobs(self, job_ids: Sequence[str] | None = None) -> list[JobState]:
        """Read these jobs, or all."""
        return self._jobs.all(job_ids)

    def sizes_of(self, job_ids: Sequence[str]) -> dict[str, dict[int, SizeState]]:
        """Read the states of the batch sizes of several jobs."""
        return self._states.sizes_of(job_ids)

    def power_profiles_of(self, job_ids: Sequence[str] | None) -> dict[str, dict[int, PowerProfile]]:
        """Read what is known about the batch sizes of several jobs, or of all, at each power limit."""
        return self._states.power_profiles_of(job_ids)

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
                inheritance=self._inheritance(spec, progress.generation),
            )
        )
        self._states.create_sizes(job_id, spec.batch_sizes)
        return self.get_job(job_id)

    def told_id(self, job_id: str) -> str | None:
        """The id of a job that may be gone, as far as the caller may know it. None: it is out of reach."""
        return job_id if self._jobs.reaches(job_id) else None

    def _inheritance(self, spec: JobSpecFromClient, begun: int) -> Inheritance | None:
        """What a new job takes over from the job that it names, or else from one of its prefix.

        Args:
            spec: The spec of the new job.
            begun: The generation in which it begins.
        """
        if spec.policy != "surrogate" or not spec.policy_options.transfer:
            return None
        source = self._named_ancestor(spec) if spec.similar_to else self._jobs.relative(ancestors.search_for(spec))
        if source is None:
            return None
        generation = source.progress.generation
        trials, past = (each.used(source.job_id, generation) for each in (self._states, self._observations))
        used = {size: trials.get(size, NOTHING_USED) + past.get(size, NOTHING_USED) for size in (*trials, *past)}
        return ancestors.inherit(source, self._states.sizes(source.job_id), used, spec, generation=begun)

    def _named_ancestor(self, spec: JobSpecFromClient) -> JobState | None:
        source = self._jobs.get(spec.similar_to or "")
        return source if source is not None and ancestors.can_hand_on(source.spec, spec) else None

    def change_settings(self, job: JobState, settings: JobSettings) -> JobState:
        """Replace a job's settings; a changed ``eta_knob`` recomputes costs and arms, a changed seed starts anew."""
        self._jobs.update_settings(UpdateSettings(job_id=job.job_id, settings=settings))
        changed = self._opened(job).with_state(spec=job.spec.model_copy(update=dict(settings)))
        if job.spec.mab_seed != changed.state.spec.mab_seed:
            changed = changed.with_state(rng_state=None)
        if job.spec.eta_knob != changed.state.spec.eta_knob:
            past_runs = self._observations.of_job(job.job_id)
            changed, trials, past_runs = recompute(changed, self._states.decided_trials(job.job_id), past_runs)
            self._states.save_costs(job.job_id, trials)
            self._observations.save_costs(past_runs)
        self.save([changed])
        return changed.state

    def delete_job(self, job: JobState) -> None:
        """Delete a job with its trials; a tombstone keeps its numbers from being given again."""
        self._jobs.leave_tombstone(job.job_id, Tombstone(job.last_trial_number, job.progress.generation))
        self._jobs.delete(job.job_id)

    def forget_deleted(self, job_id: str) -> int:
        """Remove what a deleted job of this id left behind; tells its last trial number, or 0."""
        tombstone = self._jobs.tombstone(job_id)
        self._jobs.clear_tombstone(job_id)
        return tombstone.last_trial_number if tombstone else 0

    def lock(self, job_id: str, *, trial_number: int | None = None, status_code: int = 400) -> LockedJob:
        """Lock a job that must exist; the rest of it is read when it is needed.

        Args:
            job_id: The job.
            trial_number: A trial to read with it, if it exists.
            status_code: The answer if there is no such job.

        Raises:
            UnknownJobError: The job does not exist.
        """
        found = None if trial_number is None else self._jobs.lock_with_trial(job_id, trial_number)
        if found is not None:
            return self._opened(*found)
        return self._opened(self.get_job(job_id, for_update=True, status_code=status_code))

    def unlocked(self, job_id: str, *, status_code: int = 400) -> LockedJob:
        """A job that must exist, for a rule whose decision is not saved.

        Raises:
            UnknownJobError: The job does not exist.
        """
        return self._opened(self.get_job(job_id, status_code=status_code))

    def lock_free(self, asked: Mapping[str, int | None]) -> dict[str, LockedJob]:
        """Lock jobs, but none that another transaction has locked: no lock is waited for.

        Args:
            asked: The jobs, and for each the number of a trial to read with it. Without that trial, a job counts as
                not found.
        """
        alone = [job_id for job_id, number in asked.items() if number is None]
        with_trials = [(job_id, number) for job_id, number in asked.items() if number is not None]
        found = [self._opened(job) for job in self._jobs.lock_free(alone)]
        found += [self._opened(*both) for both in self._jobs.lock_free_with_trials(with_trials)]
        return {job.job_id: job for job in found}

    def save(self, jobs: Sequence[LockedJob]) -> None:
        """Write what requests have changed, each row once."""
        every = [job.changes for job in jobs]
        self._states.save_sizes([(changes.job_id, size) for changes in every for size in changes.sizes])
        self._states.create_trials([CreateTrial(trial=changes.begun) for changes in every if changes.begun is not None])
        self._states.save_trials([trial for changes in every for trial in changes.trials])
        self._states.record_reports([_report_of(changes.reported) for changes in every if changes.reported is not None])
        for changes in every:
            if changes.rewound is not None:
                self._states.discard_reports(changes.job_id, *changes.rewound)
            if changes.power_profile is not None:
                self._states.save_power_profile(changes.power_profile)
        self._jobs.save_progress([_progress_of(changes.state) for changes in every if changes.state is not None])
        # The sums over its ended trials have changed, and whoever keeps them looks at the job's row.
        self._jobs.touch([changes.job_id for changes in every if changes.state is None and changes.changes_sums])

    def known_past_runs(self, told: PastRuns) -> KnownRuns:
        """Read what is known before a job is told of past runs."""
        return self._observations.known(told.job_id, told.source, [run.run_id for run in told.runs])

    def save_past_runs(self, taken: Taken) -> None:
        """Write past runs, and what the job has learnt from them."""
        self._observations.create(taken.observations)
        self.save([taken.job])
        # The baseline of its savings has changed, even if the policy has learnt nothing.
        self._jobs.touch([taken.job.job_id])

    def past_totals_of(self, job_ids: Sequence[str] | None) -> dict[str, PastTotals]:
        """Sum up the past runs of several jobs, or of all for None."""
        return self._observations.totals_of(job_ids)

    def choice_input(self, job: JobState) -> ChoiceInput:
        """Read what the job's policy would look at in the next ask, after trials whose lease has ended are given up."""
        return expire_leases(self._opened(job)).choice_input()

    def trials(self, command: ReadTrials) -> list[Trial]:
        """Read a page of trials by number."""
        return self._states.page(command)

    def totals(self, job: JobState) -> dict[int, SizeTotals]:
        """Count the trials of each batch size."""
        return self._states.totals(job.job_id, job.energy_source)

    def _opened(self, job: JobState, *trials: Trial) -> LockedJob:
        return LockedJob.over(self._states, job, trials=trials, trial_lease_s=self._trial_lease_s)


def _progress_of(job: JobState) -> SaveProgress:
    return SaveProgress(
        job_id=job.job_id,
        progress=job.progress,
        rng_state=job.rng_state,
        last_trial_number=job.last_trial_number,
        last_decision=job.last_decision,
        longest_epoch_s=job.longest_epoch_s,
        energy_source=job.energy_source,
        foreign_source_in_row=job.foreign_source_in_row,
    )


def _report_of(trial: Trial) -> RecordReport:
    return RecordReport(
        job_id=trial.job_id,
        trial_number=trial.trial_number,
        epoch=trial.current_epoch,
        time=trial.time,
        energy=trial.energy,
        metric=trial.metric,
        reported_at=trial.last_report_at,
    )
