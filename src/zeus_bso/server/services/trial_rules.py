"""A trial's life: what each event makes of it, and what the job learns from its end.

Pure: a rule takes a job and an event, and returns the job as it is to be saved. The time is the job's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np

from zeus_bso.exceptions import RefusedResultError, SupersededError
from zeus_bso.policy.state import RunState
from zeus_bso.protocol import wording
from zeus_bso.protocol.messages import AskForTrial, Checkpoint, Heartbeat, TrainingResult, TrialEnd
from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.words import FailReason, Outcome, TrialStatus
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.job.randomness import state_to_keep
from zeus_bso.server.services import job_rules, power_rules
from zeus_bso.server.services.locked_job import LockedJob


class TrialState(str, Enum):
    """What a trial has come to, as far as it decides what can still become of it."""

    OPEN = "Dispatched"
    CONVERGED = "Succeeded: converged"
    UNCONVERGED = "Succeeded: not converged"
    LOST = "Failed: expired or cancelled"
    PREEMPTED = "Failed: preempted"
    CRASHED = "Failed: error"
    OUT_OF_MEMORY = "Failed: oom"


class Event(str, Enum):
    """What happens to a trial.

    Its run asks again, under the same run id; a report; a heartbeat; its run ends without a result; its lease ends; a
    process that no longer runs it sends a report, a heartbeat or an end.
    """

    ASK = "ask"
    REPORT = "report"
    HEARTBEAT = "heartbeat"
    END = "end"
    LEASE_END = "lease end"
    SUPERSEDED = "from a former process"


class Step(str, Enum):
    """What is done about an event.

    Begin a new trial for the run; hand the trial to the asking process; record and judge the report; renew the lease;
    end the trial without a decision; leave it, and answer as before; refuse.
    """

    BEGIN = "begin another"
    RESUME = "resume"
    RECORD = "record"
    RENEW = "renew"
    FAIL = "fail"
    KEEP = "keep"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Transition:
    """What an event makes of a trial.

    Attributes:
        states: What the trial is before.
        event: What happens.
        step: What is done.
        to: What the trial may be afterwards, if it does not stay as it is. A Failed one becomes OPEN first wherever
            OPEN is among them: it is reopened.
    """

    states: tuple[TrialState, ...]
    event: Event
    step: Step
    to: tuple[TrialState, ...] = ()


_OPEN, _CONVERGED, _UNCONVERGED = TrialState.OPEN, TrialState.CONVERGED, TrialState.UNCONVERGED
_LOST, _PREEMPTED, _CRASHED, _OOM = TrialState.LOST, TrialState.PREEMPTED, TrialState.CRASHED, TrialState.OUT_OF_MEMORY
_ENDED = (_CONVERGED, _UNCONVERGED, _LOST, _PREEMPTED, _CRASHED, _OOM)

TRANSITIONS = (
    Transition((_OPEN,), Event.ASK, Step.RESUME, to=(_OPEN, _LOST)),
    Transition((_LOST, _PREEMPTED), Event.ASK, Step.RESUME, to=(_OPEN,)),
    # Only with a checkpoint of this very trial; else the run gets another one.
    Transition((_CRASHED,), Event.ASK, Step.RESUME, to=(_OPEN,)),
    Transition((_CONVERGED,), Event.ASK, Step.KEEP),
    Transition((_UNCONVERGED, _OOM), Event.ASK, Step.BEGIN),
    Transition((_OPEN, _LOST, _PREEMPTED, _CRASHED), Event.REPORT, Step.RECORD, to=(_OPEN, _CONVERGED, _UNCONVERGED)),
    Transition((_CONVERGED, _UNCONVERGED, _OOM), Event.REPORT, Step.KEEP),
    Transition((_OPEN, _LOST, _CRASHED), Event.HEARTBEAT, Step.RENEW, to=(_OPEN,)),
    Transition((_CONVERGED, _UNCONVERGED, _PREEMPTED, _OOM), Event.HEARTBEAT, Step.KEEP),
    Transition((_OPEN,), Event.END, Step.FAIL, to=(_LOST, _PREEMPTED, _CRASHED, _OOM)),
    # A stronger reason replaces a weaker one.
    Transition((_LOST, _PREEMPTED), Event.END, Step.FAIL, to=(_CRASHED, _OOM)),
    Transition((_CRASHED,), Event.END, Step.FAIL, to=(_OOM,)),
    Transition((_CONVERGED, _UNCONVERGED, _OOM), Event.END, Step.KEEP),
    Transition((_OPEN,), Event.LEASE_END, Step.FAIL, to=(_LOST,)),
    Transition(_ENDED, Event.LEASE_END, Step.KEEP),
    Transition((_OPEN, *_ENDED), Event.SUPERSEDED, Step.REFUSE),
)
"""The life of a trial: one entry for each state and event."""

_TRANSITION = {(state, transition.event): transition for transition in TRANSITIONS for state in transition.states}

_FAILED = {
    FailReason.EXPIRED: _LOST,
    FailReason.CANCELLED: _LOST,
    FailReason.PREEMPTED: _PREEMPTED,
    FailReason.ERROR: _CRASHED,
    FailReason.OOM: _OOM,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What an event comes to: the job to be saved, the trial after the event, and what was done.

    Attributes:
        power_profile: What the run is told of its batch size at each power limit.
    """

    job: LockedJob
    trial: Trial
    step: Step
    power_profile: PowerProfile | None = None


