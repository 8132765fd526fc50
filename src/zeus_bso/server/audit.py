"""The audit log: one line per act that cannot be undone, or that changes settings, with the name of the token."""

from __future__ import annotations

import logging

from zeus_bso.server.logs import log_fields
from zeus_bso.server.security.access import caller_name

logger = logging.getLogger("zeus_bso.audit")


def audit(act: str, job_id: str, **details: object) -> None:
    """Write a line with the name of the caller's token to the log ``zeus_bso.audit``. Call this after the commit.

    Args:
        act: The act: ``delete``, ``reset``, ``import``, ``past runs`` or ``settings``.
        job_id: The job.
        details: Further fields of the line.
    """
    log_fields(logger, act=act, job=job_id, token=caller_name.get(), **details)
