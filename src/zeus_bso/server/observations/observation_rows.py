"""Conversion of past runs between values and rows of their table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zeus_bso.protocol.past_runs import PastRunUse
from zeus_bso.protocol.words import Outcome
from zeus_bso.server.observations.models import PastRunRecord

_ALIKE = (
    *("job_id", "number", "source", "run_id", "batch_size", "generation", "epochs", "time", "energy", "estimated"),
    *("cost", "reward", "decision", "ended_at", "recorded_at"),
)
"""Fields whose column has the same value."""


def observation_of(row: Mapping[Any, Any]) -> PastRunRecord:
    """Convert a row to a past run."""
    return PastRunRecord(
        **{name: row[name] for name in _ALIKE},
        outcome=Outcome(row["outcome"]),
        lesson=PastRunUse(row["lesson"]),
        curve=tuple((epoch, metric) for epoch, metric in row["curve"] or ()),
    )


def observation_values(observation: PastRunRecord) -> dict[str, Any]:
    """The row of a past run."""
    return {name: getattr(observation, name) for name in _ALIKE} | {
        "outcome": observation.outcome.value,
        "lesson": observation.lesson.value,
        "curve": [list(point) for point in observation.curve] or None,
    }