def state_of(trial: Trial) -> TrialState:
    """What a trial has come to."""
    if trial.status is TrialStatus.DISPATCHED:
        return _OPEN
    if trial.status is TrialStatus.SUCCEEDED:
        return _CONVERGED if trial.outcome is Outcome.CONVERGED else _UNCONVERGED
    assert trial.reason is not None
    return _FAILED[trial.reason]


def transition_of(trial: Trial, event: Event) -> Transition:
    """The entry of the table for a trial and an event."""
    return _TRANSITION[state_of(trial), event]


def ask(job: LockedJob, request: AskForTrial, rng: np.random.Generator) -> Decision:
    """Give the asking run a trial: its own, if its run id has one that goes on, else a new one.

    Raises:
        SupersededError: Another process that is alive runs the trial of this run id.
    """
    job = expire_leases(job)
    latest = job.latest_of_run(request.run_id) if request.run_id else None
    if latest is None:
        return _begin(job, request, rng)
    step = transition_of(latest, Event.ASK).step
    if step is Step.KEEP:
        return Decision(job, latest, step)
    if step is Step.RESUME:
        job, resumed = _resume(job, latest, request)
        if resumed is not None:
            return Decision(job, resumed, step)
    return _begin(job, request, rng)


def report(job: LockedJob, trial: Trial, result: TrainingResult) -> Decision:
    """Record a report that says something new, and decide whether the run ends.

    The first report of an epoch decides; any other gets the stored answer. Each may tell more about power limits.

    Raises:
        SupersededError: Another process runs the trial.
        RefusedResultError: A converged run that cost nothing.
    """
    decision = _judged(job, trial, result)
    return replace(decision, job=power_rules.learn(decision.job, decision.trial, result))


def _judged(job: LockedJob, trial: Trial, result: TrainingResult) -> Decision:
    step = _step_by(trial, Event.REPORT, result.instance)
    if step is Step.KEEP:
        return Decision(job, trial, step)
    job, trial = _reopen(job, trial)
    if job_rules.is_new_report(trial, result):
        return _record(job, trial, result)
    trial = _touched(job, trial)
    return Decision(job.with_trial(trial), trial, Step.RENEW)


def heartbeat(job: LockedJob, trial: Trial, beat: Heartbeat) -> Decision:
    """Renew a trial's lease; one that was given up is open again.

    Raises:
        SupersededError: Another process runs the trial.
    """
    step = _step_by(trial, Event.HEARTBEAT, beat.instance)
    decision = Decision(job, trial, step) if step is Step.KEEP else _renew(job, trial, beat)
    return replace(decision, job=power_rules.learn(decision.job, decision.trial, beat))


