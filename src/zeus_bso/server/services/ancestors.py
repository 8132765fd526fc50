"""What a new job takes over from another job. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from zeus_bso.policy.ancestor import Kinship
from zeus_bso.policy.state import SizeState, SurrogateState, distance
from zeus_bso.policy.surrogate.beliefs import cost_per_epoch, noise_variance, pace_variance
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.server.batch_size_state.models import Used
from zeus_bso.server.job.commands import FindRelative
from zeus_bso.server.job.inheritance import Inheritance, InheritedSize
from zeus_bso.server.job.models import JobState

LEAST_CONVERGED = 5
"""A job with fewer converged trials in its generation has not learnt enough to hand it on by itself."""

LEAST_IN_COMMON = 2
"""A job that has fewer batch sizes in common with the new one is not found by itself."""

MOST_SIZES = 256
"""So many batch sizes are handed on at most, so that they fit into a column of every database."""

_SAME_TASK = ("job_id_prefix", "target_metric", "higher_is_better_metric", "max_epochs")
"""What two jobs of an identical task agree in."""

_MOST = 1e40
"""No figure that is handed on is larger."""

_DIGITS = 7
"""Significant digits of what is handed on."""


def search_for(spec: JobSpecFromClient) -> FindRelative:
    """How a new job looks for a job of its prefix."""
    in_common = min(LEAST_IN_COMMON, len(spec.batch_sizes))
    return FindRelative(spec=spec, least_converged=LEAST_CONVERGED, least_in_common=in_common)


def can_hand_on(source: JobSpecFromClient, spec: JobSpecFromClient) -> bool:
    """Whether a job that was named for it can hand something on to a new job."""
    return source.policy == "surrogate" and source.job_id != spec.job_id


def kinship_of(spec: JobSpecFromClient, source: JobSpecFromClient) -> Kinship:
    """How the task of a new job is related to that of a job of the same prefix.

    The epochs to a target follow from the batch size, whatever the device and the weight of energy are. They change
    with the target, and a schedule that ends with ``max_epochs`` changes them too.
    """
    same = all(getattr(spec, name) == getattr(source, name) for name in _SAME_TASK)
    return Kinship.IDENTICAL if same else Kinship.SIMILAR


def inherit(
    source: JobState,
    sizes: Mapping[int, SizeState],
    used: Mapping[int, Used],
    spec: JobSpecFromClient,
    *,
    generation: int = 1,
) -> Inheritance | None:
    """What a new job takes over; None: the source has learnt nothing in its generation.

    Args:
        source: The ancestor.
        sizes: What it knows about each batch size.
        used: What the runs have used that it has learnt from, by batch size.
        spec: The spec of the new job.
        generation: The generation in which the new job begins.
    """
    state = source.progress.surrogate
    tried = _nearest([size for size, known in sizes.items() if _is_known(known)], spec)
    if not tried:
        return None
    return Inheritance(
        job_id=source.job_id,
        kinship=kinship_of(spec, source.spec),
        default_batch_size=source.spec.default_batch_size,
        noise_variance=_rounded(noise_variance(state)),
        pace_variance=_rounded(pace_variance(state)),
        sizes=tuple(_size(source, sizes[size], used.get(size)) for size in tried),
        generation=generation,
    )


def _nearest(tried: Sequence[int], spec: JobSpecFromClient) -> list[int]:
    """Those of the sizes that are handed on, ascending: first those that the new job has, then the nearest."""
    wanted, default = set(spec.batch_sizes), spec.default_batch_size
    by_worth = sorted(tried, key=lambda size: (size not in wanted, distance(size, default), size))
    return sorted(by_worth[:MOST_SIZES])


def _is_known(known: SizeState) -> bool:
    return known.surrogate.epoch_sum > 0 or known.surrogate.runs > 0


def _size(source: JobState, known: SizeState, used: Used | None) -> InheritedSize:
    arm, state = known.surrogate, source.progress.surrogate
    cost = source.cost(used.energy, used.time) if used else 0.0
    # Scaled to what is believed of an epoch, without warm-ups and drift.
    share = _believed_pace(state, known) / cost if cost > 0.0 and arm.epoch_sum else 0.0
    share = share if math.isfinite(share) else 0.0
    log_epochs = arm.mean_log_epochs if arm.runs else arm.guess
    return InheritedSize(
        batch_size=known.batch_size,
        runs=max(1, arm.runs),
        log_epochs=None if log_epochs is None else _rounded(log_epochs + state.epochs_level),
        energy=_rounded(used.energy * share) if used else 0.0,
        time=_rounded(used.time * share) if used else 0.0,
    )


def _believed_pace(state: SurrogateState, known: SizeState) -> float:
    arm = known.surrogate
    return cost_per_epoch(arm.cost_sum, arm.epoch_sum) * math.exp(state.pace_level)


def _rounded(value: float) -> float:
    return float(f"{min(value, _MOST):.{_DIGITS}g}")
