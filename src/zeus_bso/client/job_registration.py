"""Registers the job of a script with the server."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from zeus_bso.client.connection.api import Api, Registered
from zeus_bso.client.stop_rules import JobRules
from zeus_bso.exceptions import ZeusBSOSpecConflictError
from zeus_bso.monitor.adapters.codecarbon import TaskTracker
from zeus_bso.monitor.devices import devices_of
from zeus_bso.monitor.interface import Monitor
from zeus_bso.power.goal import PowerPlan, plan_of
from zeus_bso.protocol.job_spec import (
    IDENTITY_FIELDS,
    SETTINGS_FIELDS,
    JobSpec,
    JobSpecFromClient,
    derive_job_id,
    identity,
    settings,
)

logger = logging.getLogger("zeus_bso")


@dataclass(frozen=True)
class KnownJob:
    """A registered job.

    Attributes:
        job_id: Its id.
        rules: The rules by which its runs stop.
        plan: What it wants of the power limits of its GPUs.
    """

    job_id: str
    rules: JobRules
    plan: PowerPlan


def known_job(api: Api, job: JobSpec, monitor: Monitor | TaskTracker, *, rank: int, update: bool) -> KnownJob:
    """Register the job. Ranks other than 0 work out its id without the server.

    Args:
        api: The server.
        job: The job.
        monitor: The energy monitor, which knows the devices.
        rank: The rank of this process.
        update: Whether to change the settings of a job that exists with other settings.

    Returns:
        What is known about the job.

    Raises:
        ZeusBSOMonitorError: The monitor's devices cannot be identified.
        ZeusBSOSpecConflictError: Another spec already has this job id.
        ZeusBSORequestError: The server refuses the spec.
        ZeusBSOServerUnreachableError: No server answers, or the server is not ready.
    """
    if rank != 0 and job.job_id is not None:
        return KnownJob(job.job_id, rules_of(job), plan_of(job, 0.0))
    devices = devices_of(monitor)
    spec = JobSpecFromClient(
        **job.model_dump(),
        max_power=devices.max_power_w,
        number_of_gpus=devices.number_of_gpus,
        gpu_model=devices.gpu_model,
    )
    if rank != 0:
        return KnownJob(derive_job_id(spec), rules_of(spec, spec.max_power), plan_of(spec, spec.max_power))
    registered = register(api, spec, update=update)
    if registered.message:
        logger.warning("%s", registered.message)
    rules, plan = rules_of(registered, registered.max_power), plan_of(registered, registered.max_power)
    return KnownJob(registered.job_id, rules, plan)


def register(api: Api, spec: JobSpecFromClient, *, update: bool) -> Registered:
    """Register a job.

    Args:
        api: The server.
        spec: The job.
        update: Whether to change the settings of a job that exists with other settings.

    Raises:
        ZeusBSOSpecConflictError: Another spec already has this job id. With ``update``, more than settings differ.
        ZeusBSORequestError: The server refuses the spec.
        ZeusBSOServerUnreachableError: No server answers, or the server is not ready.
    """
    try:
        return api.register(spec)
    except ZeusBSOSpecConflictError as error:
        if spec.job_id is None:
            raise
        if not update:
            raise ZeusBSOSpecConflictError(f'{error} With on_spec_change="update", a launch changes them.') from error
        stored = _stored(api.spec_of(spec.job_id))
        if identity(stored) != identity(spec):
            raise
    # An older server does not know all settings. It is told only those that differ.
    changed = {name: value for name, value in settings(spec).items() if getattr(stored, name) != getattr(spec, name)}
    api.change_settings(spec.job_id, changed)
    registered = api.register(spec)
    message = f"The job {spec.job_id} was updated: {', '.join(changed)}."
    return registered.model_copy(update={"message": " ".join(filter(None, (message, registered.message)))})


def _stored(fields: Mapping[str, object]) -> JobSpecFromClient:
    """The fields of a stored spec that this client knows. A newer server may have more."""
    known = ("job_id", "max_power", *IDENTITY_FIELDS, *SETTINGS_FIELDS)
    return JobSpecFromClient.model_validate({name: value for name, value in fields.items() if name in known})


def rules_of(job: JobSpec | Registered, max_power_w: float = 0.0) -> JobRules:
    """The rules by which a run of this job stops, as far as its spec states them."""
    return JobRules(
        target_metric=job.target_metric,
        higher_is_better_metric=job.higher_is_better_metric,
        max_epochs=job.max_epochs,
        eta_knob=job.eta_knob,
        max_power_w=max_power_w,
    )
