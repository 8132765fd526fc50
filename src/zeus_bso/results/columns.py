"""Views as rows of a table: one column per field, with the fields of nested views beside them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import cache
from types import NoneType
from typing import get_args, get_origin

from pydantic import BaseModel

Cell = str | bool | int | float | None
"""The value of a field. Enums are cells of their values."""


def column_names(model: type[BaseModel]) -> list[str]:
    """The columns of a view. A nested field is named with its path, for example ``savings_energy_saved``."""
    return ["_".join(path) for path in _paths(model)]


def integer_columns(model: type[BaseModel]) -> list[str]:
    """The columns of whole numbers, including those that may be empty."""
    return ["_".join(path) for path, kind in _paths(model).items() if _without_none(kind) == (int,)]


def cells(view: BaseModel) -> list[Cell]:
    """The values of a view, in the order of its columns."""
    return [_value_at(view, path) for path in _paths(type(view))]


@cache
def _paths(model: type[BaseModel]) -> dict[tuple[str, ...], object]:
    """The path of each column, and its type. They depend on the model alone, so that no column comes and goes."""
    paths: dict[tuple[str, ...], object] = {}
    for name, field in model.model_fields.items():
        part = _model_in(field.annotation)
        nested = {} if part is None else _paths(part)
        # A nested view of a job repeats its id.
        paths |= {(name, *path): kind for path, kind in nested.items() if path != ("job_id",)}
        if part is None:
            paths[(name,)] = field.annotation
    return paths


def _model_in(annotation: object) -> type[BaseModel] | None:
    kinds = _without_none(annotation)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _without_none(annotation: object) -> Sequence[object]:
    """The members of a union without None, or the type itself."""
    if get_origin(annotation) in (list, tuple):
        return (annotation,)
    return tuple(kind for kind in get_args(annotation) if kind is not NoneType) or (annotation,)


def _value_at(view: object, path: tuple[str, ...]) -> Cell:
    value = view
    for name in path:
        value = None if value is None else getattr(value, name)
    if isinstance(value, Enum):
        value = value.value
    assert value is None or isinstance(value, str | bool | int | float), path
    return value
