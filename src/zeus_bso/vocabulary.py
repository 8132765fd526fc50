"""The words of the wire protocol: what a trial can be, and texts and numbers within their bounds."""

from __future__ import annotations

import math
import re
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, Field

INT32_MAX = 2**31 - 1
MAX_TOTAL = 1e15
"""Bound of a run's energy [J] and time [s]."""

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


class TrialType(str, Enum):
    """What a trial is for."""

    EXPLORATION = "Exploration"
    CONCURRENT = "Concurrent"
    MAB = "MAB"


class TrialStatus(str, Enum):
    """How far a trial is: *Succeeded* means that the server decided, *Failed* that it could not."""

    DISPATCHED = "Dispatched"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Outcome(str, Enum):
    """What the server decided about a trial that Succeeded."""

    CONVERGED = "converged"
    TARGET_MISSED = "target-missed"
    COST_BOUND = "cost-bound"
    CURVE_STOP = "curve-stop"
    DIVERGED = "diverged"


class FailReason(str, Enum):
    """Why a trial Failed, that is, ended without a decision."""

    EXPIRED = "expired"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    ERROR = "error"
    OOM = "oom"


class Stage(str, Enum):
    """The stage of a job."""

    PRUNING = "Pruning"
    MAB = "MAB"


class EnergySource(str, Enum):
    """What an energy reading rests on; an *estimate* is labelled as such wherever it is shown."""

    COUNTER = "counter"
    POWER = "power"
    RAPL = "rapl"
    ESTIMATE = "estimate"


def _without_control_characters(text: str) -> str:
    if _CONTROL_CHARACTERS.search(text):
        raise ValueError("must not contain control characters")
    return text


Text = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_without_control_characters)]
Count = Annotated[int, Field(ge=0, le=INT32_MAX)]
PositiveCount = Annotated[int, Field(ge=1, le=INT32_MAX)]
Total = Annotated[float, Field(ge=0, le=MAX_TOTAL, allow_inf_nan=False)]
FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]


def _finite_or_none(metric: float | None) -> float | None:
    return metric if metric is not None and math.isfinite(metric) else None


Metric = Annotated[float | None, AfterValidator(_finite_or_none)]
"""A validation metric. NaN and the infinities are read as null: a run that diverged has not reached its target."""
