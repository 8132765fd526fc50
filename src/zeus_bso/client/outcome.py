"""Tells the command that launched a script how its run ended."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from zeus_bso.common import FailReason, ReportResponse, TrialId

logger = logging.getLogger("zeus_bso")

OUTCOME_FILE_VARIABLE = "ZEUS_BSO_OUTCOME_FILE"
"""Where ``zeus-bso run`` reads how the run ended; nothing is written where it is not set."""


def tell_launcher(trial: TrialId, said: ReportResponse | None, reason: FailReason | None) -> None:
    """Append a line on how a run ended."""
    path = os.environ.get(OUTCOME_FILE_VARIABLE)
    if not path or (said is None and reason is None):
        return
    told = {
        "job_id": trial.job_id,
        "trial_number": trial.trial_number,
        "batch_size": trial.batch_size,
        "outcome": said.outcome.value if said is not None and said.outcome is not None else None,
        "target_reached": said is not None and said.target_reached,
        "reason": None if reason is None else reason.value,
    }
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
    except OSError as error:
        logger.warning("%s (%s) cannot be written: %s", path, OUTCOME_FILE_VARIABLE, error.strerror)
