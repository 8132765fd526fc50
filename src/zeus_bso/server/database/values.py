"""Frozen values of the policy as JSON documents.

A number is written so that it reads back as the same double, in every database. A field that the document lacks has its
default, and one that is not known is passed over: so a policy may come to know more without a migration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from zeus_bso.common import Count, FiniteFloat, PositiveCount
from zeus_bso.policy.curves import MAX_LEVELS
from zeus_bso.policy.values import SurrogateArmState, SurrogateState

State = TypeVar("State", SurrogateState, SurrogateArmState)

_Amount = Annotated[float, Field(ge=0, le=1e40)]
_Logarithm = Annotated[float, Field(ge=-100, le=100)]
_Epoch = Annotated[float, Field(gt=0, le=2**31)]


class SurrogateDocument(BaseModel):
    """What a document of a :class:`SurrogateState` may hold."""

    model_config = ConfigDict(strict=True)

    noise_ss: _Amount = 0.0
    noise_dof: Count = 0
    pace_ss: _Amount = 0.0
    pace_dof: Count = 0
    started: Count = 0
    retries_owed: Count = 0
    incumbent: PositiveCount | None = None
    incumbent_cost: _Amount | None = None


class SurrogateArmDocument(BaseModel):
    """What a document of a :class:`SurrogateArmState` may hold."""

    model_config = ConfigDict(strict=True)

    runs: Count = 0
    mean_log_epochs: _Logarithm = 0.0
    guess: _Logarithm | None = None
    cost_sum: _Amount = 0.0
    epoch_sum: Annotated[int, Field(ge=0, lt=2**63)] = 0
    last_pace: Annotated[float, Field(gt=0, le=1e40)] | None = None
    curve: Annotated[tuple[tuple[FiniteFloat, _Epoch], ...], Field(max_length=MAX_LEVELS)] = ()


def to_document(state: SurrogateState | SurrogateArmState) -> dict[str, Any] | None:
    """What a column keeps of a state: the fields that differ from their defaults; None: nothing does."""
    return {
        field.name: value for field in fields(state) if (value := getattr(state, field.name)) != field.default
    } or None


def from_document(kind: type[State], document: Mapping[str, Any] | None) -> State:
    """Read a state back."""
    known = {field.name for field in fields(kind)}
    given = {name: _frozen(value) for name, value in (document or {}).items() if name in known}
    return kind(**given)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value
