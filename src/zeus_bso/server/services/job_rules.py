"""How a job judges the reports of its trials, and what it learns from their ends. Pure."""

from __future__ import annotations

from dataclasses import replace

from zeus_bso.policy.generation import begin_generation
from zeus_bso.policy.retirement import after_failure, ended_by_script, undo_failure
from zeus_bso.policy.state import Choice, RunState, nearest
from zeus_bso.policy.stop import NON_FINITE_LIMIT, Verdict, judge_alone
from zeus_bso.protocol import wording
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.messages import TrainingResult
from zeus_bso.protocol.words import EnergySource, FailReason, Outcome, Stage, TrialType
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.services.locked_job import LockedJob

FOREIGN_SOURCES_TO_SWITCH = 3
"""After so many decided trials in a row with readings of another source, the job goes over to that source."""


def is_new_report(trial: Trial, result: TrainingResult) -> bool:
    """Whether a report is recorded; any other gets the stored answer."""
    return result.final or is_new_epoch(trial, result) or uses_metric(trial, result)


def is_new_epoch(trial: Trial, result: TrainingResult) -> bool:
    """Whether a report is the first of its epoch."""
    return not trial.reported or result.current_epoch > trial.current_epoch


def uses_metric(trial: Trial, result: TrainingResult) -> bool:
    """Whether a report of a known epoch is judged by its own metric.

    It is when the client has decided by it, and when it is a further evaluation by the process that runs the trial.
    """
    if result.decided is not None:
        return True
    same = result.within_epoch and result.current_epoch == trial.current_epoch and result.instance == trial.instance
    # What is sent again has taken no more time.
    return same and result.instance is not None and result.time > trial.time


def run_of(job: LockedJob, trial: Trial, result: TrainingResult, time: float, energy: float) -> RunState:
    """The run as a new report tells it.

    Args:
        job: The job.
        trial: The trial before the report.
        result: The report.
        time: Training time so far, which never falls [s].
        energy: Energy used so far, which never falls [J].
    """
    power = _available_power(job.state.spec, result.power_limit)
    new_metric = is_new_epoch(trial, result) or uses_metric(trial, result)
    # The metrics of an outage only the client has counted.
    non_finite = NON_FINITE_LIMIT - 1 if result.decided is Outcome.DIVERGED else trial.non_finite_in_row
    return RunState(
        batch_size=trial.batch_size,
        cost=job.state.cost(energy, time),
        epoch=max(result.current_epoch, trial.current_epoch),
        epoch_before=trial.current_epoch,
        metric=result.metric if new_metric else trial.metric,
        non_finite_before=non_finite if new_metric else 0,
        uncapped=trial.uncapped or result.decided is Outcome.CONVERGED,
        final=result.final or result.decided is not None,
        epoch_bound=trial.epoch_bound,
        power_share=energy / time / power if time > 0 and power > 0 else None,
    )


def _available_power(spec: JobSpecFromClient, power_limit: float | None) -> float:
    """The greatest power that a run may draw [W]: that of its power limit, or else the job's maximum."""
    if power_limit is None or spec.number_of_gpus == 0:
        return spec.max_power
    return min(spec.max_power, power_limit * spec.number_of_gpus)


def judge(job: LockedJob, trial: Trial, run: RunState) -> tuple[RunState, Verdict]:
    """Decide whether a run ends.

    Returns:
        The run, with its curve where that was looked at, which is seldom; and the verdict.
    """
    progress = job.state.progress
    if not job.is_current_generation(trial):
        return run, judge_alone(job.knobs.target, run)
    wanted = job.policy.sizes_to_judge(job.knobs, progress, run)
    sizes = job.some_sizes(wanted)
    if wanted and not sizes[run.batch_size].converged:
        run = _with_curve(job, trial, _with_first_report(job, trial, run))
    return run, job.policy.judge(job.knobs, progress, sizes, run)


def _with_first_report(job: LockedJob, trial: Trial, run: RunState) -> RunState:
    """The run with what it had cost at its first report, which may be this one."""
    first = job.first_report(trial)
    if first is None:
        return replace(run, first_epoch=run.epoch, first_cost=run.cost)
    return replace(run, first_epoch=first.epoch, first_cost=job.state.cost(first.energy, first.time))


def _with_curve(job: LockedJob, trial: Trial, run: RunState) -> RunState:
    """The run with its evaluations up to this one."""
    if run.curve:
        return run
    stored = job.curve(trial)
    latest = [(run.epoch, run.metric)] if not stored or run.epoch > stored[-1][0] else []
    return replace(run, curve=[*stored, *latest])


def max_epochs_hint(job: LockedJob, epoch: int, verdict: Verdict) -> str:
    """The verdict's message; that of the second run in a row that ended below ``max_epochs`` names it, once.

    A script that trains less looks like a failure of each batch size.
    """
    if not _ended_early(job, verdict.outcome, epoch):
        return verdict.message
    early = [_ended_early(job, trial.outcome, trial.current_epoch) for trial in job.latest_decided(2)]
    if early not in ([True], [True, False]):
        return verdict.message
    return (
        f"{verdict.message} The run before ended below max_epochs ({job.knobs.max_epochs}) too: set max_epochs to what "
        "the script trains at most, or let it train longer."
    )


def with_facts(job: LockedJob, before: Trial, after: Trial, source: EnergySource | None) -> LockedJob:
    """The job with what any report tells: how long epochs take, and what energy readings rest on.

    Args:
        job: The job.
        before: The trial before the report.
        after: The trial after it.
        source: What the report's energy reading rests on.
    """
    epoch_s = (after.time - job.reported_time_s(before)) / max(1, after.current_epoch - before.current_epoch)
    if job.state.energy_source is None and source not in (None, EnergySource.PARTIAL):
        job = job.with_state(energy_source=source)
    # Not at every small rise, so that most reports leave the job's row alone.
    return job.with_state(longest_epoch_s=epoch_s) if epoch_s > 1.25 * job.state.longest_epoch_s else job


