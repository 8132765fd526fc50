"""One locked job within one transaction: each row is read when it is first needed, and written once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from zeus_bso.exceptions import UnknownTrialError
from zeus_bso.policy.policy import Policy
from zeus_bso.policy.state import ChoiceInput, Curve, GaussianTsArmState, Knobs, RoundSlot, Sizes, SizeState, SlotState
from zeus_bso.protocol.messages import TrialId
from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.words import Outcome, Stage, TrialStatus, TrialType
from zeus_bso.server.batch_size_state.commands import ReadWindow, SavePowerProfile
from zeus_bso.server.batch_size_state.models import FirstReport, Trial
from zeus_bso.server.job.models import JobState
from zeus_bso.server.services.commands import SaveChanges

LEASE_IN_BEATS = 10
SHORTEST_LEASE_S = 300.0
LEASE_IN_EPOCHS = 10
BEATS_ALONE_S = 6 * 3600.0
"""Heartbeats alone keep a trial for so long at least; then a hung run is given up."""

LONGEST_LEASE_S = 365 * 86_400.0
"""No silence is waited for longer, whatever epochs are reported: beyond, the calendar ends."""

BEATS_TO_SILENCE = 2.5
"""A client that was heard of within so many of its beats is alive."""


class JobRows(Protocol):
    """Where the rows of a job are read: a database, or memory."""

    def sizes(self, job_id: str) -> Mapping[int, SizeState]:
        """Read the states of all batch sizes, ascending."""

    def some_sizes(self, job_id: str, sizes: Sequence[int]) -> Mapping[int, SizeState]:
        """Read the states of some batch sizes."""

    def trial(self, job_id: str, trial_number: int) -> Trial | None:
        """Read one trial."""

    def latest_of_run(self, job_id: str, run_id: str) -> Trial | None:
        """Read the latest trial of a run id."""

    def open_trials(self, job_id: str) -> Sequence[Trial]:
        """Read the open trials, by number."""

    def explorations(self, job_id: str, generation: int, round_: int) -> Sequence[Trial]:
        """Read the Exploration trials of a round that have not Failed, by number."""

    def latest_decided(self, job_id: str, limit: int) -> Sequence[Trial]:
        """Read the latest trials that were decided, the latest first."""

    def reported_time_s(self, job_id: str, trial_number: int) -> float:
        """Read the training time of a trial's latest report [s]; 0 before the first."""

    def first_report(self, job_id: str, trial_number: int) -> FirstReport | None:
        """Read a trial's first report; None: there is none."""

    def curve(self, job_id: str, trial_number: int) -> Curve:
        """Read epoch and metric of a trial's reports, by epoch."""

    def window(self, command: ReadWindow) -> GaussianTsArmState:
        """Read the latest rewards of a batch size, as the state of an arm."""

    def power_profile(self, job_id: str, batch_size: int) -> PowerProfile | None:
        """Read what is known about a batch size at each power limit; None: nothing is."""


class _Read:
    """The job as it was read: what is not here has not been needed yet."""

    def __init__(self, rows: JobRows, state: JobState, trials: Sequence[Trial] = ()) -> None:
        self.rows = rows
        self.state = state
        self._sizes: Sizes | None = None
        self._trials = {trial.trial_number: trial for trial in trials}
        self._open: list[int] | None = None
        self._spec = state.spec
        self._knobs: Knobs | None = None

    @property
    def sizes(self) -> Sizes:
        if self._sizes is None:
            self._sizes = self.rows.sizes(self.state.job_id)
        return self._sizes

    @property
    def knows_sizes(self) -> bool:
        return self._sizes is not None

    @property
    def open_trials(self) -> list[Trial]:
        if self._open is None:
            self._open = [trial.trial_number for trial in map(self.keep, self.rows.open_trials(self.state.job_id))]
        return [self._trials[number] for number in self._open]

    def knobs_of(self, state: JobState) -> Knobs:
        """The knobs of the job, made once for each spec."""
        if self._knobs is None or state.spec is not self._spec:
            self._spec, self._knobs = state.spec, state.knobs
        return self._knobs

    def keep(self, trial: Trial) -> Trial:
        """Remember how a trial was read first."""
        return self._trials.setdefault(trial.trial_number, trial)

    def find(self, number: int) -> Trial | None:
        """A trial that was read before."""
        return self._trials.get(number)


