"""What a job learns about power limits. Pure."""

from __future__ import annotations

from zeus_bso.power.goal import goal_of
from zeus_bso.power.search import merged
from zeus_bso.protocol.messages import Heartbeat, TrainingResult
from zeus_bso.protocol.power import PowerProfile, PowerUse
from zeus_bso.protocol.words import EnergySource
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.services.locked_job import LockedJob


def learn(job: LockedJob, trial: Trial, message: TrainingResult | Heartbeat) -> LockedJob:
    """The job with what a run tells of its batch size at each power limit.

    It does not matter what else became of the message, nor of which generation the trial is: the hardware is the same.

    Args:
        job: The job, which has learnt its energy source from the message already.
        trial: The trial of the run.
        message: What the run says. Most messages say nothing of power limits.
    """
    told = message.power_profile
    if told is None or not told.points or _source(trial, message) not in (None, job.state.energy_source):
        return job
    spec = job.state.spec
    stored = job.power_profile(trial.batch_size)
    profile = _descending(merged(stored, told, goal_of(spec, spec.max_power)))
    return job if profile == stored else job.with_power_profile(trial.batch_size, profile)


def fields_of(use: PowerUse) -> dict[str, float | None]:
    """The fields of a trial that a report tells of power limits."""
    return {
        "power_limit": use.power_limit,
        "profiling_time": use.profiling_time,
        "profiling_energy": use.profiling_energy,
    }


def profile_to_offer(job: LockedJob, trial: Trial) -> PowerProfile | None:
    """What a run is told of its batch size; nothing unless it is to find the best power limit."""
    return job.power_profile(trial.batch_size) if job.state.spec.power_limit == "optimize" else None


def _source(trial: Trial, message: TrainingResult | Heartbeat) -> EnergySource | None:
    told = message.energy_source if isinstance(message, TrainingResult) else None
    return told or trial.energy_source


def _descending(profile: PowerProfile) -> PowerProfile:
    """A profile with its limits in the order in which it is read, so that the same one is known again."""
    return profile.model_copy(update={"points": tuple(sorted(profile.points, key=lambda point: -point.limit))})
