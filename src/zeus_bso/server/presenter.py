"""Read models for people, which the API, the command line and the dashboard show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from zeus_bso.policy.ancestor import Kinship
from zeus_bso.policy.explanation import BelievedCost
from zeus_bso.policy.state import Knobs, Sizes, SizeState
from zeus_bso.policy.zeus.mab import belief
from zeus_bso.power.goal import goal_of
from zeus_bso.power.search import next_limit
from zeus_bso.protocol import wording
from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.views import AncestorView, BatchSizeView, JobSummary, JobView, PowerProfileView, TrialView
from zeus_bso.protocol.words import EnergySource
from zeus_bso.server.batch_size_state.commands import ReadTrials
from zeus_bso.server.batch_size_state.models import SizeTotals, Trial
from zeus_bso.server.job.models import JobState
from zeus_bso.server.observations.models import PastTotals
from zeus_bso.server.services.service import ZeusService

_NO_TRIALS = SizeTotals(0, 0, 0, 0, {}, None, None, None)


def show_job(service: ZeusService, job_id: str) -> JobView:
    """One job with its spec and its batch sizes.

    Raises:
        UnknownJobError: There is no such job.
    """
    job = service.get_job(job_id, status_code=404)
    choice_input = service.choice_input(job)
    profiles = service.power_profiles_of([job_id]).get(job_id, {})
    sizes = choice_input.sizes
    totals = service.totals(job)
    trials = sum(total.trials for total in totals.values())
    running = trials - sum(total.converged + total.unconverged + total.failed for total in totals.values())
    believed = job.policy.believed(job.knobs, job.progress, sizes)
    following = job.policy.explain(choice_input)
    past_runs = service.past_totals_of([job_id]).get(job_id, PastTotals()).sources
    return JobView(
        **summarize(job, sizes, trials, running, chosen_power_limit(job, sizes, profiles)).model_dump(),
        spec=job.spec,
        batch_sizes=[
            show_size(state, totals.get(size, _NO_TRIALS), job.knobs, believed.get(size))
            for size, state in sizes.items()
        ],
        next_batch_size=following.batch_size,
        next_run=following.sentence,
        left_out=wording.left_out_runs(_left_out(totals.values()), job.energy_source),
        ancestor=_ancestor(service, job),
        began_with=_began_with(service, job),
        power_profiles=[show_power_profile(job, size, profile) for size, profile in profiles.items()],
        past_runs=dict(past_runs),
    )


def list_trials(service: ZeusService, command: ReadTrials) -> list[TrialView]:
    """Trials of a job, by number.

    Raises:
        UnknownJobError: There is no such job.
    """
    job = service.get_job(command.job_id, status_code=404)
    return [show_trial(trial, job.energy_source) for trial in service.trials(command)]


def chosen_power_limit(job: JobState, sizes: Sizes, power_profiles: Mapping[int, PowerProfile]) -> float | None:
    """The power limit of each GPU at the best known batch size [W]. None if it is not known, or no limit is set.

    Args:
        job: The job.
        sizes: What is known about its batch sizes; not needed if it leaves the limits alone.
        power_profiles: What is known about them at each power limit.
    """
    spec = job.spec
    if spec.power_limit == "off":
        return None
    if spec.power_limit != "optimize":
        return spec.power_limit
    size = job.policy.best(job.knobs, job.progress, sizes)
    best = goal_of(spec, spec.max_power).best(power_profiles.get(size or 0))
    return best.limit if best else None


def show_power_profile(job: JobState, batch_size: int, profile: PowerProfile) -> PowerProfileView:
    """What is known about a batch size at each power limit."""
    goal = goal_of(job.spec, job.spec.max_power)
    best = goal.best(profile)
    assert best is not None, "a profile without limits is not stored"
    return PowerProfileView(
        **dict(profile), batch_size=batch_size, best_limit=best.limit, finished=next_limit(profile, goal) is None
    )


def summarize(job: JobState, sizes: Sizes, trials: int, open_trials: int, chosen_limit: float | None) -> JobSummary:
    """A summary of a job."""
    return JobSummary(
        job_id=job.job_id,
        stage=job.progress.stage,
        exploring=job.policy.is_exploring(job.knobs, job.progress, sizes),
        policy=job.spec.policy,
        gpu_model=job.spec.gpu_model,
        number_of_gpus=job.spec.number_of_gpus,
        generation=job.progress.generation,
        trials=trials,
        open_trials=open_trials,
        chosen_batch_size=job.policy.best(job.knobs, job.progress, sizes),
        chosen_power_limit=chosen_limit,
        default_batch_size=job.spec.default_batch_size,
        min_cost=job.progress.min_cost,
        energy_source=job.energy_source,
        no_size_converges=job.progress.try_all_sizes and job.progress.min_cost is None,
        created_at=_iso(job.created_at),
        updated_at=_iso(job.updated_at),
    )


def show_size(state: SizeState, total: SizeTotals, knobs: Knobs, believed: BelievedCost | None) -> BatchSizeView:
    """The results and beliefs for one batch size."""
    reward = belief(state.arm, knobs) if state.arm.num_observations else None
    return BatchSizeView(
        batch_size=state.batch_size,
        trials=total.trials,
        converged=total.converged,
        unconverged=total.unconverged,
        failed=total.failed,
        left_out=sum(total.left_out.values()),
        mean_energy=total.mean_energy,
        mean_time=total.mean_time,
        mean_cost=total.mean_cost,
        observations=state.arm.num_observations,
        belief_mean=reward.mean if reward else None,
        belief_std=reward.scale if reward else None,
        believed_cost=believed.cost if believed else None,
        believed_cost_low=believed.low if believed else None,
        believed_cost_high=believed.high if believed else None,
        retired=state.retired.value if state.retired else None,
        is_arm=state.is_arm,
    )


def show_trial(trial: Trial, of_job: EnergySource | None = None) -> TrialView:
    """One trial.

    Args:
        trial: The trial.
        of_job: Source of the energy of its job, if the message has to say why the trial is left out.
    """
    return TrialView(
        job_id=trial.job_id,
        batch_size=trial.batch_size,
        trial_number=trial.trial_number,
        generation=trial.generation,
        type=trial.type,
        status=trial.status,
        outcome=trial.outcome,
        reason=trial.reason,
        round=trial.round,
        uncapped=trial.uncapped,
        run_id=trial.run_id,
        time=trial.time,
        energy=trial.energy,
        metric=trial.metric,
        current_epoch=trial.current_epoch,
        cost=trial.cost,
        target_reached=trial.target_reached,
        wasted_time=trial.wasted_time,
        wasted_energy=trial.wasted_energy,
        power_limit=trial.power_limit,
        profiling_time=trial.profiling_time,
        profiling_energy=trial.profiling_energy,
        energy_source=trial.energy_source,
        started_at=_iso(trial.started_at),
        ended_at=_iso(trial.ended_at) if trial.ended_at else None,
        message=_message(trial, of_job),
    )


def _ancestor(service: ZeusService, job: JobState) -> AncestorView | None:
    begun = job.inheritance
    if begun is None:
        return None
    return AncestorView(job_id=service.told_id(begun.job_id), kind=begun.kinship.value, runs=begun.runs)


def _began_with(service: ZeusService, job: JobState) -> str | None:
    begun = job.inheritance
    if begun is None:
        return None
    identical = begun.kinship is Kinship.IDENTICAL
    return wording.began_with(
        service.told_id(begun.job_id), begun.runs, identical=identical, in_use=job.ancestor is not None
    )


def _message(trial: Trial, of_job: EnergySource | None) -> str:
    why = None if trial.open else wording.why_left_out(trial.energy_source, of_job)
    # That of a decided trial already says so.
    return trial.message if why is None or wording.NOT_LEARNT in trial.message else f"{trial.message} Left out: {why}."


def _left_out(totals: Iterable[SizeTotals]) -> Counter[EnergySource]:
    found: Counter[EnergySource] = Counter()
    for total in totals:
        found.update(total.left_out)
    return found


def _iso(stamp: datetime) -> str:
    return stamp.isoformat()
