"""What may be said to the optimizer's constructor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zeus_bso.common import JobSpec
from zeus_bso.exceptions import ZeusBSOConfigError


def given_job(job: JobSpec | None) -> JobSpec:
    """The job, which has no default.

    Raises:
        ZeusBSOConfigError: It is missing.
    """
    if job is None:
        raise ZeusBSOConfigError("The job is missing: BatchSizeOptimizer(..., job=JobSpec(...)).")
    return job


@dataclass(frozen=True)
class Options:
    """How the optimizer behaves.

    Attributes:
        heartbeat_s: Time between two signs of life [s]; None: none are sent.
        on_unreachable: What to do when no server answers before training.
        on_fail: What to do when the run failed to converge.
        on_spec_change: What to do when the job id names a job with other settings.

    Raises:
        ZeusBSOConfigError: One of them has a value that it cannot have.
    """

    heartbeat_s: float | None
    on_unreachable: Literal["raise", "default"]
    on_fail: Literal["raise", "stop"]
    on_spec_change: Literal["raise", "update"]

    def __post_init__(self) -> None:
        if self.heartbeat_s is not None and not 0 < self.heartbeat_s <= 86_400:
            raise ZeusBSOConfigError(f"heartbeat_s must be positive and at most a day, not {self.heartbeat_s}.")
        for name, values in _CHOICES.items():
            if getattr(self, name) not in values:
                raise ZeusBSOConfigError(f"{name} must be {values[0]!r} or {values[1]!r}, not {getattr(self, name)!r}.")


_CHOICES = {
    "on_unreachable": ("raise", "default"),
    "on_fail": ("raise", "stop"),
    "on_spec_change": ("raise", "update"),
}
