"""What is known about a job, worked out again from its stored trials and past runs, under its present settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from zeus_bso.policy.state import GaussianTsArmState, SurrogateArmState
from zeus_bso.policy.zeus.zeus_algorithm import observed_cost
from zeus_bso.protocol.words import Outcome
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.observations.models import PastRunRecord
from zeus_bso.server.services.locked_job import LockedJob


def recompute(
    job: LockedJob, trials: Sequence[Trial], past_runs: Sequence[PastRunRecord] = ()
) -> tuple[LockedJob, list[Trial], list[PastRunRecord]]:
    """Work out costs, arms, sums of costs and the least cost again, decision by decision.

    Which sizes are retired stays as it is, and so does what was guessed of epochs-to-target: that is decided. What the
    surrogate holds of a size's costs changes by the factor by which the costs of its trials do: what it has forgotten
    stays forgotten.

    Args:
        job: The job under its present settings.
        trials: All its decided trials.
        past_runs: All its past runs.

    Returns:
        The job, the trials and the past runs, with their costs and rewards, as they would be had the settings always
        held.
    """
    knobs = job.knobs
    min_cost: float | None = None
    sizes = {
        size: replace(
            state,
            arm=GaussianTsArmState(),
            surrogate=replace(state.surrogate, last_pace=None),
            best_cost=None,
        )
        for size, state in job.sizes.items()
    }
    totals = dict.fromkeys(sizes, (0.0, 0.0))
    spent_before, spent = 0.0, 0.0
    priced = [run for run in past_runs if run.energy is not None and run.time is not None]
    runs: list[Trial | PastRunRecord] = [*priced, *trials]
    again: list[Trial | PastRunRecord] = []
    for run in sorted(runs, key=lambda run: run.decision or 0):
        cost = job.state.cost(run.energy or 0.0, run.time or 0.0)
        reward = None if run.reward is None else -cost
        if run.generation == job.state.progress.generation and reward is not None and run.outcome:
            state = sizes[run.batch_size]
            reward = -observed_cost(knobs, run.outcome, cost, _epochs(run), min_cost)
            best = state.best_cost
            if run.outcome is Outcome.CONVERGED:
                best = cost if best is None else min(best, cost)
                # A run without a bound replaces the least cost, also if it was below it by the settings of its day.
                alone = isinstance(run, Trial) and run.uncapped
                min_cost = cost if alone or min_cost is None else min(min_cost, cost)
            old, new = totals[run.batch_size]
            totals[run.batch_size] = old + (run.cost or 0.0), new + cost
            spent += cost if isinstance(run, Trial) else 0.0
            spent_before += (run.cost or 0.0) if isinstance(run, Trial) else 0.0
            sizes[run.batch_size] = replace(state, arm=state.arm.observe(reward), best_cost=best)
        again.append(replace(run, cost=cost, reward=reward))
    for size, (old, new) in totals.items():
        sizes[size] = replace(sizes[size], surrogate=_at_new_costs(sizes[size].surrogate, old, new))
    known = job.state.progress.surrogate
    factor = spent / spent_before if spent_before > 0.0 else 0.0
    factor = factor if math.isfinite(factor * known.look_spent) else 0.0
    if job.state.spec.policy == "surrogate":
        known = replace(known, spent=spent, look_spent=known.look_spent * factor)
    progress = replace(job.state.progress, min_cost=min_cost, surrogate=known)
    progress = job.policy.recalibrated(knobs, progress, sizes)
    return (
        job.with_state(progress=progress).with_sizes(sizes),
        [run for run in again if isinstance(run, Trial)],
        [run for run in again if isinstance(run, PastRunRecord)],
    )


def _epochs(run: Trial | PastRunRecord) -> int:
    return run.current_epoch if isinstance(run, Trial) else run.epochs or 0


def _at_new_costs(arm: SurrogateArmState, old: float, new: float) -> SurrogateArmState:
    if not arm.epoch_sum:
        return arm
    factor = new / old if old > 0.0 else math.inf
    # Costs that were next to nothing tell nothing of those that count now.
    if arm.cost_sum <= 0.0 or not math.isfinite(factor * max(arm.cost_sum, abs(arm.warm_up))):
        return replace(arm, cost_sum=new, warm_up=0.0, warm_up_runs=0)
    return replace(arm, cost_sum=arm.cost_sum * factor, warm_up=arm.warm_up * factor)
