"""The savings of jobs, for the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from zeus_bso import savings, units
from zeus_bso.power.full_power import FullPower, at_full_power
from zeus_bso.protocol import wording
from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.savings_views import (
    FleetSavings,
    JobSavings,
    RunCounts,
    SavedView,
    SavingsPoint,
)
from zeus_bso.protocol.words import EnergySource, FailReason, Outcome
from zeus_bso.savings import EndedRun, LimitedUse, Saving
from zeus_bso.server.job.models import JobState
from zeus_bso.server.observations.models import PastTotals
from zeus_bso.server.overview.models import EndedTrial, JobRuns, JobTotals, SizeRecord
from zeus_bso.server.overview.prices import EnergyPrices, scaled

ALARM_AFTER = 5
"""Number of ended runs in a row without a converged one that raises an alarm."""

MOST_POINTS = 500
"""Largest number of points in a saving over time."""


def job_savings(job: JobState, runs: JobRuns, totals: JobTotals, prices: EnergyPrices) -> JobSavings:
    """The savings of a job.

    Args:
        job: The job.
        runs: Its trials.
        totals: What it adds to the totals of all jobs.
        prices: Price and emissions of energy.
    """
    default = job.spec.default_batch_size
    energy = totals.energy
    baseline = [record for record in runs.records if record.batch_size == default]
    baseline_runs = sum(record.converged for record in baseline) + runs.past.energy.converged
    ends = [*(record.last_converged_at for record in baseline), runs.past.last_at]
    latest = max((at for at in ends if at), default=None)
    last_at = latest.isoformat() if latest else None
    return JobSavings(
        job_id=job.job_id,
        energy=_view(energy),
        time=_view(totals.time),
        cost=_view(savings.saving_with_limits(_costs(job, runs), default, runs.past.cost)),
        energy_kwh=prices.kwh(energy),
        money=prices.money(energy),
        co2e_kg=prices.co2e_kg(energy),
        currency=prices.currency,
        runs=totals.runs,
        energy_source=job.energy_source,
        estimated=_is_estimated(job, runs),
        baseline_batch_size=default,
        baseline_runs=baseline_runs,
        baseline_past_runs=runs.past.energy.converged,
        baseline_last_at=last_at,
        alarm=_alarm(runs),
        message=_message(job, energy, runs, baseline_runs, last_at),
    )


def job_totals(job: JobState, runs: JobRuns) -> JobTotals:
    """What a job adds to the totals of all jobs.

    Args:
        job: The job.
        runs: Its trials.
    """
    default = job.spec.default_batch_size
    energies, times = _energies(job, runs), _times(job, runs)
    return JobTotals(
        energy=savings.saving_with_limits(energies, default, runs.past.energy),
        time=savings.saving_with_limits(times, default, runs.past.time),
        spent_energy=sum(each.use.total + each.use.lost + each.profiling for each in energies),
        spent_time=sum(each.use.total + each.use.lost + each.profiling for each in times),
        runs=_counts(runs.records),
        energy_source=job.energy_source,
        estimated=_is_estimated(job, runs),
        alarmed=alarmed(runs.ended_since_converged),
    )


def fleet_savings(jobs: Sequence[JobTotals], prices: EnergyPrices) -> FleetSavings:
    """The savings of all jobs together.

    Args:
        jobs: What each of them adds.
        prices: Price and emissions of energy.
    """
    compared = [job.energy for job in jobs if job.energy is not None]
    energy, time = savings.total(compared), savings.total([job.time for job in jobs if job.time is not None])
    estimated = sum(job.estimated for job in jobs)
    return FleetSavings(
        energy=_view(energy),
        time=_view(time),
        energy_kwh=prices.kwh(energy),
        money=prices.money(energy),
        co2e_kg=prices.co2e_kg(energy),
        currency=prices.currency,
        runs=RunCounts(
            converged=sum(job.runs.converged for job in jobs),
            unconverged=sum(job.runs.unconverged for job in jobs),
            failed=sum(job.runs.failed for job in jobs),
            left_out=sum(job.runs.left_out for job in jobs),
        ),
        estimated=estimated > 0,
        message=_fleet_message(len(jobs), len(compared), energy, estimated),
        jobs=len(jobs),
        compared_jobs=len(compared),
        estimated_jobs=estimated,
        alarmed_jobs=sum(job.alarmed for job in jobs),
        spent_energy=sum(job.spent_energy for job in jobs),
        spent_time=sum(job.spent_time for job in jobs),
    )


def savings_over_time(
    job: JobState,
    trials: Sequence[EndedTrial],
    power_profiles: Mapping[int, PowerProfile],
    past: PastTotals,
    prices: EnergyPrices,
) -> list[SavingsPoint]:
    """The savings of a job after each run, thinned to at most ``MOST_POINTS`` points that include the last one."""
    default = job.spec.default_batch_size
    shown = thinned(len(trials), MOST_POINTS)
    full = {
        at: _full_power(job, power_profiles, *at) for at in {(trial.batch_size, trial.power_limit) for trial in trials}
    }
    factors = [full[trial.batch_size, trial.power_limit] for trial in trials]
    energy_runs = [
        EndedRun(t.batch_size, t.converged, t.energy, t.wasted_energy, factor.energy, t.profiling_energy)
        for t, factor in zip(trials, factors, strict=True)
    ]
    time_runs = [
        EndedRun(t.batch_size, t.converged, t.time, t.wasted_time, factor.time, t.profiling_time)
        for t, factor in zip(trials, factors, strict=True)
    ]
    energies = savings.over_time(energy_runs, default, shown, past.energy)
    times = savings.over_time(time_runs, default, shown, past.time)
    if energies is None or times is None:
        return []
    points = []
    for index, energy_saved, time_saved in zip(shown, energies, times, strict=True):
        energy_kwh, time = prices.kwh(energy_saved), scaled(time_saved, 1.0)
        assert energy_kwh is not None
        assert time is not None
        points.append(
            SavingsPoint(
                trial_number=trials[index].trial_number,
                batch_size=trials[index].batch_size,
                ended_at=trials[index].ended_at.isoformat(),
                energy_kwh=energy_kwh,
                time=time,
            )
        )
    return points


def thinned(count: int, most: int) -> list[int]:
    """At most ``most`` of the indexes below ``count``, evenly spaced, including the first and the last."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def alarmed(ended_since_converged: int) -> bool:
    """Whether so many ended trials without a converged one raise an alarm."""
    return ended_since_converged >= ALARM_AFTER


