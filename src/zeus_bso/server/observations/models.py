"""Past runs as they are stored and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from zeus_bso.protocol.past_runs import PastRunUse
from zeus_bso.protocol.words import Outcome
from zeus_bso.savings import Use

_NO_USE = Use()


@dataclass(frozen=True, slots=True)
class PastRunRecord:
    """A past run of a job, as the job takes it: up to its target.

    Attributes:
        job_id: The job.
        number: Counts the past runs of the job, from 1.
        source: Where the run was recorded.
        run_id: Its name there.
        batch_size: Its batch size.
        outcome: Whether it converged or missed the target.
        lesson: What it is used for.
        generation: The job's generation when it was taken: a later one has forgotten it.
        epochs: Its epochs, or None if they are not known.
        time: Its training time [s], or None.
        energy: Its energy [J], or None.
        estimated: Whether the time or the energy is an estimate.
        cost: Its cost [J], or None.
        reward: The observation that its arm got [-J], or None.
        decision: Its number in the order of the job's decisions, or None if the policy has not learnt its cost.
        curve: Its evaluations: epoch and metric.
        ended_at: When it ended, or None if that is not known.
        recorded_at: When the job was told of it.
    """

    job_id: str
    number: int
    source: str
    run_id: str
    batch_size: int
    outcome: Outcome
    lesson: PastRunUse
    generation: int
    epochs: int | None
    time: float | None
    energy: float | None
    estimated: bool
    cost: float | None
    reward: float | None
    decision: int | None
    curve: Sequence[tuple[int, float | None]]
    ended_at: datetime | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class KnownRuns:
    """What is known about past runs before more are taken.

    Attributes:
        run_ids: Those of the runs in question that are known already.
        last_number: Number of the latest past run of the job; 0 before the first.
        mean_power: Mean power of the job's own converged trials [W], or None.
        past_power: That of its past runs that were measured [W], or None.
    """

    run_ids: frozenset[str] = frozenset()
    last_number: int = 0
    mean_power: float | None = None
    past_power: float | None = None


@dataclass(frozen=True, slots=True)
class PastTotals:
    """The past runs of a job, summed up.

    Attributes:
        sources: Number of runs by source.
        estimated: Number of those that converged with the default size and whose energy or time is estimated.
        energy: Energy of those that converged with the default size [J].
        time: Their time [s].
        cost: Their cost [J].
        last_at: When the latest of those ended, as far as that is known.
    """

    sources: Mapping[str, int] = field(default_factory=dict)
    estimated: int = 0
    energy: Use = _NO_USE
    time: Use = _NO_USE
    cost: Use = _NO_USE
    last_at: datetime | None = None
