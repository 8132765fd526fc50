"""How a script's job becomes known to the server."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from zeus_bso.client.api import Api, Registered
from zeus_bso.client.judge import Rules
from zeus_bso.common import (
    IDENTITY_FIELDS,
    SETTINGS_FIELDS,
    JobSettings,
    JobSpec,
    JobSpecFromClient,
    derive_job_id,
    identity,
    settings,
)
from zeus_bso.exceptions import ZeusBSOSpecConflictError
from zeus_bso.monitor.codecarbon import TaskTracker
from zeus_bso.monitor.devices import devices_of
from zeus_bso.monitor.protocol import Monitor

logger = logging.getLogger("zeus_bso")


def known_job(api: Api, job: JobSpec, monitor: Monitor | TaskTracker, *, rank: int, update: bool) -> tuple[str, Rules]:
    """Make the job known to the server; ranks other than 0 work out by themselves what it is called.

    Args:
        api: The server.
        job: The job.
        monitor: Knows the machine's devices.
        rank: This process's rank.
        update: Where the job exists with other settings, change them.

    Returns:
        The job's id, and by what its runs are judged.

    Raises:
        ZeusBSOMonitorError: The monitor's devices cannot be found out.
        ZeusBSOSpecConflictError: The job id is taken by another spec.
        ZeusBSORequestError: The server refuses the spec.
        ZeusBSOServerUnreachableError: No server answers, or it is not ready.
    """
    if rank != 0 and job.job_id is not None:
        return job.job_id, rules_of(job)
    devices = devices_of(monitor)
    spec = JobSpecFromClient(
        **job.model_dump(),
        max_power=devices.max_power_w,
        number_of_gpus=devices.number_of_gpus,
        gpu_model=devices.gpu_model,
    )
    if rank != 0:
        return derive_job_id(spec), rules_of(spec, spec.max_power)
    registered = register(api, spec, update=update)
    if registered.message:
        logger.warning("%s", registered.message)
    return registered.job_id, rules_of(registered, registered.max_power)


def register(api: Api, spec: JobSpecFromClient, *, update: bool) -> Registered:
    """Register a job.

    Args:
        api: The server.
        spec: The job.
        update: Where the job exists with other settings, change them.

    Raises:
        ZeusBSOSpecConflictError: The job id is taken by another spec, and settings are not all that differs.
        ZeusBSORequestError: The server refuses the spec.
        ZeusBSOServerUnreachableError: No server answers, or it is not ready.
    """
    try:
        return api.register(spec)
    except ZeusBSOSpecConflictError:
        if not update or spec.job_id is None:
            raise
        stored = _stored(api.spec_of(spec.job_id))
        if identity(stored) != identity(spec):
            raise
    api.change_settings(spec.job_id, JobSettings(**settings(spec)))
    registered = api.register(spec)
    changed = ", ".join(name for name in SETTINGS_FIELDS if getattr(stored, name) != getattr(spec, name))
    message = f"The job {spec.job_id} was updated: {changed}."
    return registered.model_copy(update={"message": " ".join(filter(None, (message, registered.message)))})


def _stored(fields: Mapping[str, object]) -> JobSpecFromClient:
    """What may differ of a stored spec; a server may know more of it than this client."""
    known = ("job_id", "max_power", *IDENTITY_FIELDS, *SETTINGS_FIELDS)
    return JobSpecFromClient.model_validate({name: value for name, value in fields.items() if name in known})


def rules_of(job: JobSpec | Registered, max_power_w: float = 0.0) -> Rules:
    """By what a run of this job is judged, as far as its spec says."""
    return Rules(
        target_metric=job.target_metric,
        higher_is_better_metric=job.higher_is_better_metric,
        max_epochs=job.max_epochs,
        eta_knob=job.eta_knob,
        max_power_w=max_power_w,
    )
