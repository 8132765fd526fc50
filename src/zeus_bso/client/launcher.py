"""Reports the end of a run to the command that launched the script."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from types import TracebackType

from zeus_bso.exceptions import ZeusBSOTrainFailError
from zeus_bso.protocol.messages import ReportResponse, TrialId
from zeus_bso.protocol.words import FailReason

logger = logging.getLogger("zeus_bso")

OUTCOME_FILE_VARIABLE = "ZEUS_BSO_OUTCOME_FILE"
"""Variable for the file from which ``zeus-bso run`` reads the end of the run. Unset: nothing is written."""


def shorten_failures() -> None:
    """Under ``zeus-bso run``, show a run that failed to converge in one line in place of a traceback."""
    if OUTCOME_FILE_VARIABLE not in os.environ or getattr(sys.excepthook, "shortens_failures", False):
        return
    show_whole = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if isinstance(error, ZeusBSOTrainFailError):
            print(f"zeus-bso: {error}", file=sys.stderr)
        else:
            show_whole(kind, error, traceback)

    show.shortens_failures = True  # type: ignore[attr-defined]
    sys.excepthook = show


def tell_launcher(trial: TrialId, said: ReportResponse | None, reason: FailReason | None) -> None:
    """Append a line about the end of a run."""
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