def _renew(job: LockedJob, trial: Trial, beat: Heartbeat) -> Decision:
    job, trial = _reopen(job, trial)
    trial = replace(
        trial,
        time=max(trial.time, beat.time),
        energy=max(trial.energy, beat.energy),
        last_seen_at=job.now,
        lease_expires_at=job.lease_end_after_beat(trial),
    )
    return Decision(job.with_trial(trial), trial, Step.RENEW)


def end(job: LockedJob, trial: Trial, request: TrialEnd) -> Decision:
    """End a trial without a decision; one that was decided stays as it is.

    Raises:
        SupersededError: Another process runs the trial.
    """
    step = _step_by(trial, Event.END, request.instance)
    return Decision(job, trial, step) if step is Step.KEEP else fail(job, trial, FailReason(request.reason))


def conclude(job: LockedJob, trial: Trial, run: RunState, outcome: Outcome) -> tuple[LockedJob, Trial]:
    """Decide a trial, and learn from it."""
    number = job.state.last_decision + 1
    decided = replace(
        trial, status=TrialStatus.SUCCEEDED, outcome=outcome, cost=run.cost, decision=number, ended_at=job.now
    )
    return job_rules.learn(job.with_state(last_decision=number), decided, run, outcome)


def _begin(job: LockedJob, request: AskForTrial, rng: np.random.Generator) -> Decision:
    choice = None if request.explore else job_rules.best_known(job)
    if choice is None:
        choice = job.policy.choose(job.choice_input(), rng)
    trial = Trial(
        job_id=job.job_id,
        trial_number=job.state.last_trial_number + 1,
        batch_size=choice.batch_size,
        generation=choice.progress.generation,
        type=choice.trial_type,
        round=choice.round,
        uncapped=choice.uncapped,
        epoch_bound=choice.epoch_bound,
        status=TrialStatus.DISPATCHED,
        message=choice.message or "",
        run_id=request.run_id,
        instance=request.instance,
        heartbeat_s=request.heartbeat_s,
        started_at=job.now,
        last_report_at=job.now,
        last_seen_at=job.now,
        lease_expires_at=job.lease_end(request.heartbeat_s),
    )
    job = job.with_state(
        progress=choice.progress,
        last_trial_number=trial.trial_number,
        rng_state=state_to_keep(job.state, rng),
    )
    return Decision(job.with_sizes(choice.sizes).with_trial(trial), trial, Step.BEGIN)


def expire_leases(job: LockedJob) -> LockedJob:
    """Give up every trial whose lease has ended."""
    for trial in [trial for trial in job.open_trials if trial.lease_expires_at < job.now]:
        job = fail(job, trial, FailReason.EXPIRED).job
    return job


def _resume(job: LockedJob, trial: Trial, request: AskForTrial) -> tuple[LockedJob, Trial | None]:
    """Hand a trial to the process that asks; None: a new one is due, as it cannot go on, or not with this size."""
    checkpoint = request.checkpoint
    if checkpoint is not None and checkpoint.trial_number not in (None, trial.trial_number):
        checkpoint = None
    if state_of(trial) is _CRASHED and checkpoint is None:
        return job, None
    new_process = None not in (request.instance, trial.instance) and request.instance != trial.instance
    ended_silently = new_process and not trial.start_reported
    counted = job
    if trial.open and new_process:
        _refuse_while_alive(job, trial)
        if ended_silently:
            # A crash that comes back under the same run id would otherwise meet the same batch size for ever.
            counted = job_rules.count_failure(job, trial, FailReason.EXPIRED)
    # A run that has got on since its last start goes on, even if others have retired the size.
    goes_on = not ended_silently and (trial.open or checkpoint is not None)
    if not goes_on and not counted.sizes[trial.batch_size].live:
        # The end is counted where the trial fails.
        return (fail(job, trial, FailReason.EXPIRED).job if trial.open else job), None
    job, trial = _reopen(counted, trial, forgive=not ended_silently)
    trial = _touched(
        job, trial, heartbeat_s=request.heartbeat_s or trial.heartbeat_s, instance=request.instance or trial.instance
    )
    if new_process:
        # It starts from its checkpoint; work beyond is discarded.
        start = checkpoint or Checkpoint()
        job = job.without_reports(trial, start.current_epoch or -1)
        trial = trial.restarted(start)
    return job.with_trial(trial), trial