_ADVICE: Mapping[str, str] = {
    FailReason.OOM.value: "All ran out of memory. Offer smaller batch sizes, or free the GPU's memory.",
    FailReason.ERROR.value: "All crashed. Look at the log of the training script.",
    FailReason.EXPIRED.value: "All fell silent. Look whether the training is killed, or the network is down.",
    FailReason.PREEMPTED.value: "All were preempted. Resume from checkpoints, so that runs come to an end.",
    FailReason.CANCELLED.value: "All were cancelled. Let some runs come to an end.",
    Outcome.TARGET_MISSED.value: "All missed the target. Lower target_metric, or raise max_epochs.",
    Outcome.DIVERGED.value: "All diverged. Check the learning rate and the data.",
    Outcome.COST_BOUND.value: "All were too dear. Raise beta_knob, or look what has made runs slower.",
}
"""What to do if all runs have ended alike."""


def _alarm(runs: JobRuns) -> str | None:
    if not alarmed(runs.ended_since_converged):
        return None
    only = next(iter(runs.ends), "") if len(runs.ends) == 1 else ""
    advice = _ADVICE.get(only) or f"{_ends(runs.ends)}Check target_metric, max_epochs and the data."
    return f"None of the last {runs.ended_since_converged} runs converged. {advice}"


def _ends(ends: Mapping[str, int]) -> str:
    """How runs have ended, in words, the most frequent first."""
    counted = sorted(ends.items(), key=lambda each: (-each[1], each[0]))
    said = ", ".join(f"{number} {wording.end_of(end)}" for end, number in counted)
    return f"{said[0].upper()}{said[1:]}. " if said else ""


def _energies(job: JobState, runs: JobRuns) -> list[LimitedUse]:
    return [
        LimitedUse(
            record.batch_size,
            record.energy,
            _full_power(job, runs.power_profiles, record.batch_size, record.power_limit).energy,
            record.profiling_energy,
        )
        for record in runs.records
    ]


def _times(job: JobState, runs: JobRuns) -> list[LimitedUse]:
    return [
        LimitedUse(
            record.batch_size,
            record.time,
            _full_power(job, runs.power_profiles, record.batch_size, record.power_limit).time,
            record.profiling_time,
        )
        for record in runs.records
    ]


