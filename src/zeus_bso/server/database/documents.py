"""Frozen values of the policy as JSON documents.

Every database returns a stored number as the same double. A missing field has its default, and an unknown field is
ignored. So a policy can store more fields later without a migration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from zeus_bso.policy.state import SurrogateArmState, SurrogateState
from zeus_bso.policy.surrogate.curves import MAX_LEVELS
from zeus_bso.protocol.words import Count, FiniteFloat, PositiveCount

State = TypeVar("State", SurrogateState, SurrogateArmState)

_Amount = Annotated[float, Field(ge=0, le=1e40)]
_Difference = Annotated[float, Field(ge=-1e40, le=1e40)]
_Logarithm = Annotated[float, Field(ge=-100, le=100)]
_Epoch = Annotated[float, Field(gt=0, le=2**31)]


class SurrogateDocument(BaseModel):
    """The fields and bounds of a :class:`SurrogateState` as a document."""

    model_config = ConfigDict(strict=True)

    noise_ss: _Amount = 0.0
    noise_dof: Count = 0
    pace_ss: _Amount = 0.0
    pace_dof: Count = 0
    started: Count = 0
    retries_owed: Count = 0
    incumbent: PositiveCount | None = None
    incumbent_cost: _Amount | None = None
    spent: _Amount = 0.0
    look_spent: _Amount = 0.0
    looking_at: PositiveCount | None = None
    pace_level: _Logarithm = 0.0
    epochs_level: _Logarithm = 0.0
    epochs_trend: _Logarithm = 0.0
    epochs_moved: _Difference = 0.0
    dear_before: bool = False
    larger_first: bool = False


class SurrogateArmDocument(BaseModel):
    """The fields and bounds of a :class:`SurrogateArmState` as a document."""

    model_config = ConfigDict(strict=True)

    runs: Count = 0
    mean_log_epochs: _Logarithm = 0.0
    moved: _Difference = 0.0
    guess: _Logarithm | None = None
    cost_sum: _Amount = 0.0
    epoch_sum: Annotated[int, Field(ge=0, lt=2**63)] = 0
    last_pace: Annotated[float, Field(gt=0, le=1e40)] | None = None
    curve: Annotated[tuple[tuple[FiniteFloat, _Epoch], ...], Field(max_length=MAX_LEVELS)] = ()
    warm_up_runs: Count = 0
    warm_up: _Difference = 0.0
    stops: Count = 0
    seen: Count = 0


def to_document(state: SurrogateState | SurrogateArmState) -> dict[str, Any] | None:
    """The document of a state: the fields that differ from their defaults, or None if no field differs."""
    return {
        field.name: value for field in fields(state) if (value := getattr(state, field.name)) != field.default
    } or None


def from_document(kind: type[State], document: Mapping[str, Any] | None) -> State:
    """Read a state from its document."""
    known = {field.name for field in fields(kind)}
    given = {name: _frozen(value) for name, value in (document or {}).items() if name in known}
    return kind(**given)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value
