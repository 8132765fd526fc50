"""The basic types of the wire protocol: states of a trial, and texts and numbers with their bounds."""

from __future__ import annotations

import math
import unicodedata
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

INT32_MAX = 2**31 - 1
MAX_TOTAL = 1e15
"""Upper bound of a run's energy [J] and time [s]."""

_INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Categories of Unicode: control and format characters, bidirectional marks among them, and separators of lines."""


class TrialType(str, Enum):
    """The purpose of a trial."""

    EXPLORATION = "Exploration"
    CONCURRENT = "Concurrent"
    MAB = "MAB"


class TrialStatus(str, Enum):
    """The status of a trial. *Succeeded* means that the server has decided, *Failed* that it could not."""

    DISPATCHED = "Dispatched"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Outcome(str, Enum):
    """The server's decision about a trial that Succeeded."""

    CONVERGED = "converged"
    TARGET_MISSED = "target-missed"
    COST_BOUND = "cost-bound"
    CURVE_STOP = "curve-stop"
    DIVERGED = "diverged"


class FailReason(str, Enum):
    """The reason why a trial Failed, which means that it ended without a decision."""

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
    """The source of an energy reading. Every display labels an *estimate* as estimated.

    ``PARTIAL`` means that too much of a run could not be measured. The server does not learn from such a run.
    """

    COUNTER = "counter"
    POWER = "power"
    RAPL = "rapl"
    ESTIMATE = "estimate"
    PARTIAL = "partial"


def _without_control_characters(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        for character in text:
            if unicodedata.category(character) in _INVISIBLE:
                raise ValueError(
                    f"must not contain control characters or invisible ones, such as U+{ord(character):04X}"
                )
    return text


Text = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_without_control_characters)]


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number, not a boolean")
    return value


Integer = Annotated[int, BeforeValidator(_no_boolean)]
Number = Annotated[float, BeforeValidator(_no_boolean)]
"""A number of a request. Without the check, ``true`` would be read as 1."""

Count = Annotated[Integer, Field(ge=0, le=INT32_MAX)]
PositiveCount = Annotated[Integer, Field(ge=1, le=INT32_MAX)]
Total = Annotated[Number, Field(ge=0, le=MAX_TOTAL, allow_inf_nan=False)]
FiniteFloat = Annotated[Number, Field(allow_inf_nan=False)]


def _finite_or_none(metric: float | None) -> float | None:
    return metric if metric is not None and math.isfinite(metric) else None


Metric = Annotated[Number | None, AfterValidator(_finite_or_none)]
"""A validation metric. NaN and infinities are read as null, because a diverged run has not reached its target."""
