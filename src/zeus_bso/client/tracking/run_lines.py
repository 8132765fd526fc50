"""One line at the launch of a run and one at its end, for the person who has launched it."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from zeus_bso.client.meter import Meter
from zeus_bso.protocol.messages import ReportResponse, TrialOffer
from zeus_bso.protocol.wording import OUTCOMES, REASONS
from zeus_bso.protocol.words import EnergySource, FailReason, Outcome
from zeus_bso.units import duration, energy, less, plain

QUIET_VARIABLE = "ZEUS_BSO_QUIET"
"""Variable that switches these lines off, if it is neither empty nor 0."""

logger = logging.getLogger("zeus_bso.run")

_INTERVAL = re.compile(r" \([^()]+ to [^()]+\)")
"""An interval in the reason for a choice. The page of the job shows it."""

_STOPPED = (Outcome.COST_BOUND, Outcome.CURVE_STOP)


def lines_wanted() -> bool:
    """Whether anybody reads the lines. A program without logging gets them on stderr."""
    if os.environ.get(QUIET_VARIABLE, "").strip() not in ("", "0"):
        return False
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("zeus-bso: %(message)s"))
        logger.addHandler(handler)
    return logger.isEnabledFor(logging.INFO)


def log_launch(offer: TrialOffer, job: Mapping[str, object], why: str | None, address: str) -> None:
    """Say what the run trains with, and why.

    Args:
        offer: The trial.
        job: The job before the ask, as the server shows it. Empty if it is not known.
        why: A sentence on this choice, if it is known.
        address: Address of the server.
    """
    if why is None:
        best = ", the best known" if job.get("chosen_batch_size") == offer.batch_size else ""
        verb = f"goes on at epoch {offer.current_epoch} with" if offer.resumed else "takes"
        why = f"This run {verb} batch size {offer.batch_size}{best}."
    page = f" {address}/job?{urlencode({'job_id': offer.job_id})}" if address.startswith("http") else ""
    logger.info("Job %s, trial %d. %s%s", offer.job_id, offer.trial_number, _INTERVAL.sub("", why), page)


def log_end(offer: TrialOffer, said: ReportResponse, cost_j: float, meter: Meter, job: Mapping[str, object]) -> None:
    """Say what the run came to, against the default batch size, and what the job has saved so far.

    Args:
        offer: The trial.
        said: The decision.
        cost_j: Cost of the run [J].
        meter: Its energy and time.
        job: The job after it, as the server shows it. Empty if it is not known.
    """
    outcome = "ended" if said.outcome is None else OUTCOMES[said.outcome]
    logger.info(
        "Job %s, trial %d, batch size %d: %s; %s%s.%s",
        offer.job_id,
        offer.trial_number,
        offer.batch_size,
        outcome,
        _used(meter),
        _against_default(offer, said, cost_j, job),
        _saved_so_far(job),
    )


def log_failure(offer: TrialOffer, reason: FailReason, meter: Meter) -> None:
    """Say that the run ended without an outcome, and what it has used.

    Args:
        offer: The trial.
        reason: The reason why it ended.
        meter: Its energy and time.
    """
    logger.info(
        "Job %s, trial %d, batch size %d: %s; %s.",
        offer.job_id,
        offer.trial_number,
        offer.batch_size,
        REASONS[reason],
        _used(meter),
    )


def _used(meter: Meter) -> str:
    estimated = " (estimated)" if meter.source is EnergySource.ESTIMATE else ""
    return plain(f"{energy(meter.energy_j)}{estimated} in {duration(meter.time_s)}")


def advice_after(offer: TrialOffer, said: ReportResponse, job: Mapping[str, object]) -> str:
    """What to do after a run that failed to converge.

    Args:
        offer: The trial.
        said: The decision.
        job: The job after it, as the server shows it. Empty if it is not known.
    """
    following = job.get("next_batch_size")
    then = f"; the next run takes {following}" if isinstance(following, int) else ""
    if said.outcome in _STOPPED or offer.batch_size != job.get("default_batch_size", offer.batch_size):
        return f"This is exploring, not a fault: launch the script again{then}."
    return f"Launch the script again{then}."


def _against_default(offer: TrialOffer, said: ReportResponse, cost_j: float, job: Mapping[str, object]) -> str:
    default, baseline = job.get("default_batch_size"), _cost_of_default(job)
    if not said.converged or baseline is None or default == offer.batch_size:
        return ""
    return f"; its cost is {plain(less(1 - cost_j / baseline))} than with the default size {default}"


def _cost_of_default(job: Mapping[str, object]) -> float | None:
    savings = job.get("savings")
    cost = savings.get("cost") if isinstance(savings, dict) else None
    baseline = cost.get("per_default_run") if isinstance(cost, dict) else None
    return float(baseline) if isinstance(baseline, int | float) and baseline > 0 else None


def _saved_so_far(job: Mapping[str, object]) -> str:
    savings = job.get("savings")
    message = savings.get("message") if isinstance(savings, dict) else None
    return f" So far: {message}" if isinstance(message, str) and message else ""