def _record(job: LockedJob, trial: Trial, result: TrainingResult) -> Decision:
    time, energy = max(result.time, trial.time), max(result.energy, trial.energy)
    run, verdict = job_rules.judge(job, trial, job_rules.run_of(job, trial, result, time, energy))
    if verdict.outcome is Outcome.CONVERGED and run.cost <= 0:
        raise RefusedResultError(
            "time, energy: a run that reached its target at no cost cannot be true; check the energy monitor."
        )
    recorded = _touched(
        job,
        trial,
        time=time,
        energy=energy,
        metric=run.metric,
        current_epoch=run.epoch,
        non_finite_in_row=verdict.non_finite_in_row,
        target_reached=verdict.target_reached,
        energy_source=result.energy_source or trial.energy_source,
        message=job_rules.max_epochs_hint(job, run.epoch, verdict),
        reported=True,
        start_reported=True,
        **power_rules.fields_of(result),
    )
    job = job_rules.with_facts(job, trial, recorded, result.energy_source)
    if verdict.outcome is not None:
        job, recorded = conclude(job, recorded, run, verdict.outcome)
    return Decision(job.with_trial(recorded, new_epoch=job_rules.is_new_epoch(trial, result)), recorded, Step.RECORD)


def fail(job: LockedJob, trial: Trial, reason: FailReason) -> Decision:
    """End a trial without a decision; of one that has Failed already, a stronger reason replaces a weaker one."""
    event = Event.LEASE_END if reason is FailReason.EXPIRED else Event.END
    if _FAILED[reason] not in transition_of(trial, event).to:
        return Decision(job, trial, Step.KEEP)
    if trial.reason is not None:
        job = job_rules.forgive_failure(job, trial, trial.reason)
    message = f"The run has ended without a result: {wording.REASONS[reason]}."
    failed = replace(trial, status=TrialStatus.FAILED, reason=reason, message=message, ended_at=job.now)
    job = job_rules.count_failure(job, trial, reason).with_trial(failed)
    return Decision(job, failed, Step.FAIL)


def _reopen(job: LockedJob, trial: Trial, *, forgive: bool = True) -> tuple[LockedJob, Trial]:
    """Open a trial again that Failed, since it was heard of.

    An Exploration whose place is taken, or whose round is over, becomes Concurrent.

    Args:
        job: The job.
        trial: The trial; one that runs stays as it is.
        forgive: Its end does not count against its size.
    """
    if trial.reason is None:
        return job, trial
    if forgive:
        job = job_rules.forgive_failure(job, trial, trial.reason)
    trial = replace(
        trial,
        status=TrialStatus.DISPATCHED,
        type=job_rules.type_after_return(job, trial),
        reason=None,
        message="",
        ended_at=None,
        last_seen_at=job.now,
        lease_expires_at=job.lease_end(trial.heartbeat_s),
    )
    return job.with_trial(trial), trial


def _touched(job: LockedJob, trial: Trial, **changes: Any) -> Trial:
    """The trial after its client asked or reported, with these fields changed."""
    expiry = job.lease_end(changes.get("heartbeat_s", trial.heartbeat_s))
    return replace(trial, last_report_at=job.now, last_seen_at=job.now, lease_expires_at=expiry, **changes)


def _step_by(trial: Trial, event: Event, instance: str | None) -> Step:
    """What is done about an event that a process, or one without a name, tells of."""
    superseded = None not in (instance, trial.instance) and instance != trial.instance
    step = transition_of(trial, Event.SUPERSEDED if superseded else event).step
    if step is Step.REFUSE:
        raise SupersededError(
            f"Trial {trial.trial_number} has been taken up by another process; this one's training is not recorded."
        )
    return step


def _refuse_while_alive(job: LockedJob, trial: Trial) -> None:
    if (left_s := job.silence_left_s(trial)) > 0:
        raise SupersededError(
            f"Another process still runs trial {trial.trial_number} under run id {trial.run_id!r}. "
            "Use a run id of your own, or wait until it has ended.",
            retry_after_s=int(left_s) + 1,
        )
