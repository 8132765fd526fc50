"""What is known about a job, worked out again from its stored trials, under its present settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zeus_bso.policy.state import GaussianTsArmState, SurrogateArmState
from zeus_bso.policy.zeus.zeus_algorithm import observed_cost
from zeus_bso.protocol.words import Outcome
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.services.locked_job import LockedJob


def recompute(job: LockedJob, trials: Sequence[Trial]) -> tuple[LockedJob, list[Trial]]:
    """Work out costs, arms, sums of costs and the least cost again, decision by decision.

    Which sizes are retired stays as it is, and so does what was guessed of epochs-to-target: that is decided. What the
    surrogate holds of a size's costs changes by the factor by which the costs of its trials do: what it has forgotten
    stays forgotten.

    Args:
        job: The job under its present settings.
        trials: All its decided trials in the order of the decisions.

    Returns:
        The job and the trials, with their costs and rewards, as they would be had the settings always held.
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
    recomputed = []
    for trial in trials:
        cost = job.state.cost(trial.energy, trial.time)
        reward = None if trial.reward is None else -cost
        if job.is_current_generation(trial) and reward is not None and trial.outcome:
            state = sizes[trial.batch_size]
            reward = -observed_cost(knobs, trial.outcome, cost, trial.current_epoch, min_cost)
            best = state.best_cost
            if trial.outcome is Outcome.CONVERGED:
                best = cost if best is None else min(best, cost)
                # A run without a bound replaces the least cost, also if it was below it by the settings of its day.
                min_cost = cost if trial.uncapped or min_cost is None else min(min_cost, cost)
            old, new = totals[trial.batch_size]
            totals[trial.batch_size] = old + (trial.cost or 0.0), new + cost
            sizes[trial.batch_size] = replace(state, arm=state.arm.observe(reward), best_cost=best)
        recomputed.append(replace(trial, cost=cost, reward=reward))
    for size, (old, new) in totals.items():
        sizes[size] = replace(sizes[size], surrogate=_at_new_costs(sizes[size].surrogate, old, new))
    known = job.state.progress.surrogate
    before, after = (sum(total[place] for total in totals.values()) for place in (0, 1))
    factor = after / before if before > 0.0 else 0.0
    if job.state.spec.policy == "surrogate":
        known = replace(known, spent=after, look_spent=known.look_spent * factor)
    progress = replace(job.state.progress, min_cost=min_cost, surrogate=known)
    progress = job.policy.recalibrated(knobs, progress, sizes)
    return job.with_state(progress=progress).with_sizes(sizes), recomputed


def _at_new_costs(arm: SurrogateArmState, old: float, new: float) -> SurrogateArmState:
    if not arm.epoch_sum:
        return arm
    if old <= 0.0 or arm.cost_sum <= 0.0:
        return replace(arm, cost_sum=new, warm_up=0.0, warm_up_runs=0)
    factor = new / old
    return replace(arm, cost_sum=arm.cost_sum * factor, warm_up=arm.warm_up * factor)
