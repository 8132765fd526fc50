"""What a job makes of a past run: how far it counts, and what is learnt from it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import fmean

from zeus_bso.exceptions import RefusedRunsError
from zeus_bso.policy.state import Curve, Knobs, RunState
from zeus_bso.policy.stop import target_reached
from zeus_bso.protocol.past_runs import PastRun, PastRuns, PastRunUse, PastSizeView
from zeus_bso.protocol.words import MAX_TOTAL, Outcome
from zeus_bso.server.observations.models import KnownRuns, PastRunRecord
from zeus_bso.server.services.locked_job import LockedJob

USUAL_POWER_SHARE = 0.7
"""A job of which no power is known is taken to draw this share of its maximum power."""

AHEAD = timedelta(days=1)
"""The clock, or the time zone, of a source may be wrong by so much."""

MOST_NAMED = 10
"""So many wrong runs are named; of the others only their number."""

CURVE_POINTS = 256
"""A curve is stored with so many points at most."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of telling a job of past runs.

    Attributes:
        job: The job to be saved.
        observations: The runs that are new.
        known: Number of the others.
    """

    job: LockedJob
    observations: tuple[PastRunRecord, ...]
    known: int


@dataclass(frozen=True, slots=True)
class _Figures:
    """A run as far as it counts: up to the target, or to ``max_epochs``."""

    outcome: Outcome
    epochs: int | None
    time: float | None
    energy: float | None
    estimated: bool = False
    curve: Curve = ()


def take(job: LockedJob, told: PastRuns, known: KnownRuns) -> Taken:
    """Take past runs in; those that are known already change nothing.

    Args:
        job: The job.
        told: The runs.
        known: What is known before.

    Raises:
        RefusedRunsError: Runs cannot be of this job, or say nothing; the message names them.
    """
    new = _new_runs(told, known)
    figures = _checked(job, new)
    of_past = told.mean_power or known.past_power or _mean_power(figures)
    mean_power = known.mean_power or of_past or USUAL_POWER_SHARE * job.state.spec.max_power
    observations = []
    for number, (run, found) in enumerate(zip(new, figures, strict=True), start=known.last_number + 1):
        job, observation = _learn(job, told.source, number, run, _completed(found, mean_power))
        observations.append(observation)
    job = job.with_state(progress=job.policy.recalibrated(job.knobs, job.state.progress, job.sizes))
    return Taken(job, tuple(observations), known=len(told.runs) - len(new))


def learnt(observations: Sequence[PastRunRecord]) -> Counter[PastRunUse]:
    """Count runs by what they are used for."""
    return Counter(each.lesson for each in observations)


def by_size(observations: Sequence[PastRunRecord]) -> list[PastSizeView]:
    """What runs say about each batch size, ascending."""
    found = []
    for size in sorted({each.batch_size for each in observations}):
        own = [each for each in observations if each.batch_size == size]
        reached = [each for each in own if each.outcome is Outcome.CONVERGED]
        priced = [each for each in reached if each.cost is not None]
        found.append(
            PastSizeView(
                batch_size=size,
                runs=len(own),
                reached=len(reached),
                with_epochs=sum(each.epochs is not None for each in reached),
                with_cost=len(priced),
                mean_epochs=_mean([each.epochs for each in reached]),
                mean_energy=_mean([each.energy for each in priced]),
                mean_time=_mean([each.time for each in priced]),
                estimated=sum(each.estimated for each in own),
            )
        )
    return found


def _new_runs(told: PastRuns, known: KnownRuns) -> list[PastRun]:
    """The runs that are not known; of two with one id the first."""
    seen = set(known.run_ids)
    new = []
    for run in told.runs:
        if run.run_id not in seen:
            seen.add(run.run_id)
            new.append(run)
    return new


def _checked(job: LockedJob, runs: Sequence[PastRun]) -> list[_Figures]:
    latest = job.now + AHEAD
    found = [_figures(job.knobs, run, latest) for run in runs]
    wrong = [f"run {run.run_id!r}: {each}" for run, each in zip(runs, found, strict=True) if isinstance(each, str)]
    if wrong:
        more = f"; and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
        raise RefusedRunsError(f"Nothing is stored. {'; '.join(wrong[:MOST_NAMED])}{more}.")
    return [each for each in found if not isinstance(each, str)]


def _figures(knobs: Knobs, run: PastRun, latest: datetime) -> _Figures | str:
    """How far a run counts; or why it cannot be a run of this job, or says nothing."""
    if run.ended_at is not None and run.ended_at > latest:
        return f"ended_at is {run.ended_at:%Y-%m-%d}, which is in the future"
    try:
        return _counting(knobs, run)
    except ValueError as error:
        return str(error)


def _counting(knobs: Knobs, run: PastRun) -> _Figures:
    if run.batch_size not in knobs.batch_sizes:
        raise ValueError(f"batch size {run.batch_size} is none of the job's")
    found = _by_curve(knobs, run) if run.curve else _by_word(knobs, run)
    if found.epochs is None and found.time is None and found.energy is None:
        raise ValueError("neither epochs, nor time, nor energy is given")
    if found.outcome is Outcome.CONVERGED and (found.time == 0 or found.energy == 0):
        raise ValueError("a run that reached its target cannot have taken no time or no energy")
    return found


def _by_curve(knobs: Knobs, run: PastRun) -> _Figures:
    """The run up to the first evaluation that reached the target; the curve alone says whether one did."""
    total = run.epochs or run.curve[-1][0]
    at = next((epoch for epoch, metric in run.curve if target_reached(knobs.target, metric)), None)
    outcome = Outcome.TARGET_MISSED if at is None else Outcome.CONVERGED
    found = _Figures(outcome, total, run.time, run.energy, curve=run.curve)
    return _within_max_epochs(knobs, found if at is None else _up_to(found, at))


def _by_word(knobs: Knobs, run: PastRun) -> _Figures:
    by_metric = None if run.metric is None else target_reached(knobs.target, run.metric)
    if run.reached is None and by_metric is None:
        raise ValueError("nothing says whether it reached the target: give reached, metric or curve")
    if None not in (run.reached, by_metric) and run.reached != by_metric:
        where = "reaches" if by_metric else "is short of"
        raise ValueError(f"reached is {run.reached}, but its metric {run.metric:g} {where} {knobs.target_metric:g}")
    outcome = Outcome.CONVERGED if run.reached or by_metric else Outcome.TARGET_MISSED
    return _within_max_epochs(knobs, _Figures(outcome, run.epochs, run.time, run.energy))


def _within_max_epochs(knobs: Knobs, found: _Figures) -> _Figures:
    """A run that needed more epochs would have missed its target."""
    if found.epochs is None or found.epochs <= knobs.max_epochs:
        return found
    return replace(_up_to(found, knobs.max_epochs), outcome=Outcome.TARGET_MISSED)


def _up_to(found: _Figures, epoch: int) -> _Figures:
    assert found.epochs is not None
    share = epoch / found.epochs
    return replace(
        found,
        epochs=epoch,
        time=None if found.time is None else found.time * share,
        energy=None if found.energy is None else found.energy * share,
        curve=[(at, metric) for at, metric in found.curve if at <= epoch],
    )


def _mean_power(figures: Sequence[_Figures]) -> float | None:
    """Mean power of the runs that tell of both time and energy [W]."""
    whole = [(each.time, each.energy) for each in figures if each.time and each.energy]
    time, energy = (sum(one[place] or 0.0 for one in whole) for place in (0, 1))
    return energy / time if time > 0.0 else None


def _completed(found: _Figures, mean_power: float) -> _Figures:
    """The run with the energy, or the time, that it lacks, unless that comes out beyond all bounds."""
    if mean_power <= 0.0 or (found.time is None) == (found.energy is None):
        return found
    if found.energy is None:
        energy = (found.time or 0.0) * mean_power
        return replace(found, energy=energy, estimated=True) if energy <= MAX_TOTAL else found
    time = found.energy / mean_power
    return replace(found, time=time, estimated=True) if time <= MAX_TOTAL else found


def _learn(job: LockedJob, source: str, number: int, run: PastRun, found: _Figures) -> tuple[LockedJob, PastRunRecord]:
    cost = None if found.time is None or found.energy is None else job.state.cost(found.energy, found.time)
    generation = job.state.progress.generation
    job, lesson, reward = _learn_run(job, run, found, cost) if found.epochs else (job, PastRunUse.COST, None)
    if lesson is PastRunUse.COST and not _in_baseline(job, run, found, cost):
        lesson = PastRunUse.NOTHING
    decision = None
    if lesson is PastRunUse.RUN:
        decision = job.state.last_decision + 1
        job = job.with_state(last_decision=decision)
    return job, PastRunRecord(
        job_id=job.job_id,
        number=number,
        source=source,
        run_id=run.run_id,
        batch_size=run.batch_size,
        outcome=found.outcome,
        lesson=lesson,
        generation=generation,
        epochs=found.epochs,
        time=found.time,
        energy=found.energy,
        estimated=found.estimated,
        cost=cost,
        reward=reward,
        decision=decision,
        curve=_thinned(found.curve),
        ended_at=run.ended_at,
        recorded_at=job.now,
    )


def _in_baseline(job: LockedJob, run: PastRun, found: _Figures, cost: float | None) -> bool:
    default = job.state.spec.default_batch_size
    return cost is not None and found.outcome is Outcome.CONVERGED and run.batch_size == default


def _learn_run(
    job: LockedJob, run: PastRun, found: _Figures, cost: float | None
) -> tuple[LockedJob, PastRunUse, float | None]:
    knobs, progress, sizes = job.knobs, job.state.progress, job.sizes
    state = RunState(run.batch_size, cost or 0.0, found.epochs or 0, power_share=_power_share(job, found))
    if cost:
        state = replace(state, curve=found.curve)
        lesson = job.policy.learn_past_run(knobs, progress, sizes, state, found.outcome)
        if lesson is None:
            return job, PastRunUse.COST, None
        return job.with_state(progress=lesson.progress).with_sizes(lesson.sizes), PastRunUse.RUN, lesson.reward
    learnt = job.policy.learn_past_epochs(progress, sizes, state, found.outcome)
    if learnt is None:
        return job, PastRunUse.COST, None
    return job.with_state(progress=learnt[0]).with_sizes(learnt[1]), PastRunUse.EPOCHS, None


def _power_share(job: LockedJob, found: _Figures) -> float | None:
    most = job.state.spec.max_power
    if found.estimated or not found.time or not found.energy or most <= 0.0:
        return None
    return found.energy / found.time / most


def _thinned(curve: Curve) -> Curve:
    if len(curve) <= CURVE_POINTS:
        return tuple(curve)
    step = (len(curve) - 1) / (CURVE_POINTS - 1)
    return tuple(curve[round(index * step)] for index in range(CURVE_POINTS))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
