"""What a policy looks at when it chooses; what it does not look at is not read."""

from __future__ import annotations

from zeus_bso.common import Stage
from zeus_bso.policy.values import GaussianTsArmState, Place, Situation
from zeus_bso.server.batch_size_state.commands import ReadWindow
from zeus_bso.server.batch_size_state.repository import BatchSizeStateRepository
from zeus_bso.server.job.models import JobState
from zeus_bso.server.services.commands import Snapshot


def situation_of(states: BatchSizeStateRepository, snapshot: Snapshot) -> Situation:
    """Read the situation of a job."""
    job = snapshot.job
    generation = job.progress.generation
    if not job.policy.explores_in_rounds:
        in_flight = states.in_flight(job.job_id, generation)
        return Situation(job.knobs, job.progress, snapshot.sizes, in_flight=in_flight)
    # Asked only where drift may be suspected.
    uncapped_open = job.progress.cost_bound_in_row > 0 and any(
        trial.uncapped and trial.generation == generation for trial in states.open_trials(job.job_id)
    )
    return Situation(
        job.knobs,
        job.progress,
        snapshot.sizes,
        places=_places(states, job),
        uncapped_open=uncapped_open,
        windows=_windows(states, snapshot),
    )


def _places(states: BatchSizeStateRepository, job: JobState) -> list[Place]:
    progress = job.progress
    if progress.stage is not Stage.PRUNING:
        return []
    return [place for place, _ in states.places(job.job_id, progress.generation, progress.round).values()]


def _windows(states: BatchSizeStateRepository, snapshot: Snapshot) -> dict[int, GaussianTsArmState] | None:
    """Read the latest rewards of each size, if the job looks at a window only.

    Also in Pruning: this request may find that its last round is over, and decide as a bandit already.
    """
    job = snapshot.job
    window = job.spec.window_size
    if not window:
        return None
    return {
        size: states.window(
            ReadWindow(job_id=job.job_id, batch_size=size, generation=job.progress.generation, window_size=window)
        )
        for size, state in snapshot.sizes.items()
        if state.live and state.arm.num_observations > window
    }
