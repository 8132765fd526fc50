"""Views of jobs and trials as a server would show them, made by hand."""

from __future__ import annotations

from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.views import BatchSizeView, JobView, TrialView
from zeus_bso.protocol.words import EnergySource, Outcome, Stage, TrialStatus, TrialType

SPEC = JobSpecFromClient(
    job_id="digits-1",
    job_id_prefix="digits",
    batch_sizes=[32, 64, 256],
    default_batch_size=256,
    max_power=100.0,
    number_of_gpus=0,
    gpu_model="CPU",
)


def size(batch_size: int, converged: int = 0, unconverged: int = 0, cost: float | None = None) -> BatchSizeView:
    return BatchSizeView(
        batch_size=batch_size,
        trials=converged + unconverged,
        converged=converged,
        unconverged=unconverged,
        failed=0,
        mean_energy=cost,
        mean_time=None if cost is None else cost / 100,
        mean_cost=cost,
        observations=converged,
        belief_mean=None,
        belief_std=None,
        retired=None,
        is_arm=converged > 0,
    )


def trial(number: int, batch_size: int, cost: float | None, *, converged: bool = True) -> TrialView:
    return TrialView(
        job_id="digits-1",
        batch_size=batch_size,
        trial_number=number,
        generation=1,
        type=TrialType.MAB,
        status=TrialStatus.SUCCEEDED,
        outcome=Outcome.CONVERGED if converged else Outcome.COST_BOUND,
        reason=None,
        round=None,
        uncapped=False,
        run_id=None,
        time=1.0,
        energy=1.0,
        metric=0.9,
        current_epoch=3,
        cost=cost,
        target_reached=converged,
        wasted_time=0.0,
        wasted_energy=0.0,
        energy_source=EnergySource.ESTIMATE,
        started_at="2026-01-01T00:00:00+00:00",
        ended_at="2026-01-01T00:00:01+00:00",
        message="",
    )


def job(
    sizes: list[BatchSizeView],
    chosen: int | None,
    source: EnergySource = EnergySource.RAPL,
    stage: Stage = Stage.MAB,
    **changes: object,
) -> JobView:
    view = JobView(
        job_id="digits-1",
        stage=stage,
        policy="zeus",
        gpu_model="CPU",
        number_of_gpus=0,
        generation=1,
        trials=sum(view.trials for view in sizes),
        open_trials=0,
        chosen_batch_size=chosen,
        default_batch_size=256,
        min_cost=None,
        energy_source=source,
        no_size_converges=False,
        created_at="2026-01-01T00:00:00+00:00",
        updated_at="2026-01-01T00:00:00+00:00",
        spec=SPEC,
        batch_sizes=sizes,
    )
    return view.model_copy(update=changes)
