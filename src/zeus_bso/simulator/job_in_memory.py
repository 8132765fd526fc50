"""A job in memory, whose trials live by the server's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone

from zeus_bso.policy.policy import Policy
from zeus_bso.policy.state import GaussianTsArmState, Progress, SizeState
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.words import TrialStatus, TrialType
from zeus_bso.server.batch_size_state.commands import ReadWindow
from zeus_bso.server.batch_size_state.models import NOTHING_USED, FirstReport, Trial, Used
from zeus_bso.server.job.inheritance import Inheritance
from zeus_bso.server.job.models import JobState
from zeus_bso.server.services.commands import SaveChanges
from zeus_bso.server.services.locked_job import LockedJob

_NOW = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""No time passes here, so that no lease ends."""


class JobInMemory:
    """The rows of one job in dictionaries: what a rule reads, and where its decision is saved.

    Args:
        spec: The job's spec; ``job_id`` is set.
        policy: What chooses and judges; None: the one that the spec names.
        inheritance: What the job has taken over from another one; None: nothing.

    Attributes:
        state: The job's row.
        states: The states of its batch sizes, ascending.
        trials: Its trials, by number.
        reports: Each trial as its reports have told of it, by epoch.
        power_profiles: What is known about batch sizes at each power limit.
    """

    def __init__(
        self, spec: JobSpecFromClient, policy: Policy | None = None, inheritance: Inheritance | None = None
    ) -> None:
        sizes = sorted(spec.batch_sizes)
        self._policy = policy
        self._open: set[int] = set()
        self._rounds: dict[tuple[int, int | None], list[int]] = {}
        self.state = JobState(
            spec=spec,
            derived_id=False,
            progress=Progress.begin(tuple(sizes), spec.default_batch_size),
            rng_state=None,
            last_trial_number=0,
            last_decision=0,
            longest_epoch_s=0.0,
            energy_source=None,
            foreign_source_in_row=0,
            created_at=_NOW,
            updated_at=_NOW,
            read_at=_NOW,
            inheritance=inheritance,
        )
        self.states: Mapping[int, SizeState] = {size: SizeState(size) for size in sizes}
        self.trials: dict[int, Trial] = {}
        self.reports: dict[int, dict[int, Trial]] = {}
        self.power_profiles: dict[int, PowerProfile] = {}

    def load(self) -> LockedJob:
        """The job as a rule takes it."""
        return LockedJob.over(self, self.state, policy=self._policy)

    def save(self, job: LockedJob) -> None:
        """Keep what a rule has changed."""
        changes = job.changes
        if changes.sizes:
            self.states = {**self.states, **{state.batch_size: state for state in changes.sizes}}
        for trial in (*filter(None, [changes.begun]), *changes.trials):
            self.put(trial)
        self._save_reports(changes)
        if changes.power_profile is not None:
            self.power_profiles[changes.power_profile.batch_size] = changes.power_profile.profile
        if changes.state is not None:
            self.state = changes.state

    def put(self, trial: Trial) -> None:
        """Keep a trial, new or changed."""
        number = trial.trial_number
        if number not in self.trials:
            self._rounds.setdefault((trial.generation, trial.round), []).append(number)
        self.trials[number] = trial
        (self._open.add if trial.open else self._open.discard)(number)

    def sizes(self, job_id: str) -> Mapping[int, SizeState]:
        """Read the states of all batch sizes, ascending."""
        return self.states

    def some_sizes(self, job_id: str, sizes: Sequence[int]) -> Mapping[int, SizeState]:
        """Read the states of some batch sizes."""
        return self.states

    def trial(self, job_id: str, trial_number: int) -> Trial | None:
        """Read one trial."""
        return self.trials.get(trial_number)

    def latest_of_run(self, job_id: str, run_id: str) -> Trial | None:
        """Read the latest trial of a run id."""
        return next((trial for trial in self._latest() if trial.run_id == run_id), None)

    def open_trials(self, job_id: str) -> list[Trial]:
        """Read the open trials, by number."""
        return [self.trials[number] for number in sorted(self._open)]

    def explorations(self, job_id: str, generation: int, round_: int) -> list[Trial]:
        """Read the Exploration trials of a round that have not Failed, by number."""
        trials = [self.trials[number] for number in self._rounds.get((generation, round_), ())]
        return [t for t in trials if t.type is TrialType.EXPLORATION and t.status is not TrialStatus.FAILED]

    def latest_decided(self, job_id: str, limit: int) -> list[Trial]:
        """Read the latest trials that were decided, the latest first."""
        decided = (trial for trial in self._latest() if trial.status is TrialStatus.SUCCEEDED)
        return [trial for trial, _ in zip(decided, range(limit), strict=False)]

    def reported_time_s(self, job_id: str, trial_number: int) -> float:
        """Read the training time of a trial's latest report [s]; 0 before the first."""
        reports = self.reports.get(trial_number)
        return reports[max(reports)].time if reports else 0.0

    def first_report(self, job_id: str, trial_number: int) -> FirstReport | None:
        """Read a trial's first report; None: there is none."""
        reports = self.reports.get(trial_number)
        if not reports:
            return None
        epoch = min(reports)
        return FirstReport(epoch, reports[epoch].time, reports[epoch].energy)

    def curve(self, job_id: str, trial_number: int) -> list[tuple[int, float | None]]:
        """Read epoch and metric of a trial's reports, by epoch."""
        return [(epoch, report.metric) for epoch, report in sorted(self.reports.get(trial_number, {}).items())]

    def used(self) -> dict[int, Used]:
        """Add up what the decided trials of the job's generation have used, by batch size."""
        found: dict[int, Used] = {}
        for trial in self.trials.values():
            if trial.reward is not None and trial.generation == self.state.progress.generation:
                found[trial.batch_size] = found.get(trial.batch_size, NOTHING_USED) + Used(trial.energy, trial.time)
        return found

    def window(self, command: ReadWindow) -> GaussianTsArmState:
        """Read the latest rewards of a batch size, as the state of an arm."""
        observed = [
            trial
            for trial in self.trials.values()
            if trial.batch_size == command.batch_size
            and trial.generation == command.generation
            and trial.reward is not None
        ]
        arm = GaussianTsArmState()
        for trial in sorted(observed, key=lambda trial: trial.decision or 0)[-command.window_size :]:
            arm = arm.observe(trial.reward or 0.0)
        return arm

    def power_profile(self, job_id: str, batch_size: int) -> PowerProfile | None:
        """Read what is known about a batch size at each power limit; None: nothing is."""
        return self.power_profiles.get(batch_size)

    def _save_reports(self, changes: SaveChanges) -> None:
        reported = changes.reported
        if reported is not None:
            self.reports.setdefault(reported.trial_number, {})[reported.current_epoch] = reported
        if changes.rewound is not None:
            number, epoch = changes.rewound
            kept = {at: report for at, report in self.reports.get(number, {}).items() if at <= epoch}
            self.reports[number] = kept

    def _latest(self) -> Iterator[Trial]:
        return (self.trials[number] for number in reversed(self.trials))
