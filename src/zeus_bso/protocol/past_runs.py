"""Past runs of a job: runs that were recorded elsewhere, and are no trials.

Units: time in seconds, energy in joules.
"""

from __future__ import annotations

from datetime import datetime, timezone
from enum import Enum
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from zeus_bso.protocol.words import MAX_TOTAL, FiniteFloat, Metric, PositiveCount, Text, Total

MOST_RUNS = 1000
"""A request has at most so many runs."""

MOST_POINTS = 10_000
"""A curve has at most so many points."""

LEAST_FIGURE = 1e-9
"""Less time [s] or energy [J] than that, apart from none, is in another unit or wrong."""

CALENDAR = (datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9000, 1, 1, tzinfo=timezone.utc))
"""Timestamps are between these."""


def _in_utc(stamp: datetime) -> datetime:
    aware = stamp.replace(tzinfo=timezone.utc) if stamp.tzinfo is None else stamp
    if not CALENDAR[0] <= aware <= CALENDAR[1]:
        raise ValueError("must be between the years 1970 and 9000")
    return aware.astimezone(timezone.utc)


Timestamp = Annotated[datetime, AfterValidator(_in_utc)]
"""A point in time. Without a time zone it is in UTC."""


def _measurable(figure: float) -> float:
    if 0.0 < figure < LEAST_FIGURE:
        raise ValueError(f"must be 0 or at least {LEAST_FIGURE:g}: no run takes less")
    return figure


Measured = Annotated[Total, AfterValidator(_measurable)]
"""Time [s] or energy [J] of a run."""

Point = tuple[PositiveCount, Metric]
"""An evaluation: epochs trained, and the metric."""


class PastRunUse(str, Enum):
    """What a past run is used for.

    ``RUN``: whatever a run of the job is. ``EPOCHS``: the belief about epochs only. ``COST``: the baseline of the
    savings only, because its epochs are not known, or because the policy of the job learns from trials only.
    ``NOTHING``: it is on record only: it is not part of the baseline either, which consists of runs of the default size
    that reached the target and have a cost.
    """

    RUN = "run"
    EPOCHS = "epochs"
    COST = "cost"
    NOTHING = "nothing"


class PastRun(BaseModel):
    """A past run of a job.

    Attributes:
        run_id: Name of the run in its source. The same run is taken once.
        batch_size: Its batch size, one of the job's.
        epochs: Epochs that it trained, at least 1. Null if they are not known.
        time: Its training time [s]. Null if it is not known.
        energy: Energy that it used [J]. Null if it is not known.
        reached: Whether it reached the job's target. Null: the metric or the curve says it.
        metric: The metric at its end.
        curve: Its evaluations in order, each with the epoch and the metric. The target is read off them: the run counts
            up to the first one that reached it, with its share of time and energy.
        ended_at: When it ended.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    run_id: Text
    batch_size: PositiveCount
    epochs: PositiveCount | None = None
    time: Measured | None = None
    energy: Measured | None = None
    reached: bool | None = None
    metric: Metric = None
    curve: Annotated[tuple[Point, ...], Field(max_length=MOST_POINTS)] = ()
    ended_at: Timestamp | None = None

    @model_validator(mode="after")
    def _the_curve_ascends(self) -> PastRun:
        epochs = [epoch for epoch, _ in self.curve]
        if any(later <= earlier for earlier, later in pairwise(epochs)):
            raise ValueError("the epochs of curve must ascend")
        if self.curve and self.epochs is not None and epochs[-1] > self.epochs:
            raise ValueError("curve has more epochs than epochs says")
        return self


class PastRuns(BaseModel):
    """Tell a job of past runs.

    Attributes:
        job_id: The job.
        source: Where the runs were recorded, such as ``csv`` or ``mlflow``. A run is known by its source and run id.
        runs: The runs, the oldest first.
        mean_power: Mean power of all runs of the source [W], where a request holds some of them only: what a run lacks
            is estimated by it, unless the job has converged runs of its own. Null: it is worked out.
        dry_run: Whether to say only what would be learnt.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: Text
    source: Text
    runs: Annotated[tuple[PastRun, ...], Field(min_length=1, max_length=MOST_RUNS)]
    mean_power: Annotated[float, Field(gt=0.0, le=MAX_TOTAL)] | None = None
    dry_run: bool = False


class PastSizeView(BaseModel):
    """What past runs say about one batch size.

    Attributes:
        batch_size: The batch size.
        runs: Number of runs.
        reached: Number of those that reached the target.
        with_epochs: Number of those whose epochs are known.
        with_cost: Number of those whose energy and time are known.
        mean_epochs: Mean epochs of those that have them. Null if there are none.
        mean_energy: Mean energy of those that have a cost [J]. Null if there are none.
        mean_time: Mean time of those [s]. Null if there are none.
        estimated: Number of all runs whose energy or time is estimated.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    batch_size: int
    runs: int
    reached: int
    with_epochs: int
    with_cost: int
    mean_epochs: FiniteFloat | None
    mean_energy: FiniteFloat | None
    mean_time: FiniteFloat | None
    estimated: int


class PastRunsTaken(BaseModel):
    """Answer to :class:`PastRuns`.

    Attributes:
        job_id: The job.
        dry_run: Whether nothing was stored.
        added: Number of runs that are new.
        known: Number of runs that were known already. They change nothing.
        learnt: Number of new runs by what they are used for.
        estimated: Number of new runs whose energy or time is estimated.
        batch_sizes: What the new runs say about each batch size.
        message: The same in words.
        note: A sentence on what the policy of the job does not learn. Null if there is none.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: str
    dry_run: bool
    added: int
    known: int
    learnt: dict[PastRunUse, int]
    estimated: int
    batch_sizes: list[PastSizeView]
    message: str
    note: str | None = None
