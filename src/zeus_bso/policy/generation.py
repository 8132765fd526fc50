"""A generation of a job: how one begins, and what to do when no size is left to give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from zeus_bso.policy.state import Choice, Knobs, Progress, Retirement, RoundSlot, Sizes, SizeState, nearest
from zeus_bso.protocol.words import Stage, TrialType


def begin_generation(
    knobs: Knobs, progress: Progress, sizes: Sizes, *, forget_oom: bool = False, failed: int | None = None
) -> tuple[Progress, Sizes]:
    """Start anew with all sizes but those that do not fit into memory.

    If nothing converged in the generation that ends, the new one tries every size.

    Args:
        knobs: The job's knobs.
        progress: How far the job is.
        sizes: What is known about each size.
        forget_oom: Also forget which sizes ran out of memory: a person asked for the fresh start.
        failed: The size whose failure ends the generation; the new one does not begin with it, if there is another.
    """
    fresh = {size: _fresh(state, forget_oom=forget_oom) for size, state in sizes.items()}
    try_all_sizes = progress.min_cost is None and not forget_oom
    starts = nearest([size for size, state in fresh.items() if state.live], knobs.default_batch_size)
    others = [size for size in starts if size != failed]
    start = others[0] if failed == knobs.default_batch_size and others else knobs.default_batch_size
    return Progress.begin(
        knobs.batch_sizes, start, generation=progress.generation + 1, try_all_sizes=try_all_sizes
    ), fresh


def last_to_fail(knobs: Knobs, progress: Progress, sizes: Sizes, places: Iterable[RoundSlot] = ()) -> int | None:
    """The default, if a failure of its own ends the generation: as an arm, or as the only size of its round to run."""
    default = sizes[knobs.default_batch_size]
    failed = (default.retired is Retirement.MISSED and default.missed_in_row > 0) or (
        default.retired is Retirement.FAILURES and default.no_result_in_row > 0
    )
    proven = default.is_arm and progress.min_cost is not None
    alone = {place.batch_size for place in places} == {default.batch_size}
    return default.batch_size if failed and (proven or alone) else None


def _fresh(state: SizeState, *, forget_oom: bool) -> SizeState:
    if forget_oom:
        return SizeState(state.batch_size, ever_converged=state.ever_converged)
    oom = state.retired if state.retired is Retirement.OOM else None
    return SizeState(state.batch_size, ever_converged=state.ever_converged, oom_in_row=state.oom_in_row, retired=oom)


def smallest_again(progress: Progress, sizes: Sizes) -> Choice:
    """Try the smallest size again, although every size has run out of memory: a job always gets a size."""
    smallest = min(sizes)
    message = f"Every batch size has run out of memory; the smallest, {smallest}, is tried again."
    trial_type = TrialType.MAB if progress.stage is Stage.MAB else TrialType.CONCURRENT
    return Choice(smallest, trial_type, progress, sizes, message=message)


def clear_failures(sizes: Sizes, *, lift: bool) -> Sizes:
    """Start the failure counts again; ``lift``: costs have drifted, so that arms retired by the old bound come back."""
    return {
        size: replace(
            state,
            missed_in_row=0,
            retired=None if lift and state.is_arm and state.retired is Retirement.MISSED else state.retired,
        )
        for size, state in sizes.items()
    }


def no_size_converges(knobs: Knobs) -> str:
    """Say that the job cannot succeed as it is set up, and what would help."""
    return (
        f"No batch size reached the target within max_epochs ({knobs.max_epochs}) in the last generation; "
        "every size is tried again. A larger max_epochs or an easier target_metric would help."
    )