@dataclass(frozen=True, slots=True)
class LockedJob:
    """A job as the transaction that has locked it sees it: what was read, under what has changed since.

    A value: whatever changes it returns a copy, and nothing is written before the copy is saved.

    Attributes:
        state: The job's row.
        policy: What chooses and judges.
        trial_lease_s: Lease of a client that sends no heartbeats [s].
    """

    state: JobState
    policy: Policy
    trial_lease_s: float
    _read: _Read
    _sizes: Sizes | None = None
    _trials: Mapping[int, Trial] = field(default_factory=dict)
    _reported: Trial | None = None
    _rewound: tuple[int, int] | None = None
    _power_profile: SavePowerProfile | None = None

    @classmethod
    def over(
        cls,
        rows: JobRows,
        state: JobState,
        *,
        trials: Sequence[Trial] = (),
        trial_lease_s: float = 0.0,
        policy: Policy | None = None,
    ) -> LockedJob:
        """A job of which nothing has changed yet.

        Args:
            rows: Where the rest of it is read.
            state: Its row.
            trials: Those of its trials that were read with it.
            trial_lease_s: Lease of a client that sends no heartbeats [s].
            policy: What chooses and judges; None: the one that the job names.
        """
        return cls(state, policy or state.policy, trial_lease_s, _Read(rows, state, trials))

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.state.job_id

    @property
    def now(self) -> datetime:
        """The database's clock at the time of locking."""
        return self.state.read_at

    @property
    def knobs(self) -> Knobs:
        """What the policy needs to know of the spec."""
        return self._read.knobs_of(self.state)

    @property
    def sizes(self) -> Sizes:
        """What is known about each batch size."""
        return self._read.sizes if self._sizes is None else self._sizes

    def some_sizes(self, sizes: Sequence[int]) -> Mapping[int, SizeState]:
        """What is known about some batch sizes."""
        if not sizes:
            return {}
        if self._sizes is not None or self._read.knows_sizes:
            known = self.sizes
            return {size: known[size] for size in sizes}
        return self._read.rows.some_sizes(self.job_id, sizes)

    def trial(self, trial_id: TrialId, *, status_code: int = 400) -> Trial:
        """A trial that must exist.

        Raises:
            UnknownTrialError: It does not, or has another batch size; answered with ``status_code``.
        """
        number = trial_id.trial_number
        trial = self._current(self._read.find(number) or self._read.rows.trial(self.job_id, number))
        if trial is None or trial.batch_size != trial_id.batch_size:
            raise UnknownTrialError(
                f"Job {self.job_id!r} has no trial {trial_id.trial_number} of batch size {trial_id.batch_size}.",
                status_code=status_code,
            )
        return trial

    def latest_of_run(self, run_id: str) -> Trial | None:
        """The latest trial of a run id."""
        return self._current(self._read.rows.latest_of_run(self.job_id, run_id))

    @property
    def open_trials(self) -> list[Trial]:
        """The trials that run, by number."""
        found = {trial.trial_number: trial for trial in self._read.open_trials} | dict(self._trials)
        return [found[number] for number in sorted(found) if found[number].open]

    def explorations(self) -> dict[int, Trial]:
        """The trials that hold or have filled a place in the current round of pruning, by batch size."""
        progress = self.state.progress
        if progress.stage is not Stage.PRUNING:
            return {}
        rows = self._read.rows.explorations(self.job_id, progress.generation, progress.round)
        found = {trial.trial_number: self._read.keep(trial) for trial in rows} | dict(self._trials)
        return {
            trial.batch_size: trial
            for _, trial in sorted(found.items())
            if (trial.generation, trial.round) == (progress.generation, progress.round)
            and trial.type is TrialType.EXPLORATION
            and trial.status is not TrialStatus.FAILED
        }

    def latest_decided(self, limit: int) -> Sequence[Trial]:
        """The latest trials that were decided before, the latest first."""
        return self._read.rows.latest_decided(self.job_id, limit)

    def reported_time_s(self, trial: Trial) -> float:
        """Training time at a trial's latest report, without what heartbeats have told since [s]."""
        if trial.last_seen_at <= trial.last_report_at:
            return trial.time
        return self._read.rows.reported_time_s(self.job_id, trial.trial_number)

    def first_report(self, trial: Trial) -> FirstReport | None:
        """What a trial had used at its first report that was stored before; None: there is none."""
        return self._read.rows.first_report(self.job_id, trial.trial_number)

    def curve(self, trial: Trial) -> Curve:
        """Epoch and metric of a trial's reports that were stored before, by epoch."""
        return self._read.rows.curve(self.job_id, trial.trial_number)

    def choice_input(self) -> ChoiceInput:
        """What the policy looks at when it chooses; what it does not look at is not read."""
        progress = self.state.progress
        if not self.policy.explores_in_rounds:
            running = Counter(t.batch_size for t in self.open_trials if self.is_current_generation(t))
            return ChoiceInput(self.knobs, progress, self.sizes, in_flight=running)
        # Asked only where drift may be suspected.
        uncapped_open = progress.cost_bound_in_row > 0 and any(
            trial.uncapped and self.is_current_generation(trial) for trial in self.open_trials
        )
        return ChoiceInput(
            self.knobs,
            progress,
            self.sizes,
            slots=[_place(trial) for trial in self.explorations().values()],
            uncapped_open=uncapped_open,
            windows=self._windows(),
        )

    def power_profile(self, batch_size: int) -> PowerProfile | None:
        """What is known about a batch size at each power limit; None: nothing is."""
        changed = self._power_profile
        if changed is not None and changed.batch_size == batch_size:
            return changed.profile
        return self._read.rows.power_profile(self.job_id, batch_size)

    def is_current_generation(self, trial: Trial) -> bool:
        """Whether a trial is of the job's generation: one of an older generation teaches nothing any more."""
        return trial.generation == self.state.progress.generation

    def lease_s(self, heartbeat_s: float | None) -> float:
        """How long a trial may stay silent before it is given up, so that no lost client can block a job [s].

        Args:
            heartbeat_s: The client beats every so many seconds; None: it does not beat.
        """
        if heartbeat_s is not None:
            return max(LEASE_IN_BEATS * heartbeat_s, SHORTEST_LEASE_S)
        return min(LONGEST_LEASE_S, max(self.trial_lease_s, LEASE_IN_EPOCHS * self.state.longest_epoch_s))

    def lease_end(self, heartbeat_s: float | None) -> datetime:
        """When the lease ends of a client that asks or reports now."""
        return self.now + timedelta(seconds=self.lease_s(heartbeat_s))

    def lease_end_after_beat(self, trial: Trial) -> datetime:
        """When the lease ends after a heartbeat: beats alone do not keep a run that never reports."""
        beats_alone_s = min(LONGEST_LEASE_S, max(BEATS_ALONE_S, LEASE_IN_EPOCHS * self.state.longest_epoch_s))
        return min(self.lease_end(trial.heartbeat_s), trial.last_report_at + timedelta(seconds=beats_alone_s))

    def silence_left_s(self, trial: Trial) -> float:
        """For how long the trial's process still counts as alive [s]; 0: it does not, or it does not beat."""
        if trial.heartbeat_s is None:
            return 0.0
        return max(0.0, BEATS_TO_SILENCE * trial.heartbeat_s - (self.now - trial.last_seen_at).total_seconds())

    def with_state(self, **changes: Any) -> LockedJob:
        """The job with these fields of its :class:`JobState` changed."""
        return replace(self, state=replace(self.state, **changes))

    def with_sizes(self, sizes: Sizes) -> LockedJob:
        """The job with these states of all its batch sizes."""
        return replace(self, _sizes=sizes)

    def with_trial(self, trial: Trial, *, new_epoch: bool = False) -> LockedJob:
        """The job with a trial that has changed, or is new.

        Args:
            trial: The trial.
            new_epoch: It has just told of an epoch that was not reported before.
        """
        trials = {**self._trials, trial.trial_number: trial}
        return replace(self, _trials=trials, _reported=trial if new_epoch else self._reported)

    def without_reports(self, trial: Trial, after_epoch: int) -> LockedJob:
        """The job without a trial's reports beyond an epoch."""
        return replace(self, _rewound=(trial.trial_number, after_epoch))

    def with_power_profile(self, batch_size: int, profile: PowerProfile) -> LockedJob:
        """The job with what is now known about the batch size of a trial at each power limit."""
        changed = SavePowerProfile(job_id=self.job_id, batch_size=batch_size, profile=profile)
        return replace(self, _power_profile=changed)

    @property
    def changes(self) -> SaveChanges:
        """What differs from what was read."""
        read, last = self._read, self._read.state.last_trial_number
        sizes = () if self._sizes is None else self._sizes.items()
        return SaveChanges(
            job_id=self.job_id,
            state=None if self.state == read.state else self.state,
            sizes=tuple(state for size, state in sizes if read.sizes.get(size) != state),
            begun=next((trial for number, trial in self._trials.items() if number > last), None),
            trials=tuple(
                trial for number, trial in self._trials.items() if number <= last and trial != read.find(number)
            ),
            reported=self._reported,
            rewound=self._rewound,
            power_profile=self._power_profile,
        )

    def _current(self, read: Trial | None) -> Trial | None:
        if read is None:
            return None
        return self._trials.get(read.trial_number) or self._read.keep(read)

    def _windows(self) -> dict[int, GaussianTsArmState] | None:
        """The latest rewards of each size, if the job looks at a window only.

        Also in Pruning: the choice may find that its last round is over, and decide as a bandit already.
        """
        window = self.state.spec.window_size
        if not window:
            return None
        generation = self.state.progress.generation
        return {
            size: self._read.rows.window(
                ReadWindow(job_id=self.job_id, batch_size=size, generation=generation, window_size=window)
            )
            for size, state in self.sizes.items()
            if state.live and state.arm.num_observations > window
        }


def _place(trial: Trial) -> RoundSlot:
    if trial.open:
        return RoundSlot(trial.batch_size, SlotState.OPEN)
    converged = trial.outcome is Outcome.CONVERGED
    return RoundSlot(trial.batch_size, SlotState.CONVERGED if converged else SlotState.UNCONVERGED, trial.cost)
