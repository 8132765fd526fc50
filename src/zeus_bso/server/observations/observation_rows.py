"""Conversion of past runs between values and rows of their table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zeus_bso.protocol.past_runs import Lesson
from zeus_bso.protocol.words import Outcome
from zeus_bso.server.observations.models import Observation

_ALIKE = (
    *("job_id", "number", "source", "run_id", "batch_size", "generation", "epochs", "time", "energy", "estimated"),
    *("cost", "reward", "decision", "ended_at", "recorded_at"),
)
"""Fields whose column has the same value."""


def observation_of(row: Mapping[Any, Any]) -> Observation:
    """Convert a row to a past run."""
    return Observation(
        **{name: row[name] for name in _ALIKE},
        outcome=Outcome(row["outcome"]),
        lesson=Lesson(row["lesson"]),
        curve=tuple((epoch, metric) for epoch, metric in row["curve"] or ()),
    )


def observation_values(observation: Observation) -> dict[str, Any]:
    """The row of a past run."""
    return {name: getattr(observation, name) for name in _ALIKE} | {
        "outcome": observation.outcome.value,
        "lesson": observation.lesson.value,
        "curve": [list(point) for point in observation.curve] or None,
    }
