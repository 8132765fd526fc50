"""Who changed what for good: one line per act that cannot be taken back."""

from __future__ import annotations

import logging

from zeus_bso.server.logs import log_fields
from zeus_bso.server.security.access import caller_name

logger = logging.getLogger("zeus_bso.audit")


def audit(act: str, job_id: str, **details: object) -> None:
    """Write a line to the log ``zeus_bso.audit``, after the act was committed, with the name of the caller's token.

    Args:
        act: What was done: ``delete``, ``reset``, ``import`` or ``settings``.
        job_id: To which job.
        details: What else one would want to know.
    """
    log_fields(logger, act=act, job=job_id, token=caller_name.get(), **details)