def learn(job: LockedJob, trial: Trial, run: RunState, outcome: Outcome) -> tuple[LockedJob, Trial]:
    """What the job learns from a trial that was decided; from one of an older generation, nothing."""
    if not job.is_current_generation(trial):
        return job, trial
    if trial.energy_source is not None and trial.energy_source is not job.state.energy_source:
        return _learn_nothing(job, trial, trial.energy_source)
    job, trial = _fill_place(job, trial)
    if outcome is Outcome.CONVERGED and job.policy.reads_curves:
        run = _with_curve(job, trial, run)
    if job.policy.reads_curves:
        run = _with_first_report(job, trial, run)
    run = replace(run, uncapped=trial.uncapped)
    lesson = job.policy.conclude(job.knobs, job.state.progress, job.sizes, run, outcome)
    job = job.with_state(progress=lesson.progress, foreign_source_in_row=0).with_sizes(lesson.sizes)
    if ended_by_script(job.knobs, outcome, run.epoch) and lesson.sizes[run.batch_size].live:
        trial = _without_place(trial)
    return job, replace(trial, reward=lesson.reward)


def count_failure(job: LockedJob, trial: Trial, reason: FailReason) -> LockedJob:
    """Count an end without a result against the trial's size; out of memory counts in every generation."""
    if not job.is_current_generation(trial) and reason is not FailReason.OOM:
        return job
    return job.with_sizes(after_failure(job.sizes, trial.batch_size, reason))


def forgive_failure(job: LockedJob, trial: Trial, reason: FailReason) -> LockedJob:
    """Take back an end without a result, since the trial goes on or has ended otherwise."""
    if not job.is_current_generation(trial):
        return job
    return job.with_sizes(undo_failure(job.sizes, trial.batch_size, reason))


def type_after_return(job: LockedJob, trial: Trial) -> TrialType:
    """What a reopened trial is for: an Exploration whose place is taken, or whose round is over, is Concurrent."""
    progress = job.state.progress
    if trial.type is not TrialType.EXPLORATION:
        return trial.type
    if progress.stage is not Stage.PRUNING or (trial.generation, trial.round) != (progress.generation, progress.round):
        return TrialType.CONCURRENT
    places = job.explorations()
    held = trial.batch_size in places or any(other.open for other in places.values())
    return TrialType.CONCURRENT if held else TrialType.EXPLORATION


def best_known(job: LockedJob) -> Choice | None:
    """The best known size, or the live one nearest to the default while none is known; None: none is live."""
    progress, sizes = job.state.progress, job.sizes
    chosen, message = job.policy.best(job.knobs, progress, sizes), None
    if chosen is None:
        live = [size for size, state in sizes.items() if state.live]
        if not live:
            return None
        chosen = job.policy.advised(job.knobs, sizes) or nearest(live, job.knobs.default_batch_size)[0]
        message = f"No batch size has converged yet; this run does not explore and gets {chosen}."
    trial_type = TrialType.MAB if progress.stage is Stage.MAB else TrialType.CONCURRENT
    return Choice(chosen, trial_type, progress, sizes, message=message)


def _without_place(trial: Trial) -> Trial:
    """A decided trial that leaves its place in the walk to another, as it says too little about its size."""
    return replace(trial, type=TrialType.CONCURRENT) if trial.type is TrialType.EXPLORATION else trial


def _ended_early(job: LockedJob, outcome: Outcome | None, epoch: int) -> bool:
    return outcome is not None and ended_by_script(job.knobs, outcome, epoch)


def _learn_nothing(job: LockedJob, trial: Trial, source: EnergySource) -> tuple[LockedJob, Trial]:
    """The trial's energy rests on something else than the job's; after some of these, the job goes over to that.

    Energy that could not be measured in part is no other source: the job never goes over to it.
    """
    why = wording.why_left_out(source, job.state.energy_source) or "the job's energy has no source"
    trial = _without_place(replace(trial, message=f"{trial.message} {wording.NOT_LEARNT} {why}."))
    if source is EnergySource.PARTIAL:
        return job, trial
    in_row = job.state.foreign_source_in_row + 1
    if in_row < FOREIGN_SOURCES_TO_SWITCH:
        return job.with_state(foreign_source_in_row=in_row), trial
    progress, sizes = begin_generation(job.knobs, job.state.progress, job.sizes)
    job = job.with_state(progress=replace(progress, try_all_sizes=False), energy_source=source, foreign_source_in_row=0)
    return job.with_sizes(sizes), trial


def _fill_place(job: LockedJob, trial: Trial) -> tuple[LockedJob, Trial]:
    """Let a decided trial fill its place in the walk, if that is still to be filled.

    A reopened Exploration had become Concurrent because its place was handed out again; if it is decided first, it
    fills the place after all, and the other becomes Concurrent.
    """
    progress = job.state.progress
    if trial.type is not TrialType.CONCURRENT or trial.round is None or progress.stage is not Stage.PRUNING:
        return job, trial
    if trial.round != progress.round:
        return job, trial
    other = job.explorations().get(trial.batch_size)
    if other is not None:
        if not other.open:
            return job, trial
        job = job.with_trial(replace(other, type=TrialType.CONCURRENT))
    return job, replace(trial, type=TrialType.EXPLORATION)
