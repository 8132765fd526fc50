"""Registration of jobs. A spec gives one job, however often it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zeus_bso import units
from zeus_bso.exceptions import SpecConflictError
from zeus_bso.protocol.job_spec import JobSettings, JobSpecFromClient, RegisteredJob, derive_job_id, identity, settings
from zeus_bso.server.job.models import JobState
from zeus_bso.server.services.service import ZeusService

_UNKNOWN_TO_OTHERS = ("policy_options", "power_limit", "power_goal", "max_slowdown")
"""Settings that a reference client does not know, so it does not change them."""

_DIGITS = (8, 12, 64)
"""Lengths of the digest in a derived job id. The longer one is used if another identity has taken the shorter id."""


@dataclass(frozen=True, slots=True)
class Registration:
    """The result of a registration.

    Attributes:
        job: The job as stored.
        created: Whether the job is new.
        message: A message for the user.
        changed: Whether the registration has changed the job's settings.
    """

    job: JobState
    created: bool
    message: str | None = None
    changed: bool = False

    def answer(self) -> RegisteredJob:
        """The answer to the client."""
        return RegisteredJob(**self.job.spec.model_dump(), message=self.message)


def first_job_id(spec: JobSpecFromClient) -> str:
    """The id under which a spec's job is looked for first."""
    return spec.job_id or derive_job_id(spec, _DIGITS[0])


def register(service: ZeusService, spec: JobSpecFromClient) -> Registration:
    """Register a job, or find the existing one.

    If the spec has a job id, any difference from the stored spec is a conflict. Otherwise the id is derived from the
    fields of identity, and changed settings update the job.

    Raises:
        SpecConflictError: The job id exists with another spec.
    """
    if spec.job_id is None:
        return _register_derived(service, spec)
    job = service.find_job(spec.job_id, for_update=True)
    if job is None:
        return _created(service.create_job(spec, derived_id=False), spec)
    differences = _differences(job.spec, spec)
    if differences:
        raise SpecConflictError(
            f"Job {spec.job_id!r} exists with another spec: {'; '.join(differences)}. Use another job_id, "
            "send the stored values, or change the job's settings."
        )
    return Registration(job, created=False, message=_kept_message(job, spec))


def _created(job: JobState, spec: JobSpecFromClient) -> Registration:
    message = None
    if job.inheritance is not None:
        message = (
            f"The job is new, and begins with what job {job.inheritance.job_id!r} has learnt. "
            "The policy option transfer=false switches that off."
        )
    elif spec.similar_to is not None and spec.policy != "surrogate":
        message = "similar_to: only a job of the policy 'surrogate' begins with the results of another job."
    elif spec.similar_to is not None:
        message = (
            f"similar_to: job {spec.similar_to!r} has nothing to hand on, so this job begins without. It is not there, "
            "has another policy, or no trial of it has ended; or transfer is switched off."
        )
    return Registration(job, created=True, message=message)


def _register_derived(service: ZeusService, spec: JobSpecFromClient) -> Registration:
    for digits in _DIGITS:
        named = spec.model_copy(update={"job_id": derive_job_id(spec, digits)})
        job = service.find_job(named.job_id or "", for_update=True)
        if job is None:
            return _created(service.create_job(named, derived_id=True), spec)
        if identity(job.spec) == identity(spec):
            return _with_settings(service, job, spec)
    raise SpecConflictError("Every job id that can be derived from this spec is taken. Set a job_id in the spec.")


def _with_settings(service: ZeusService, job: JobState, spec: JobSpecFromClient) -> Registration:
    old, new = settings(job.spec), _sent_settings(job.spec, spec)
    changes = [f"{name} from {_short(old[name])} to {_short(new[name])}" for name in old if old[name] != new[name]]
    kept = _kept_message(job, spec)
    if not changes:
        return Registration(job, created=False, message=kept)
    job = service.change_settings(job, JobSettings(**new))
    message = f"Settings of job {job.job_id!r} updated: {'; '.join(changes)}."
    return Registration(job, created=False, message=f"{message} {kept}" if kept else message, changed=True)


def _differences(stored: JobSpecFromClient, sent: JobSpecFromClient) -> list[str]:
    old, new = identity(stored) | settings(stored), identity(sent) | _sent_settings(stored, sent)
    return [_difference(name, old[name], new[name]) for name in old if old[name] != new[name]]


def _sent_settings(stored: JobSpecFromClient, sent: JobSpecFromClient) -> dict[str, Any]:
    """The settings as sent, and as stored where the client does not know them."""
    old = settings(stored)
    return settings(sent) | {name: old[name] for name in _UNKNOWN_TO_OTHERS if name not in sent.model_fields_set}


def _difference(name: str, stored: Any, sent: Any) -> str:
    return f"{name} is {_short(stored)}, but {_short(sent)} was sent"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _watts(power_w: float) -> str:
    return units.plain(units.watts(power_w))


def _kept_message(job: JobState, spec: JobSpecFromClient) -> str | None:
    """A message about the fields that were sent but stay as registered."""
    kept = []
    if job.spec.max_power != spec.max_power:
        kept.append(
            f"max_power stays {_watts(job.spec.max_power)}, as registered, although {_watts(spec.max_power)} was sent, "
            "because costs are compared under one value."
        )
    if "policy" in spec.model_fields_set and job.spec.policy != spec.policy:
        kept.append(
            f"policy stays {job.spec.policy!r}, as when the job was created, although {spec.policy!r} was sent."
        )
    return " ".join(kept) or None