def _costs(job: JobState, runs: JobRuns) -> list[LimitedUse]:
    return [
        LimitedUse(
            record.batch_size,
            replace(record.cost, lost=job.cost(record.energy.lost, record.time.lost)),
            _full_power(job, runs.power_profiles, record.batch_size, record.power_limit).cost,
            job.cost(record.profiling_energy, record.profiling_time),
        )
        for record in runs.records
    ]


def _full_power(
    job: JobState, power_profiles: Mapping[int, PowerProfile], batch_size: int, power_limit: float | None
) -> FullPower:
    """What runs of a batch size at a power limit would have needed at full power."""
    return at_full_power(power_profiles.get(batch_size), power_limit, job.spec.eta_knob, job.spec.max_power)


def _is_estimated(job: JobState, runs: JobRuns) -> bool:
    """Whether some of the energy of a job or of its past runs was estimated instead of measured."""
    return job.energy_source is EnergySource.ESTIMATE or runs.past.estimated > 0


def _counts(records: Sequence[SizeRecord]) -> RunCounts:
    return RunCounts(
        converged=sum(record.converged for record in records),
        unconverged=sum(record.unconverged for record in records),
        failed=sum(record.failed for record in records),
        left_out=sum(record.foreign for record in records),
    )


def _view(saving: Saving | None) -> SavedView | None:
    return None if saving is None else SavedView(**asdict(saving), by_sizes=saving.saved - saving.by_limits)


def _message(job: JobState, energy: Saving | None, runs: JobRuns, baseline_runs: int, last_at: str | None) -> str:
    default = job.spec.default_batch_size
    if energy is None:
        return f"Not enough data yet: no run with the default batch size {default} has converged."
    estimated = " (estimated)" if job.energy_source is EnergySource.ESTIMATE else ""
    last = f", last on {last_at[:10]}" if last_at else ""
    baseline = units.plain(f"baseline: {units.counted(baseline_runs, 'run')}{_past_part(runs.past)}{last}.")
    if _is_zero(energy):
        if not runs.records:
            return f"No run has ended yet, so nothing is saved; {baseline}"
        if all(record.batch_size == default for record in runs.records):
            return f"The job has stayed on its default batch size {default} so far: nothing is saved yet; {baseline}"
        return f"Nothing is saved yet against batch size {default}; {baseline}"
    return f"{_amount(energy)}{estimated}{_by_limits(energy)} against batch size {default}; {baseline}"


def _past_part(past: PastTotals) -> str:
    """How many runs of a baseline are past runs, and how many of these are estimated."""
    if not past.energy.converged:
        return ""
    estimated = f", {units.count(past.estimated)} estimated" if past.estimated else ""
    return f" ({units.count(past.energy.converged)} before the job{estimated})"


def _fleet_message(jobs: int, compared: int, energy: Saving | None, estimated: int) -> str:
    if energy is None:
        return "Not enough data yet: no job has a converged run with its default batch size."
    of_jobs = units.plain(f"{units.count(compared)} of {units.counted(jobs, 'job')}")
    if _is_zero(energy):
        return f"Nothing is saved yet over {of_jobs}."
    partly = "" if not estimated else " (estimated)" if estimated == jobs else " (partly estimated)"
    return f"{_amount(energy)}{partly}{_by_limits(energy)} over {of_jobs}."


def _is_zero(saving: Saving) -> bool:
    view = _view(saving)
    return view is not None and view.is_zero


def _by_limits(energy: Saving) -> str:
    by_limits = energy.by_limits if energy.saved >= 0 else -energy.by_limits
    return units.plain(f", {units.energy(by_limits)} of it by power limits,") if by_limits else ""


def _amount(energy: Saving) -> str:
    """What was saved or lost, with its 95 % interval."""
    unit = units.energy_unit([energy.saved])
    ends_j = (energy.low, energy.high) if energy.saved >= 0 else (-energy.high, -energy.low)
    interval = units.interval(*(units.number(end_j / units.JOULES[unit]) for end_j in ends_j))
    amount = f"{units.energy(abs(energy.saved), unit)} {'saved' if energy.saved >= 0 else 'lost'}"
    return units.plain(f"{amount} ({interval})" if interval else amount)
