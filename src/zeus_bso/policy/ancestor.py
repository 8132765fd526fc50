"""What a new job knows from another one: the ancestor's beliefs at the time when the job was created."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kinship(str, Enum):
    """How a job's task is related to its ancestor's.

    An identical task needs the same epochs to its target, on whatever device. A similar one may need others.
    """

    IDENTICAL = "identical"
    SIMILAR = "similar"


@dataclass(frozen=True, slots=True)
class AncestorSize:
    """What the ancestor knew about one batch size.

    Attributes:
        batch_size: The size.
        runs: Runs that the figures rest on, at least 1.
        log_pace: Log cost per epoch, in the terms of the new job [log J]; None: it is not known.
        log_epochs: Log epochs to the target; None: it is not known.
    """

    batch_size: int
    runs: int
    log_pace: float | None
    log_epochs: float | None


@dataclass(frozen=True, slots=True)
class Ancestor:
    """The job whose beliefs a new job begins with.

    Attributes:
        job_id: Its id.
        kinship: How the tasks are related.
        default_batch_size: The size that its octaves are counted from.
        noise_variance: Variance of log epochs-to-target from run to run.
        pace_variance: Variance of the log cost per epoch from run to run.
        sizes: The sizes that it has tried, ascending; at least one.
        advises: Its best size may be the first to run: no run of the job was decided since it took the beliefs over.
    """

    job_id: str
    kinship: Kinship
    default_batch_size: int
    noise_variance: float
    pace_variance: float
    sizes: tuple[AncestorSize, ...]
    advises: bool = True
