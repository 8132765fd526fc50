"""What a recurrence runs that is not to explore."""

from __future__ import annotations

from zeus_bso.common import Stage, TrialType
from zeus_bso.policy.values import Choice, Sizes, nearest
from zeus_bso.server.job.models import JobState


def best_known(job: JobState, sizes: Sizes) -> Choice | None:
    """The best known size, or the live one nearest to the default while none is known; None: none is live."""
    chosen = job.policy.best(job.knobs, job.progress, sizes)
    message = None
    if chosen is None:
        live = [size for size, state in sizes.items() if state.live]
        if not live:
            return None
        chosen = nearest(live, job.spec.default_batch_size)[0]
        message = f"No batch size has converged yet; this run does not explore and gets {chosen}."
    trial_type = TrialType.MAB if job.progress.stage is Stage.MAB else TrialType.CONCURRENT
    return Choice(chosen, trial_type, job.progress, sizes, message=message)
