"""Frozen values of the policy as JSON documents.

A number is written so that it reads back as the same double, in every database. A field that the document lacks has its
default, and one that is not known is passed over: so a policy may come to know more without a migration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from zeus_bso.policy.values import SurrogateArmState, SurrogateState

State = TypeVar("State", SurrogateState, SurrogateArmState)


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
