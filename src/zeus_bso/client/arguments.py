"""Checks the arguments of the optimizer's constructor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.job_spec import JobSpec


def given_job(job: JobSpec | None) -> JobSpec:
    """The job. It is required.

    Raises:
        ZeusBSOConfigError: The job is missing.
    """
    if job is None:
        raise ZeusBSOConfigError("The job is missing: BatchSizeOptimizer(..., job=JobSpec(...)).")
    return job


@dataclass(frozen=True)
class Options:
    """Options of the optimizer.

    Attributes:
        heartbeat_s: Time between two heartbeats [s]. None to send none.
        on_unreachable: What to do if no server answers before training.
        on_fail: What to do if the run failed to converge.
        on_spec_change: What to do if the job id names a job with other settings.

    Raises:
        ZeusBSOConfigError: An option has an invalid value.
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
