"""What may be said to the optimizer's constructor."""

from __future__ import annotations

import os
import uuid

from pydantic import ValidationError

from zeus_bso.common import AskForTrial, JobSpec
from zeus_bso.exceptions import ZeusBSOConfigError

RUN_ID_VARIABLE = "ZEUS_BSO_RUN_ID"


def given_job(job: JobSpec | None) -> JobSpec:
    """The job, which has no default.

    Raises:
        ZeusBSOConfigError: It is missing.
    """
    if job is None:
        raise ZeusBSOConfigError("The job is missing: BatchSizeOptimizer(..., job=JobSpec(...)).")
    return job


def given_run_id(run_id: str | None) -> str:
    """The run id: the argument, or the environment's ``ZEUS_BSO_RUN_ID``, or a fresh one.

    Raises:
        ZeusBSOConfigError: The protocol does not allow it.
    """
    name = run_id or os.environ.get(RUN_ID_VARIABLE) or uuid.uuid4().hex
    try:
        AskForTrial(job_id="any", run_id=name)
    except ValidationError:
        raise ZeusBSOConfigError(
            f"A run id has 1 to 255 characters and no control characters (argument run_id, or {RUN_ID_VARIABLE})."
        ) from None
    return name


def check_options(heartbeat_s: float | None, on_unreachable: str, on_fail: str) -> None:
    """Check the options.

    Raises:
        ZeusBSOConfigError: One of them has a value that it cannot have.
    """
    if heartbeat_s is not None and not 0 < heartbeat_s <= 86_400:
        raise ZeusBSOConfigError(f"heartbeat_s must be positive and at most a day, not {heartbeat_s}.")
    if on_unreachable not in ("raise", "default"):
        raise ZeusBSOConfigError(f"on_unreachable must be 'raise' or 'default', not {on_unreachable!r}.")
    if on_fail not in ("raise", "stop"):
        raise ZeusBSOConfigError(f"on_fail must be 'raise' or 'stop', not {on_fail!r}.")
